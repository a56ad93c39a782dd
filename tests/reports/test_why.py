"""Why an execution does not move: each cause has its one sentence."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from pilot.engine.status import STATE_SCHEMA
from pilot.models.execution import Execution
from pilot.reports.execution import STOPPED, Held, Shown
from pilot.reports.execution_steps import Step

OTHER = UUID(int=7)
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
STOPS = {
    "pause": "by a person",
    "pilot_disabled": "pilot steps are switched off",
    "unknown_outcome": "for an answer: did the step happen?",
    "poisoned": "for a person: its workers died again and again",
    "restored": "for a person: it comes from a backup, and a step that must not be repeated may "
    "have happened since",
}


def why(*steps, around=(), **fields):
    row = Execution(**{"status": "waiting", "state_schema": STATE_SCHEMA} | fields)
    known = {"worker": None, "refused": None} | dict(around)
    facts = {"document": {}, "started_by": "Ada", "newest_version": 1, "question": None}
    return Shown(row, steps=list(steps), calls=None, reused=None, forks=[], **facts, **known).why


def step(**fields):
    return Step("a", "a", "Ask them", "delay", 0, {"id": "a"}, [], **fields)


@pytest.mark.capability(258)
@pytest.mark.parametrize("reason", STOPPED)
def test_one_that_was_stopped_names_by_what(reason):
    status = "paused" if reason in {"pause", "pilot_disabled"} else "needs_attention"
    assert why(status=status, status_reason=reason) == STOPS[reason]


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("fields", "around", "sentence"),
    [
        ({"status": "queued"}, {}, "for a worker"),
        (
            {"status": "queued", "state_schema": STATE_SCHEMA + 1},
            {},
            "for a newer Pilot: another one wrote it",
        ),
        (
            {"status": "queued", "concurrency_key": "eu"},
            {"turn_after": OTHER},
            f"for the end of execution {OTHER} of the same key eu",
        ),
        ({"status": "queued"}, {"turn_after": OTHER}, f"for the end of execution {OTHER}"),
        (
            {"status": "running", "pause_requested_at": AT},
            {"worker": "here:1"},
            "pauses at the next step",
        ),
        ({"status": "running"}, {}, "for a worker that takes its items"),
        ({"status": "budget_paused"}, {}, "until its budget is raised"),
        (
            {"status": "budget_paused"},
            {"refused": {"payer": OTHER}},
            f"until the budget of execution {OTHER} is raised",
        ),
        (
            {"status": "paused", "held_by_parent": True, "parent_id": OTHER},
            {},
            f"as execution {OTHER} is, whose step started it",
        ),
        ({"status": "running"}, {"worker": "here:1"}, "nothing holds it"),
    ],
)
def test_one_that_does_not_run_names_what_it_needs(fields, around, sentence):
    assert why(around=around, **fields) == sentence


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"wait_kind": "approval"}, "Ask them: a decision"),
        ({"wait_kind": "form"}, "Ask them: a form"),
        ({"wait_kind": "child"}, "Ask them: an execution"),
        ({"wait_kind": "delay"}, "Ask them"),
        (
            {"wait_kind": "event", "waits_for": "paid", "waits_until": AT},
            "Ask them: the event paid, until 2026-03-02 09:30 UTC",
        ),
        (
            {"wait_kind": "turn", "waits_for": "Sales", "waits_until": AT},
            "Ask them: its turn on Sales, at 09:30:00 UTC",
        ),
        ({"wait_kind": "reconnect", "waits_for": "Sales"}, "Ask them: reconnect Sales"),
    ],
)
def test_one_that_waits_names_the_step_and_what_it_waits_for(fields, sentence):
    assert why(step(**fields)) == sentence


@pytest.mark.capability(258)
def test_of_executions_within_each_other_the_innermost_cause_counts():
    held = Held("a", OTHER, f"execution {OTHER} of Mail, waiting Pay: a decision")
    found = why(step(wait_kind="child"), around={"held_by": held})
    assert found == f"Ask them: execution {OTHER} of Mail, waiting Pay: a decision"
