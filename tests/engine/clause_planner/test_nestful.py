"""The development half of NESTFUL: what is offered is valid, and the right actions are chosen."""

import pytest

from benchmarks import nestful, nestful_goals
from pilot.engine.clause_planner import described, plan
from pilot.engine.shortlist import Shortlist
from pilot.engine.validation import validate


@pytest.mark.capability(249)
def test_every_offered_document_of_the_goals_is_valid():
    for case in nestful_goals.cases():
        known = nestful_goals.catalogue(case.part)
        document = nestful.proposal(case.goal, known).document
        assert document is not None, case.goal
        issues = [one for one in validate(document, known) if one.severity == "error"]
        assert issues == [], case.goal


def test_the_chosen_actions_are_better_than_those_of_words_alone():
    cases = nestful_goals.cases()
    f1, exact = nestful.scores(nestful.proposed, cases)
    plain_f1, plain_exact = nestful.scores(nestful.simple, cases)
    assert f1 >= max(0.80, plain_f1)
    assert exact >= max(0.40, plain_exact)


def test_the_shortlist_holds_what_the_goals_need():
    assert nestful.recall(nestful_goals.cases(), whole_method=True) >= 0.93


def test_actions_that_change_something_are_named_or_asked_about():
    for case in nestful_goals.cases():
        known = nestful_goals.catalogue(case.part)
        found = plan(case.goal, known, answers={}, zone="UTC")
        for step in (found.document or {"steps": []})["steps"]:
            action = known.actions.get(f"{step.get('plugin')}.{step.get('action')}")
            if action is not None and action.effect != "pure":
                words = set(described.known(known).by_name[action.name].words)
                assert words & set(_said(case.goal)), (case.goal, action.name)


def test_equal_catalogues_share_one_index():
    actions = nestful_goals.catalogue("glaive").actions
    assert Shortlist.of(actions.values()) is Shortlist.of(list(actions.values()))


def _said(goal):
    return described.normals(goal)
