"""Statuses: one table of transitions that everything keeps, one function that never lies."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text, update

from pilot import db
from pilot.engine import status
from pilot.engine.running.checkpoints import Checkpoint, parameters
from pilot.engine.status import (
    FINAL,
    TRANSITIONS,
    ExecutionStatus,
    StepStatus,
    StepView,
    execution_status,
)
from pilot.models.execution import Execution
from tests.engine.worker_process import make_agent, row, start, switch_on

S = ExecutionStatus
LEGAL = {
    ("queued", "running"),  # claimed
    ("queued", "cancelling"),  # claimed after a cancel was asked
    ("queued", "paused"),
    ("queued", "cancelled"),
    ("running", "queued"),  # released, or taken from a dead worker
    ("running", "waiting"),
    ("running", "paused"),
    ("running", "budget_paused"),
    ("running", "needs_attention"),
    ("running", "cancelling"),
    ("running", "completed"),
    ("running", "completed_with_errors"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("cancelling", "queued"),
    ("cancelling", "needs_attention"),
    ("cancelling", "completed"),
    ("cancelling", "completed_with_errors"),
    ("cancelling", "failed"),
    ("cancelling", "cancelled"),
    ("waiting", "queued"),
    ("waiting", "paused"),
    ("waiting", "cancelled"),
    ("paused", "queued"),
    ("paused", "cancelled"),
    ("budget_paused", "queued"),
    ("budget_paused", "cancelled"),
    ("needs_attention", "queued"),
    ("needs_attention", "cancelled"),
    ("failed", "queued"),  # retry failed
    ("completed_with_errors", "queued"),
    ("completed", "queued"),  # retry from a step
}


@pytest.mark.parametrize(("one", "other"), list(product(S, S)))
def test_a_transition_is_legal_only_if_the_table_says_so(one, other):
    assert (other in TRANSITIONS[one]) is ((str(one), str(other)) in LEGAL)


def test_what_people_may_do_leads_along_the_table():
    assert all(S.QUEUED in TRANSITIONS[one] for one in status.REPEATABLE)
    assert all(TRANSITIONS[one] & {S.CANCELLED, S.CANCELLING} for one in status.CANCELLABLE)
    assert all(S.PAUSED in TRANSITIONS[one] for one in status.PAUSABLE)
    assert not status.CANCELLABLE & FINAL
    assert not status.ANSWERABLE & FINAL
    assert not status.RESUMABLE & status.RETRYABLE


def test_every_status_is_reached_and_only_a_cancel_is_left_by_nothing():
    assert set(TRANSITIONS) == set(S)
    assert {S.QUEUED}.union(*TRANSITIONS.values()) == set(S)
    assert {one for one in S if not TRANSITIONS[one]} == {S.CANCELLED}


@pytest.fixture
def held(world, superuser):
    """Give an execution and a worker; `place` puts the execution into a status."""
    switch_on()
    step = {"id": "a", "type": "transform", "operation": "set", "config": {"value": 1}}
    execution = start(make_agent(world.operator.id, [step]), world.operator.id)
    (worker,) = superuser.execute(
        "INSERT INTO worker (host, pid, version, lease_until) VALUES "
        "('test', 1, 'test', pilot_now() + interval '1 h') RETURNING id"
    ).fetchone()
    superuser.execute(
        "INSERT INTO wait (execution_id, owner_id, path, kind) VALUES (%s, %s, 'a', 'timer')",
        [execution, world.operator.id],
    )

    def place(where):
        superuser.execute("UPDATE wait SET resolved_at = NULL, consumed_at = NULL")
        mine = worker if where in {S.RUNNING, S.CANCELLING} else None
        with db.transaction("test.place", world.operator.id) as session:
            session.execute(update(Execution).values(status=where, worker_id=mine, fence=1))

    return execution, worker, place


def _statements(execution, worker):
    """Return every statement of the database that changes an execution's status."""
    wait = "(SELECT id FROM wait LIMIT 1)"
    return [
        ("SELECT * FROM claim(%s, 9, 1, 9)", [worker]),
        (f"SELECT resolve_wait({wait}, '{{}}')", []),
        (f"SELECT fire_wait({wait})", []),
        ("SELECT wake(%s)", [execution]),
        *(
            ("SELECT take_away(%s, %s, %s)", [execution, worker, why])
            for why in ("worker_died", "crashed", "released", "grace_over")
        ),
    ]


def _ends(execution, worker):
    for target in sorted(FINAL | {S.QUEUED, S.WAITING, S.PAUSED, S.NEEDS_ATTENTION}):
        checkpoint = Checkpoint(execution, 1, "finish")
        checkpoint.status = target
        yield target, parameters(worker, [checkpoint.rows()])


@pytest.mark.parametrize("where", S)
def test_no_statement_of_the_database_leaves_the_table(database, superuser, held, where):
    execution, worker, place = held
    moved = set()
    for statement, values in _statements(execution, worker):
        place(where)
        if "wake(" in statement:
            superuser.execute("UPDATE execution SET deadline_at = pilot_now()")
        superuser.execute(statement, values)
        moved.add(row(database, execution)[0])
    for _, values in _ends(execution, worker):
        place(where)
        superuser.execute("SELECT * FROM checkpoint(%s, %s, %s, %s, %s, %s)", values)
        moved.add(row(database, execution)[0])
    assert moved - {str(where)} <= {str(one) for one in TRANSITIONS[where]}


def test_a_cancelled_wish_is_claimed_to_be_heeded(database, superuser, held):
    execution, worker, place = held
    place(S.QUEUED)
    superuser.execute("UPDATE execution SET cancel_requested_at = pilot_now()")
    superuser.execute("SELECT * FROM claim(%s, 9, 1, 9)", [worker])
    assert row(database, execution)[0] == "cancelling"


def test_the_database_knows_the_same_statuses(superuser):
    query = text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    with db.reading(None) as session:
        executions = session.scalar(query, {"name": "execution_status"})
        steps = session.scalar(query, {"name": "step_status"})
    assert all(f"'{one}'" in executions for one in S)
    assert executions.count("::text") == len(S)
    assert all(f"'{one}'" in steps for one in set(StepStatus) - {StepStatus.PENDING})


VIEWS = st.builds(StepView, st.sampled_from(StepStatus), st.booleans())
VECTORS = st.lists(VIEWS, max_size=8)
FLAGS = st.fixed_dictionaries(
    {
        name: st.booleans()
        for name in ("cancel_asked", "parked", "deadline_passed", "output_refused", "output_warned")
    }
)


def _rule(views, flags):
    """Say the rule of the specification line by line; the first that holds decides."""
    failed = [one for one in views if one.status is StepStatus.FAILED]
    statuses = {one.status for one in views}
    hard = any(not one.tolerated for one in failed)
    lines = [
        (flags["cancel_asked"], S.CANCELLED),
        (flags["parked"] or StepStatus.UNKNOWN in statuses, S.NEEDS_ATTENTION),
        (flags["deadline_passed"] or flags["output_refused"], S.FAILED),
        (StepStatus.WAITING in statuses, S.WAITING),
        (hard, S.FAILED),
        (flags["output_warned"] or any(v.tolerated for v in views), S.COMPLETED_WITH_ERRORS),
        (True, S.COMPLETED),
    ]
    return next(found for holds, found in lines if holds)


NO_FLAGS = {"cancel_asked": False, "parked": False, "deadline_passed": False} | {
    "output_refused": False,
    "output_warned": False,
}


@pytest.mark.capability(270)
@given(VECTORS, FLAGS)
@example([StepView(StepStatus.COMPLETED, tolerated=True)], NO_FLAGS)
@example([StepView(StepStatus.COMPLETED)], NO_FLAGS)
def test_the_status_follows_the_rule(views, flags):
    assert execution_status(views, **flags) is _rule(views, flags)


@pytest.mark.capability(168, 270)
@given(VECTORS, FLAGS)
def test_completed_is_never_said_of_an_execution_with_a_fault(views, flags):
    found = execution_status(views, **flags)
    statuses = [one.status for one in views]
    if found is S.COMPLETED:
        assert not any(flags.values())
        assert not any(one.tolerated for one in views)
        assert not {StepStatus.FAILED, StepStatus.UNKNOWN, StepStatus.WAITING} & set(statuses)
    if found is S.COMPLETED_WITH_ERRORS:
        assert all(one.tolerated for one in views if one.status is StepStatus.FAILED)
        assert any(one.tolerated for one in views) or flags["output_warned"]
    if found is S.FAILED:
        hard = [one for one in views if one.status is StepStatus.FAILED and not one.tolerated]
        assert hard or flags["deadline_passed"] or flags["output_refused"]


@given(VECTORS, FLAGS, st.randoms(use_true_random=False))
def test_the_status_does_not_depend_on_the_order_of_the_steps(views, flags, random):
    mixed = random.sample(views, len(views))
    assert execution_status(mixed, **flags) is execution_status(views, **flags)


@given(VECTORS, FLAGS, VIEWS)
def test_a_further_fault_never_makes_the_status_better(views, flags, more):
    order = [S.COMPLETED, S.COMPLETED_WITH_ERRORS, S.FAILED, S.WAITING, S.NEEDS_ATTENTION]
    before, after = execution_status(views, **flags), execution_status([*views, more], **flags)
    if before in order and not (flags["deadline_passed"] or flags["output_refused"]):
        assert order.index(after) >= order.index(before)
