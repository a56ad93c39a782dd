"""Enrichment steps."""

import pytest

from pilot.engine.steps import enrichment
from pilot.engine.workflow import document
from pilot.errors import InvalidError, StepError
from tests.engine.steps.surroundings import context, step

pytestmark = pytest.mark.capability(42)
ORDERS = [{"id": 1, "who": "ann"}, {"id": 2, "who": "bob"}, {"id": 3, "who": None}]
PEOPLE = [{"who": "ann", "mail": "a@x.org"}, {"who": "cem", "mail": "c@x.org"}]


def written(strategy, names, **more):
    sources = [{"key": name, "from": f"inputs.{name}"} for name in names]
    return {"type": "enrichment", "strategy": strategy, "sources": sources, **more}


def enriched(strategy, inputs, **more):
    return enrichment.run(step(**written(strategy, inputs, **more)), context(inputs=dict(inputs)))


def test_merge_is_shallow_and_later_sources_win():
    given = {"a": {"x": 1, "in": {"p": 1}}, "b": {"x": None, "in": {"q": 2}}}
    assert enriched("merge", given).output == {"x": None, "in": {"q": 2}}


@pytest.mark.parametrize(("arrays", "tags"), [("replace", [3]), ("concat", [1, 2, 3])])
def test_deep_merge_goes_into_objects(arrays, tags):
    given = {"a": {"in": {"p": 1, "tags": [1, 2]}}, "b": {"in": {"q": 2, "tags": [3]}}}
    found = enriched("deep_merge", given, arrays=arrays).output
    assert found == {"in": {"p": 1, "q": 2, "tags": tags}}


def test_a_source_that_is_null_is_left_out_and_noted():
    found = enriched("merge", {"a": {"x": 1}, "crm": None})
    assert found.output == {"x": 1}
    assert found.notes == ["merge: crm is null: nothing comes from it."]


def test_by_key_keeps_each_source_as_it_is():
    assert enriched("by_key", {"a": [1], "b": None}).output == {"a": [1], "b": None}


def test_join_puts_matches_under_the_key_of_their_source():
    found = enriched("join", {"orders": ORDERS, "person": PEOPLE}, join_on="who")
    assert [row["person"] for row in found.output] == [PEOPLE[0], None, None]
    assert [row["id"] for row in found.output] == [1, 2, 3]
    assert found.notes == ["join: 1 of 3 rows have no who and match nothing."]
    inner = enriched("join", {"orders": ORDERS, "person": PEOPLE}, join_on="who", kind="inner")
    assert [row["id"] for row in inner.output] == [1]


def test_several_matches_are_the_first_all_or_a_failure():
    given = {"orders": ORDERS[:1], "person": [*PEOPLE, {"who": "ann", "mail": "b@x.org"}]}
    first = enriched("join", given, join_on="who").output
    every = enriched("join", given, join_on="who", matches="all").output
    assert first[0]["person"]["mail"] == "a@x.org"
    assert [one["mail"] for one in every[0]["person"]] == ["a@x.org", "b@x.org"]
    with pytest.raises(StepError, match="several rows of right match 'ann'"):
        enriched("join", given, join_on="who", matches="fail")


def test_three_sources_are_joined_one_after_the_other():
    scores = [{"who": "bob", "score": 7}]
    given = {"orders": ORDERS, "person": PEOPLE, "score": scores}
    found = enriched("join", given, join_on="who").output
    assert found[1] == {"id": 2, "who": "bob", "person": None, "score": scores[0]}


def test_a_second_source_without_rows_or_null_matches_nothing():
    for nothing in ([], None):
        found = enriched("join", {"orders": ORDERS, "person": nothing}, join_on="who").output
        assert [row["person"] for row in found] == [None, None, None]


@pytest.mark.parametrize(
    ("strategy", "inputs", "more", "told"),
    [
        ("merge", {"a": [1], "b": {}}, {}, "a must be an object. Rows are brought together"),
        ("join", {"a": None, "b": []}, {"join_on": "id"}, "a must be a list of objects"),
        ("join", {"a": [{"x": 1}], "b": []}, {"join_on": "id"}, "the field 'id'"),
        ("join", {"a": [{"b": 1}], "b": [{"b": 1}]}, {"join_on": "b"}, "have a field 'b' already"),
    ],
)
def test_sources_that_do_not_fit_fail_with_their_name(strategy, inputs, more, told):
    with pytest.raises(StepError, match=told):
        enriched(strategy, inputs, **more)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (written("join", ["a", "b"]), "join_on belongs to the strategy join"),
        (written("merge", ["a"], join_on="x"), "join_on belongs to the strategy join"),
        (written("join", ["a"], join_on="x"), "join needs a second source"),
        (written("merge", ["a", "a"]), "Two sources have the same key"),
    ],
)
def test_what_cannot_work_is_refused_at_save(fields, told):
    with pytest.raises(InvalidError) as refused:
        document.parse({"steps": [{"id": "it"} | fields]})
    assert told in refused.value.issues[0].message
