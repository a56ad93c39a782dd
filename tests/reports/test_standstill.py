"""Why an execution does not move: each cause has its one sentence."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from pilot import db, settings
from pilot.engine.status import STATE_SCHEMA
from pilot.models.execution import Execution
from pilot.reports import execution as report
from pilot.reports.execution import Shown
from pilot.reports.execution_steps import Attempt, Step
from pilot.reports.questions import Question
from pilot.reports.standstill import STOPPED, Held, Queue, Silence
from tests.engine import worker_process as wp

OTHER = UUID(int=7)
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PLACE = (
    "for a place: its owner may have 3 running at once (pilot_max_running_per_owner), and all are "
    "taken"
)
STOPS = {
    "pause": "by a person",
    "pilot_disabled": "as pilot steps are switched off",
    "poisoned": "for a person: its workers died again and again",
    "restored": "for a person: it comes from a backup, and a step that must not be repeated may "
    "have happened since",
}


def why(*steps, around=(), **fields):
    row = Execution(**{"status": "waiting", "state_schema": STATE_SCHEMA} | fields)
    known = {"worker": None, "refused": None} | dict(around)
    facts = {"document": {}, "started_by": "Ada", "newest_version": 1, "question": None}
    return Shown(
        row=row, steps=list(steps), calls=None, reused=None, forks=[], **facts, **known
    ).why


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
            {"status": "queued"},
            {"workers": False},
            "for a worker: none is there, start one",
        ),
        (
            {"status": "queued"},
            {"queue": Queue(running=3, most=3)},
            PLACE,
        ),
        ({"status": "cancelling"}, {}, "until its steps have ended"),
        (
            {"status": "cancelling", "compensation": "begun"},
            {},
            "until its finished steps are undone",
        ),
        ({"status": "failed", "error": {"message": "It broke."}}, {}, "It broke"),
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
        (
            {"status": "running"},
            {"worker": "here:1", "silence": Silence(10, others=False)},
            "its worker has not been heard of for 10 s: none is there, start one",
        ),
        (
            {"status": "cancelling"},
            {"worker": "here:1", "silence": Silence(10, others=True)},
            "its worker has not been heard of for 10 s: another takes it over",
        ),
    ],
)
def test_one_that_does_not_run_names_what_it_needs(fields, around, sentence):
    assert why(around=around, **fields) == sentence


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"wait_kind": "child"}, "Ask them: an execution"),
        ({"wait_kind": "timer", "waits_until": AT}, "Ask them: until 2026-03-02 09:30:00 UTC"),
        (
            {"wait_kind": "retry", "waits_until": AT},
            "Ask them: its next attempt at 2026-03-02 09:30:00 UTC",
        ),
        (
            {"wait_kind": "event", "waits_for": "paid", "waits_until": AT},
            "Ask them: the event paid, until 2026-03-02 09:30 UTC",
        ),
        (
            {"wait_kind": "turn", "waits_for": "Sales", "waits_until": AT},
            "Ask them: its turn on Sales, at 2026-03-02 09:30:00 UTC",
        ),
        ({"wait_kind": "reconnect", "waits_for": "Sales"}, "Ask them: reconnect Sales"),
        (
            {"wait_kind": "reconnect", "waits_for": "Sales", "waits_until": AT},
            "Ask them: reconnect Sales, until 2026-03-02 09:30 UTC",
        ),
    ],
)
def test_one_that_waits_names_the_step_and_what_it_waits_for(fields, sentence):
    assert why(step(**fields)) == sentence


DUE = {"waits_until": AT, "due": True}


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"wait_kind": "timer"}, "due since 2026-03-02 09:30:00 UTC"),
        ({"wait_kind": "retry"}, "its next attempt at 2026-03-02 09:30:00 UTC"),
        (
            {"wait_kind": "event", "waits_for": "paid"},
            "the event paid, until 2026-03-02 09:30 UTC",
        ),
    ],
)
def test_what_is_due_waits_for_a_worker(fields, sentence):
    due = step(**DUE, **fields)
    none = "for a worker: none is there, start one"
    assert why(due) == f"Ask them: {sentence}; for a worker"
    assert why(due, around={"workers": False}) == f"Ask them: {sentence}; {none}"


@pytest.mark.capability(258)
def test_a_worker_that_is_silent_is_told_of(world, superuser, now_why, database):
    agent = wp.make_agent(world.operator.id, [REST])
    one = wp.start(agent, world.operator.id)
    now_why(one)
    gone = superuser.execute(
        "INSERT INTO worker (id, number, host, pid, version, heartbeat_at, lease_until) VALUES "
        "(gen_random_uuid(), 4711, 'here', 1, '1', pilot_now() - interval '10 s', "
        "pilot_now() + interval '5 s') RETURNING id"
    ).fetchone()[0]
    superuser.execute(
        "UPDATE execution SET status = 'running', worker_id = %s WHERE id = %s", [gone, one]
    )
    found = now_why(one, "running")
    assert re.fullmatch(
        r"its worker has not been heard of for 1\d s: another takes it over", found
    ), found


@pytest.mark.capability(258)
def test_of_executions_within_each_other_the_innermost_cause_counts():
    held = Held("a", OTHER, f"execution {OTHER} of Mail, waiting Pay: a decision")
    found = why(step(wait_kind="child"), around={"held_by": held})
    assert found == f"Ask them: execution {OTHER} of Mail, waiting Pay: a decision"


IN_VAIN = (
    "Ann, Bob may not answer any more. Let an administrator activate them or give them the role"
    " approver, or cancel the execution; else its time runs out on 2026-03-02 09:30 UTC."
)
NO_DECISION = "Ask them: a decision that cannot come. "


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        (("approval", 2, 1), f"{NO_DECISION}2 approvals are needed, only 1 is possible, as "),
        (("approval", 3, 2), f"{NO_DECISION}3 approvals are needed, only 2 are possible, as "),
        (("approval", 1, 0), f"{NO_DECISION}1 approval is needed, none is possible, as "),
        (("form", 1, 0), "Ask them: a form that nobody can fill in. "),
    ],
)
def test_one_that_waits_for_who_may_not_answer_any_more_says_what_to_do(asked, begins):
    unmet = Question("a", *asked, [], ["Ann", "Bob"], AT)
    assert why(step(wait_kind=asked[0]), around={"questions": [unmet]}) == begins + IN_VAIN


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("approval", 1, 0, ["Ann"]), "a decision by Ann"),
        (("approval", 1, 0, ["Ann", "Bob"]), "a decision by Ann or Bob"),
        (
            ("approval", 3, 1, ["Ann", "Bob", "Cy", "Di", "Eve"]),
            "a decision by Ann, Bob, Cy or 2 more (1 of 3 approvals given)",
        ),
        (("form", 1, 0, ["Ann", "Bob"]), "a form that Ann or Bob can fill in"),
    ],
)
def test_one_that_waits_for_people_names_them_how_many_and_until_when(asked, words):
    found = why(step(wait_kind=asked[0]), around={"questions": [Question("a", *asked, [], AT)]})
    assert found == f"Ask them: {words}, until 2026-03-02 09:30 UTC"


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            {"message": "It answered 500."},
            "its next attempt at {}, as the last one failed: It answered 500",
        ),
        ({"message": "It rests.", "held": True}, "until {}: It rests"),
    ],
)
def test_one_that_is_tried_again_says_when_and_why(facts, words):
    one = replace(step(wait_kind="retry", waits_until=AT), attempts=[attempt("failed", facts)])
    assert why(one) == f"Ask them: {words.format('2026-03-02 09:30:00 UTC')}"


@pytest.mark.capability(258)
def test_one_whose_step_may_have_happened_names_it_also_when_it_was_cancelled():
    one = replace(step(), attempts=[attempt("unknown", None)])
    other = replace(one, name="Tell them")
    reason = {"status_reason": "unknown_outcome"}
    asked = why(one, other, status="needs_attention", **reason)
    assert asked == "for an answer: did Ask them and Tell them happen?"
    ended = why(one, status="cancelled", **reason)
    assert ended == "nobody said whether Ask them happened"
    assert why(status="cancelled", **reason) == "nobody said whether the step happened"


def attempt(status, error):
    return Attempt(1, status, None, None, None, None, None, error, [], None, AT, AT, None, None)


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    facts = wp.config(database, redis_url, tmp_path)
    with wp.working(replace(facts, egress_allow=("127.0.0.1:9",))) as resident:
        yield resident


@pytest.fixture
def now_why(worker, database, world):
    """Give `now_why(execution, status)`: what is said once it has that status."""

    def now_why(execution, status="waiting"):
        wp.wait_for(database, execution, {status})
        with db.reading(world.operator.id) as session:
            return report.shown(session, execution).why

    return now_why


REST = {"id": "rest", "type": "delay", "for_s": 500}
GET = {
    "id": "get",
    "type": "action",
    "plugin": "http",
    "action": "request",
    "params": {"method": "GET", "url": "http://127.0.0.1:9/"},
    "retry": {"base_s": 600, "max_s": 600},
}
ASK = {"id": "ask", "type": "human_approval", "title": "Go on?", "approvers": ["role:approver"]}
MOMENT = r"20\d\d-\d\d-\d\d \d\d:\d\d"


@pytest.mark.capability(258)
@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (REST, rf"rest: until {MOMENT}:\d\d UTC"),
        (GET, rf"get: its next attempt at {MOMENT}:\d\d UTC, as the last one failed: .+"),
        (ASK, rf"ask: a decision by Approver, until {MOMENT} UTC"),
        (
            ASK | {"approvers": ["owner", "role:approver"], "rule": "all"},
            rf"ask: a decision by Approver or Operator \(0 of 2 .* given\), until {MOMENT} UTC",
        ),
    ],
)
def test_what_waits_says_for_what_and_until_when(world, now_why, step, sentence):
    agent = wp.make_agent(world.operator.id, [step])
    found = now_why(wp.start(agent, world.operator.id))
    assert re.fullmatch(sentence, found), found


@pytest.mark.capability(258)
def test_one_for_which_its_owner_has_no_place_says_so(world, superuser, now_why, worker):
    settings.change("pilot_max_running_per_owner", 1, by=wp.BY)
    agent = wp.make_agent(world.operator.id, [REST])
    first = wp.start(agent, world.operator.id)
    now_why(first)
    superuser.execute("UPDATE execution SET status = 'running' WHERE id = %s", [first])
    found = now_why(wp.start(agent, world.operator.id), "queued")
    assert found == PLACE.replace("3", "1")
