"""Goals G8 and G10 as many people type them: right or asked, never silently wrong."""

from collections import Counter

import pytest
from hypothesis import settings

from pilot.engine.planner import lexicon, parsing
from tests.engine.planner import judging

VOICES = [
    case
    for name in ("voices_tasks", "voices_leads", "voices_more", "voices_late")
    for case in judging.cases(name)
]
EVERY = 1 if settings.get_current_profile_name() == "nightly" else 2
CHECKED = [*judging.cases("checked"), *VOICES[::EVERY], *judging.cases("careful")]
UNSEEN = judging.cases("unseen")


@pytest.mark.long
@pytest.mark.parametrize("case", CHECKED, ids=[one["goal"][:50] for one in CHECKED])
def test_a_goal_gives_what_it_says_and_a_draft_has_the_steps_it_claims(case, known, demo_folder):
    found = judging.draft(case, known)
    verdict, why = judging.judge(case, found, known, demo_folder)
    assert verdict == judging.RIGHT or case.get("may_ask"), why
    assert verdict != judging.WRONG, why
    if found.document is not None:
        present = {step["id"] for step in found.document["steps"]} | {"left out"}
        named = {name for clause in found.clauses for name in clause.covered_by}
        assert {name for name in named if not name.startswith("inputs.")} <= present


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
def test_of_goals_not_tuned_on_most_are_right_and_none_is_silently_wrong(known, demo_folder):
    drafts = [(case, judging.draft(case, known)) for case in UNSEEN]
    verdicts = Counter(judging.judge(*one, known, demo_folder)[0] for one in drafts)
    assert verdicts[judging.WRONG] == 0
    assert verdicts[judging.RIGHT] >= 16
    assert len(UNSEEN) == 20
