"""Words are bound to the columns, rows and people that they mean."""

import pytest

TASKS = "Mail me the tasks that end in the next three full days"
LEADS = "Mail ann@example.com the stage 4 leads"


def operations(found):
    assert found.document, [one.text for one in found.questions] or found.refusal
    return found.document["steps"][1]["operations"]


def sorted_by(found):
    (sort,) = [one["config"]["by"] for one in operations(found) if one["operation"] == "sort"]
    return [(one["field"], one.get("direction", "asc")) for one in sort]


def sent(found):
    return found.document["steps"][-1]["params"]


def shown(found):
    (table,) = [one for one in found.document["steps"] if one["id"] == "table"]
    return table["config"]["columns"]


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ("sorted by client, then value descending", [("Client", "asc"), ("Value", "desc")]),
        ("sorted by client and then by company", [("Client", "asc"), ("Company", "asc")]),
        ("with a value over 500, highest first", [("Value", "desc")]),
        ("newest first", [("Created", "desc")]),
    ],
)
def test_rows_are_sorted_as_the_words_say(words, order, draft):
    assert sorted_by(draft(f"{LEADS}, {words}.", {"order": "Created"})) == order


def test_a_priority_is_sorted_by_its_rank_not_by_its_letters(rows_of):
    rows = rows_of(f"{TASKS}, sorted by priority and owner.")["rows"]
    assert [row["Priority"] for row in rows] == sorted(
        (row["Priority"] for row in rows),
        key=["Critical", "High", "Medium", "Low"].index,
    )
    assert len({row["Priority"] for row in rows}) == 4


def test_columns_can_be_left_out(draft):
    found = draft(f"{LEADS} with all columns except Notes and Created.")
    assert shown(found)[0] == "Client"
    assert not {"Notes", "Created"} & set(shown(found))
    assert len(shown(found)) == 8


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("in stages 2 to 4", "item.Stage >= 2 and item.Stage <= 4"),
        ("up to stage 4", "item.Stage <= 4"),
        ("that are not in stage 4, 5 or 6", "item.Stage not in [4, 5, 6]"),
        ("in stage4, but not from Web", "lower(text(item.Source)) != 'web'"),
        ("worth more than 5,000 in stage 4", "item.Value > 5000"),
    ],
)
def test_conditions_keep_their_meaning(words, condition, draft):
    assert condition in str(operations(draft(f"Mail ann@example.com the leads {words}.")))


def test_unless_keeps_rows_out(draft):
    assert "lower(text(item.Status)) != 'done'" in str(operations(draft(f"{TASKS} unless done.")))


def test_more_than_so_many_days_is_not_within_them(draft):
    found = draft("Mail me the tasks that end in more than 10 days.")
    assert "item.days_left >= 11" in str(operations(found))


def test_people_named_like_values_get_the_mail(draft):
    goal = "Mail the stage 4 leads to Sam Poole and Kim Ortiz."
    asked = [one.id for one in draft(goal).questions]
    assert asked == ["address:sam poole", "address:kim ortiz"]
    found = draft(goal, dict.fromkeys(asked, "sam@example.com"))
    assert "Salesperson" not in str(operations(found))
    assert found.document["inputs"]["properties"]["to"]["default"] == ["sam@example.com"]


def test_copies_go_to_those_who_are_named(draft):
    params = sent(draft("Mail me the stage 4 leads, cc ann@example.com, bcc bob@example.com."))
    assert params["cc"] == ["ann@example.com"]
    assert params["bcc"] == ["bob@example.com"]


def test_nobody_else_is_no_text_for_an_empty_result(draft):
    found = draft(f"{LEADS}. Nobody else should get it.")
    assert "Nobody" not in str(found.document["steps"])


def test_only_the_number_is_a_count(draft):
    found = draft("Mail me only the number of stage 4 leads.")
    assert "len(steps.rows.output)" in sent(found)["html"]


@pytest.mark.parametrize("word", ["w/ stage 4", "in stage4", "wich have stage 4", "in Stage Four"])
def test_hasty_writing_is_read(word, draft):
    found = draft(f"plz send the leads {word} to ann@example.com, nobody shud get it 2x")
    assert "item.Stage == 4" in str(operations(found))
