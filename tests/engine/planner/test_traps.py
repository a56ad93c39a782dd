"""What a goal says and one workflow cannot do is asked, never overheard."""

from pathlib import Path

import pytest

from tests.written import read

TRAPS = read(Path(__file__).parent / "traps.yaml")


@pytest.mark.parametrize("case", TRAPS, ids=[one["goal"][:50] for one in TRAPS])
def test_a_part_that_is_easily_overheard_is_asked(case, draft):
    found = draft(case["goal"])
    assert found.document is None
    asked = " ".join(f"{one.text} {one.why}" for one in found.questions)
    assert case["about"].lower() in asked.lower()


def test_the_answer_whose_rows_are_meant_is_a_condition(draft):
    goal = "Mail me my critical tasks that end in the next 3 full days."
    found = draft(goal, {"whose": "Owner is Ann Lee"})
    operations = found.document["steps"][1]["operations"]
    assert "lower(text(item.Owner)) == 'ann lee'" in str(operations)
    everybody = draft(goal, {"whose": "All rows"})
    assert "item.Owner" not in str(everybody.document["steps"][1])


def test_days_that_belong_to_no_date_are_left_out_when_the_answer_says_so(draft):
    found = draft("Mail me the stage 4 leads tomorrow.", {"date": "Leave it out"})
    assert "date_diff" not in str(found.document)
