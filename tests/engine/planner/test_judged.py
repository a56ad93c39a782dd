"""Goals G8 and G10 as many people type them: right or asked, never silently wrong."""

from collections import Counter

import pytest

from pilot.engine.planner import lexicon, parsing, plan
from tests.engine.planner import judging

CHECKED = [
    case
    for name in ("checked", "voices_tasks", "voices_leads", "voices_more", "voices_late", "careful")
    for case in judging.cases(name)
]
UNSEEN = judging.cases("unseen")


@pytest.mark.parametrize("case", CHECKED, ids=[one["goal"][:50] for one in CHECKED])
def test_a_goal_gives_what_it_says(case, known):
    verdict, why = judging.judge(case, known)
    assert verdict == judging.RIGHT or case.get("may_ask"), why
    assert verdict != judging.WRONG, why


def test_every_part_that_a_draft_claims_to_cover_is_covered_by_a_step_it_has(known):
    for case in CHECKED:
        draft = plan(case["goal"], known, answers={}, zone="UTC", owner_email=judging.OWNER)
        if draft.document is None:
            continue
        present = {step["id"] for step in draft.document["steps"]} | {"left out"}
        named = {name for clause in draft.clauses for name in clause.covered_by}
        assert {name for name in named if not name.startswith("inputs.")} <= present, case["goal"]


def test_no_single_word_counts_as_an_understood_part():
    tags = {tag for found in lexicon.phrases().values() for tag in found}
    assert tags.isdisjoint(parsing.FACTS)


@pytest.mark.parametrize(
    "words",
    [
        "Ask for my approval, then mail the table to me.",
        "Ask for approval before you mail the table to me.",
        "Mail the table to me. Get my ok first.",
        "Mail the table to me once I approve.",
    ],
)
def test_an_approval_that_is_asked_for_is_a_step(draft, words):
    found = draft(f"Stage 4 leads. {words}").document
    assert [step["type"] for step in found["steps"]].count("human_approval") == 1


@pytest.mark.capability(249)
def test_of_goals_not_tuned_on_most_are_right_and_none_is_silently_wrong(known):
    verdicts = Counter(judging.judge(case, known)[0] for case in UNSEEN)
    assert verdicts[judging.WRONG] == 0
    assert verdicts[judging.RIGHT] >= 16
    assert len(UNSEEN) == 20
