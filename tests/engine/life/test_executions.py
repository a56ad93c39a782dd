"""What people do with executions: legal only where the table says so, once, and on the record."""

from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from pilot import db
from pilot.engine.life import executions, retrying
from pilot.engine.providers.budgets import Limits
from pilot.engine.status import TRANSITIONS, ExecutionStatus, StepStatus
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.models.execution import Execution, StepExecution
from tests.engine import worker_process as wp
from tests.engine.together import at_once

S = ExecutionStatus
STEP = {"id": "a", "type": "transform", "operation": "set", "config": {"value": 1}}
# Where each leads from the statuses in which it may be asked; in all others it is a conflict.
PAUSE = {S.QUEUED: S.PAUSED, S.WAITING: S.PAUSED, S.RUNNING: S.RUNNING}
RESUME = {S.PAUSED: S.QUEUED, S.BUDGET_PAUSED: S.QUEUED, S.NEEDS_ATTENTION: S.QUEUED}
RETRY = {S.FAILED: S.QUEUED, S.COMPLETED_WITH_ERRORS: S.QUEUED}
REPEAT = RESUME | RETRY | {S.COMPLETED: S.QUEUED}
CANCEL = {
    S.QUEUED: S.CANCELLED,
    S.WAITING: S.CANCELLED,
    S.PAUSED: S.CANCELLED,
    S.BUDGET_PAUSED: S.CANCELLED,
    S.NEEDS_ATTENTION: S.CANCELLED,
    S.RUNNING: S.CANCELLING,
}
ANSWER = {
    S.NEEDS_ATTENTION: S.QUEUED,
    S.RUNNING: S.RUNNING,
    S.WAITING: S.WAITING,
    S.PAUSED: S.PAUSED,
    S.BUDGET_PAUSED: S.BUDGET_PAUSED,
    S.QUEUED: S.QUEUED,
}
RAISE = {one: one for one in S if one not in {S.COMPLETED, S.CANCELLED, S.CANCELLING}} | {
    S.BUDGET_PAUSED: S.QUEUED
}


@pytest.fixture
def who(world):
    return {"by": world.operator.actor, "user_id": world.operator.id}


@pytest.fixture
def placed(world):
    """Give `placed(status)`: an execution of the operator in that status, without a worker."""
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [STEP])

    def place(status, step=None):
        execution = wp.start(agent, world.operator.id)
        with db.transaction("test.place", world.operator.id) as session:
            chosen = update(Execution).where(Execution.id == execution)
            session.execute(chosen.values(status=status))
            if step is not None:
                session.add(_attempt(execution, world.operator.id, step))
        return execution

    return place


def _attempt(execution, owner, status):
    return StepExecution(
        execution_id=execution,
        path="a",
        attempt=1,
        owner_id=owner,
        type="action",
        status=status,
        effect="once",
        key=uuid4(),
        error={"class": "server", "message": "Broken."},
        fence=1,
        started_at=db.now(),
    )


def status_of(database, execution):
    return S(wp.row(database, execution)[0])


def audited(superuser, execution, *names):
    query = "SELECT event FROM audit WHERE chain = %s ORDER BY seq"
    found = [row[0] for row in superuser.execute(query, [str(execution)])]
    return [one for one in found if not names or one in names]


def tried(database, execution, operation, *arguments, **who):
    """Return the status after an operation, or None after a conflict that changed nothing."""
    before = wp.row(database, execution)
    try:
        operation(execution, *arguments, **who)
    except ConflictError as error:
        refusal = error.message
    else:
        return status_of(database, execution)
    assert wp.row(database, execution) == before
    assert before[0].replace("_", " ") in refusal
    return None


@pytest.mark.capability(27)
@pytest.mark.parametrize(
    ("operation", "legal", "step"),
    [
        (executions.pause, PAUSE, None),
        (executions.resume, RESUME, None),
        (retrying.failed, RETRY, StepStatus.FAILED),
        (partial(retrying.from_step, path="a", repeat_effects=True), REPEAT, StepStatus.FAILED),
        (executions.cancel, CANCEL, None),
    ],
)
def test_an_operation_is_legal_in_its_statuses_and_a_conflict_in_all_others(
    database, placed, who, operation, legal, step
):
    for status in S:
        found = tried(database, placed(status, step), operation, **who)
        assert found == legal.get(status), status
        assert found in {None, status, *TRANSITIONS[status]}


@pytest.mark.capability(27)
def test_a_budget_is_raised_in_all_statuses_in_which_something_may_still_run(database, placed, who):
    more = Limits(Decimal(1000), None)
    for status in S:
        found = tried(database, placed(status), executions.raise_budget, more, **who)
        assert found == RAISE.get(status), status


@pytest.mark.parametrize("said", ["happened", "run", "skip"])
def test_an_unknown_outcome_is_answered_while_the_execution_is_open(database, placed, who, said):
    for status in S:
        execution = placed(status, StepStatus.UNKNOWN)
        found = tried(database, execution, executions.answer, "a", said, **who)
        assert found == ANSWER.get(status), status


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("happened", ("completed", {"id": 7})),
        ("run", ("interrupted", None)),
        ("skip", ("skipped", None)),
    ],
)
def test_an_answer_decides_what_the_step_is(database, placed, who, superuser, said, becomes):
    execution = placed(S.NEEDS_ATTENTION, StepStatus.UNKNOWN)
    executions.answer(execution, "a", said, result={"id": 7}, **who)
    assert wp.attempts(database, execution) == [("a", 1, *becomes)]
    assert audited(superuser, execution)[-1] == "PILOT_OUTCOME_RESOLVED"
    with pytest.raises(ConflictError, match="answered it already"):
        executions.answer(execution, "a", said, **who)


def test_an_answer_that_is_none_changes_nothing(database, placed, who):
    execution = placed(S.NEEDS_ATTENTION, StepStatus.UNKNOWN)
    with pytest.raises(InvalidError, match="happened, run or skip"):
        executions.answer(execution, "a", "maybe", **who)
    with pytest.raises(InvalidError, match="larger than 1 MB"):
        executions.answer(execution, "a", "happened", result="x" * 2**20, **who)
    with pytest.raises(ConflictError):
        executions.answer(execution, "b", "run", **who)
    assert status_of(database, execution) is S.NEEDS_ATTENTION


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"subject": "Hi"}, "'message_id' is a required property"),
        ("sent", "'sent' is not of type 'object'"),
        (None, None),
    ],
)
def test_a_result_has_to_be_one_that_the_action_gives(
    database, world, who, superuser, result, message
):
    wp.switch_on()
    params = {"to": ["ann@example.com"], "subject": "Hi", "text": "Hello"}
    mail = {"id": "a", "type": "action", "plugin": "mail", "action": "send", "params": params}
    execution = wp.start(wp.make_agent(world.operator.id, [mail]), world.operator.id)
    with db.transaction("test.place", world.operator.id) as session:
        session.add(_attempt(execution, world.operator.id, StepStatus.UNKNOWN))
    if message is None:
        executions.answer(execution, "a", "happened", result=result, **who)
        return
    with pytest.raises(InvalidError, match=message):
        executions.answer(execution, "a", "happened", result=result, **who)
    assert wp.attempts(database, execution)[0][2] == "unknown"


def test_an_open_question_has_to_be_answered_before_it_goes_on(placed, who):
    execution = placed(S.NEEDS_ATTENTION, StepStatus.UNKNOWN)
    with pytest.raises(ConflictError, match="Answer first"):
        executions.resume(execution, **who)


def test_two_people_answer_once(placed, who, superuser):
    execution = placed(S.NEEDS_ATTENTION, StepStatus.UNKNOWN)
    said = ["happened", "run", "skip"] * 4
    calls = [lambda one=one: executions.answer(execution, "a", one, **who) for one in said]
    found = at_once(*calls)
    assert found.count(None) == 1
    assert len(audited(superuser, execution, "PILOT_OUTCOME_RESOLVED")) == 1


def test_nothing_failed_is_nothing_to_retry(placed, who):
    with pytest.raises(ConflictError, match="Nothing failed"):
        retrying.failed(placed(S.COMPLETED_WITH_ERRORS), **who)


@pytest.mark.capability(39)
@pytest.mark.parametrize(
    ("operation", "status", "event"),
    [
        (executions.resume, S.PAUSED, "PILOT_EXECUTION_RESUMED"),
        (retrying.failed, S.FAILED, "PILOT_EXECUTION_RETRIED"),
        (executions.cancel, S.WAITING, "PILOT_EXECUTION_CANCELLED"),
        (executions.pause, S.QUEUED, "PILOT_EXECUTION_PAUSED"),
    ],
)
def test_pressed_fifty_times_at_once_it_acts_once(placed, who, superuser, operation, status, event):
    execution = placed(status, StepStatus.FAILED)
    found = at_once(*[lambda: operation(execution, **who)] * 50)
    assert found.count(None) == 1
    assert {type(one) for one in found if one is not None} == {ConflictError}
    assert audited(superuser, execution, event) == [event]


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (executions.resume, S.PAUSED),
        (retrying.failed, S.FAILED),
        (executions.cancel, S.WAITING),
        (executions.pause, S.QUEUED),
    ],
)
def test_the_same_form_sent_twice_is_no_conflict(placed, who, superuser, operation, status):
    execution = placed(status, StepStatus.FAILED)
    before = len(audited(superuser, execution))
    found = at_once(*[lambda: operation(execution, key="form-1", **who)] * 10)
    assert found == [None] * 10
    assert len(audited(superuser, execution)) == before + 1


@pytest.mark.capability(264)
@pytest.mark.parametrize(
    ("operation", "status"), [(executions.resume, S.PAUSED), (retrying.failed, S.FAILED)]
)
def test_a_receipt_that_is_out_of_date_is_a_conflict(placed, who, superuser, operation, status):
    execution = placed(status, StepStatus.FAILED)
    (seq,) = superuser.execute("SELECT event_seq FROM execution").fetchone()
    for seen in (seq - 1, seq + 1):
        with pytest.raises(ConflictError, match="changed since you looked"):
            operation(execution, seen_seq=seen, **who)
    operation(execution, seen_seq=seq, **who)


def test_executions_of_others_and_of_nobody_are_not_found(placed, world):
    execution = placed(S.PAUSED)
    other = {"by": world.stranger.actor, "user_id": world.stranger.id}
    for operation in (executions.pause, executions.resume, executions.cancel):
        for unknown in (execution, UUID(int=0)):
            with pytest.raises(NotFoundError):
                operation(unknown, **other)


def test_a_cancelled_one_gives_no_reason_why_it_rested_before(database, placed, who):
    execution = placed(S.WAITING)
    executions.pause(execution, **who)
    assert wp.row(database, execution)[::3] == (S.PAUSED, "pause")
    executions.cancel(execution, **who)
    assert wp.row(database, execution)[::3] == (S.CANCELLED, None)


def test_a_cancel_closes_what_the_execution_waited_for(database, placed, who, superuser, world):
    execution = placed(S.WAITING, StepStatus.WAITING)
    superuser.execute(
        "INSERT INTO wait (execution_id, owner_id, path, kind) VALUES (%s, %s, 'a', 'timer')",
        [execution, world.operator.id],
    )
    executions.cancel(execution, **who)
    assert superuser.execute("SELECT count(*) FROM wait WHERE consumed_at IS NULL").fetchone() == (
        0,
    )
    assert wp.attempts(database, execution)[0][2] == "cancelled"
    finished = superuser.execute("SELECT finished_at IS NOT NULL FROM execution").fetchone()
    assert finished == (True,)
