"""Goals G8 and G10 as many people type them: right or asked, never silently wrong."""

from collections import Counter

import pytest

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


@pytest.mark.capability(249)
def test_of_goals_not_tuned_on_most_are_right_and_none_is_silently_wrong(known):
    verdicts = Counter(judging.judge(case, known)[0] for case in UNSEEN)
    assert verdicts[judging.WRONG] == 0
    assert verdicts[judging.RIGHT] >= 16
    assert len(UNSEEN) == 20
