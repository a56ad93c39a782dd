"""Rows of two lists, side by side."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run, transform

LEADS = [
    {"email": "a@x.test", "stage": 4},
    {"email": "b@x.test", "stage": 2},
    {"email": None, "stage": 1},
]
CONTACTS = [
    {"email": "a@x.test", "name": "Ada", "stage": "old"},
    {"email": "a@x.test", "name": "Ada 2", "stage": "new"},
    {"email": "c@x.test", "name": "Cem", "stage": "new"},
    {"email": None, "name": "Nobody", "stage": "new"},
]


def joined(**config):
    config = {"right": "steps.crm.output", "left_key": "email", **config}
    return run(LEADS, ("join", config), crm=CONTACTS)


def test_fields_of_the_match_stand_beside_those_of_the_row():
    assert joined() == [
        {"email": "a@x.test", "stage": 4, "name": "Ada", "stage_2": "old"},
        {"email": "b@x.test", "stage": 2, "name": None, "stage_2": None},
        {"email": None, "stage": 1, "name": None, "stage_2": None},
    ]


def test_the_match_may_stand_under_a_name():
    rows = joined(**{"as": "contact"})
    assert [row["contact"] and row["contact"]["name"] for row in rows] == ["Ada", None, None]


def test_all_matches_are_more_rows_or_a_list():
    assert [row["name"] for row in joined(matches="all", kind="inner")] == ["Ada", "Ada 2"]
    rows = joined(matches="all", **{"as": "contacts"})
    assert [len(row["contacts"]) for row in rows] == [2, 0, 0]


@pytest.mark.parametrize(
    ("kind", "emails"),
    [
        ("left", ["a@x.test", "b@x.test", None]),
        ("inner", ["a@x.test"]),
        ("full", ["a@x.test", "b@x.test", None, "c@x.test", None]),
        ("semi", ["a@x.test"]),
        ("anti", ["b@x.test", None]),
    ],
)
def test_the_kind_says_which_rows_stay(kind, emails):
    assert [row["email"] for row in joined(kind=kind)] == emails


@pytest.mark.parametrize("kind", ["semi", "anti"])
def test_semi_and_anti_add_nothing(kind):
    assert all(row in LEADS for row in joined(kind=kind, matches="all"))


def test_null_matches_nothing_and_is_noted():
    config = {"right": "steps.crm.output", "left_key": "email"}
    notes = transform(LEADS, ("join", config), crm=CONTACTS).notes
    assert notes == ["join: 1 of 3 rows have no email and match nothing."]


def test_several_matches_fail_where_one_is_expected():
    config = {"right": "steps.crm.output", "left_key": "email", "matches": "fail"}
    message = failure(LEADS, ("join", config), crm=CONTACTS)
    assert "row 1: several rows of right match 'a@x.test'" in message


def test_keys_may_have_different_names_and_kinds():
    orders = [{"no": "7", "item": "pen"}]
    config = {"right": "steps.lines.output", "left_key": "id", "right_key": "no"}
    assert run([{"id": 7}], ("join", config), lines=orders) == [{"id": 7, "no": "7", "item": "pen"}]


def test_the_first_match_is_the_first_in_the_list():
    right = [{"id": "4.0", "n": 1}, {"id": "4", "n": 2}]
    config = {"right": "steps.r.output", "left_key": "id"}
    assert run([{"id": 4}], ("join", config), r=right)[0]["n"] == 1


def test_unmatched_rows_of_a_full_join_have_their_name_too():
    rows = joined(kind="full", **{"as": "contact"})
    assert rows[3] == {"email": "c@x.test", "stage": None, "contact": CONTACTS[2]}


def test_nothing_on_one_side_leaves_the_other():
    config = {"right": "steps.crm.output", "left_key": "email", "kind": "full"}
    assert run([], ("join", config), crm=CONTACTS[:1]) == CONTACTS[:1]
    assert run(LEADS, ("join", config), crm=[]) == LEADS


@pytest.mark.parametrize(
    ("right", "error_class", "said"),
    [
        (None, ErrorClass.INPUT, "right must be a list of objects; it is null"),
        ([["email"]], ErrorClass.INPUT, "element 1 is a list"),
        (
            [{"mail": 1}],
            ErrorClass.REFERENCE,
            "no row of right has the field 'email'. Nearest: mail",
        ),
    ],
)
def test_a_right_side_that_is_no_table_fails(right, error_class, said):
    config = {"right": "steps.r.output", "left_key": "email"}
    assert said in failure(LEADS, ("join", config), error_class=error_class, r=right)


def test_a_product_that_grows_too_large_is_refused():
    same = [{"id": 1}] * 400
    config = {"right": "steps.r.output", "left_key": "id", "matches": "all"}
    message = failure(same, ("join", config), error_class=ErrorClass.LIMIT, r=same)
    assert "more than 100,000 matches" in message
