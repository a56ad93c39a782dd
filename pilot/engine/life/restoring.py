"""After a restore: which executions may go on, and which a person has to look at first.

Between the backup and the restore the installation ran on, and nobody knows how far. What may be
sent again goes on under its old keys; where a `once` effect was in flight or still to come, it may
have happened since, so a person decides.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.engine import trail
from pilot.engine.agents import agents, nesting
from pilot.engine.language import catalogue
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.step_fields import Compensate, StepFields
from pilot.engine.life import executions, starts
from pilot.engine.status import ExecutionStatus, StepStatus
from pilot.engine.validation.context import effect_of
from pilot.engine.workflow import document
from pilot.engine.workflow.document import Workflow, parse, walk
from pilot.engine.workflow.outline import UNDO
from pilot.errors import PilotError
from pilot.models.execution import Execution, StepExecution

BATCH = 200
MAY_HAVE_GONE_ON = (
    "It was asked before a backup was restored: it may have gone on since that was made."
)
MAY_HAVE_STARTED = "It came before a backup was restored: it may have started since that was made."
HELD = "restoring:"  # begins the reason of one that is held, then what it was
RESTORED = "restored"
BEHIND = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.CANCELLED})

# What a restore does in the transaction that fills the database: no worker of before can write, and
# every execution is held until it was looked at. Sessions end: one may have been ended since. What
# was due to start would do all again, under new keys; what was asked for many would pass the hold.
HOLD = f"""
UPDATE deployment SET epoch = epoch + 1, backup_id = '{{backup}}', restored_at = pilot_now();
UPDATE worker SET stopped_at = coalesce(stopped_at, pilot_now());
UPDATE step_execution s
   SET status = CASE s.effect WHEN 'once' THEN 'unknown' ELSE 'interrupted' END,
       finished_at = pilot_now()
 WHERE s.status = 'running' AND s.effect IS NOT NULL;
DELETE FROM batch;
UPDATE trigger_fire SET status = 'skipped', reason = '{MAY_HAVE_STARTED}'
 WHERE status IN ('due', 'waiting');
UPDATE bulk_item SET status = 'skipped', reason = '{MAY_HAVE_GONE_ON}', ended_at = pilot_now()
 WHERE status = 'open' AND bulk_id IN (SELECT id FROM bulk WHERE action IN ('resume', 'retry'));
UPDATE execution SET fence = fence + 1000, worker_id = NULL;
UPDATE execution SET status = 'needs_attention',
       status_reason = '{HELD}' || CASE status WHEN 'running' THEN 'queued'
         WHEN 'cancelling' THEN 'queued' ELSE status END || ':' || coalesce(status_reason, '')
 WHERE status NOT IN ('completed', 'completed_with_errors', 'failed', 'cancelled');
UPDATE generation SET runs = runs + 1000, worker_id = NULL, stage = 'queued' WHERE stage <> 'done';
UPDATE user_session SET ended_at = pilot_now() WHERE ended_at IS NULL;
UPDATE one_time_token SET used_at = pilot_now() WHERE used_at IS NULL;
"""  # noqa: S608 - constants; the id of the backup is a UUID


UNSENT = text("""
SELECT count(*) FROM outbox WHERE sent_at IS NULL AND dropped_at IS NULL AND dead_at IS NULL
""")
FOLLOWERS = text("""
SELECT agent_id FROM agent_trigger
 WHERE owner_id = :owner AND active AND event IS NOT NULL AND agent_id <> :agent
   AND coalesce(about_agent_id, :agent) = :agent
""")


@dataclass
class Settled:
    """How many executions go on, and how many wait for a person."""

    going_on: int = 0
    held_back: int = 0
    unknown: int = 0  # steps that may or may not have happened
    messages: int = 0  # that go out, and may have gone out since


def settle(*, by: Actor) -> Settled:
    """Let go on what may go on; the rest needs attention, reason `restored`.

    Each batch is a transaction of its own: one that was cut short goes on where it stopped.
    """
    actions, settled = catalogue.load(), Settled()
    while _settle_some(actions, settled, by):
        continue
    with db.reading(None, sees_all=True) as session:
        settled.messages = session.execute(UNSENT).scalar_one()
    return settled


def _settle_some(actions: Catalogue, settled: Settled, by: Actor) -> bool:
    with db.transaction("restore.settle", None, sees_all=True) as session:
        rows = session.scalars(
            select(Execution)
            .where(
                Execution.status == ExecutionStatus.NEEDS_ATTENTION,
                Execution.status_reason.startswith(HELD),
            )
            .order_by(Execution.id)
            .limit(BATCH)
            .with_for_update()
        ).all()
        for row in rows:
            _settle(session, row, actions, settled, by)
    return bool(rows)


def _settle(
    session: Session, row: Execution, actions: Catalogue, settled: Settled, by: Actor
) -> None:
    was, _, reason = (row.status_reason or "").removeprefix(HELD).partition(":")
    attempts = session.execute(
        select(StepExecution.path, StepExecution.attempt, StepExecution.status).where(
            StepExecution.execution_id == row.id
        )
    ).all()
    for path, attempt, status in attempts:
        if status == StepStatus.UNKNOWN:
            settled.unknown += 1
            facts = {"path": path, "attempt": attempt}
            trail.record(session, row, Event.PILOT_OUTCOME_UNKNOWN, by, facts)
            trail.tell(session, row.id, "step", path, {"status": "unknown", "attempt": attempt})
    unknown = any(status == StepStatus.UNKNOWN for _, _, status in attempts)
    if unknown or _may_repeat(session, row, attempts, actions):
        settled.held_back += 1
        row.status_reason = RESTORED
    else:
        settled.going_on += 1
        row.status, row.status_reason = was, reason or None
    facts = {"status": row.status, "reason": RESTORED}
    trail.tell(session, row.id, "execution", None, facts)
    trail.record(session, row, Event.PILOT_EXECUTION_RECOVERED, by, facts)


def _may_repeat(
    session: Session, row: Execution, attempts: Iterable[Any], actions: Catalogue
) -> bool:
    """Whether what is never repeated by itself is still to come, by the rows: steps, or undoing."""
    # A step in the body of a loop has many paths: it counts as still to come.
    plain = [(path.split("/"), status) for path, _, status in attempts if "[" not in path]
    behind = {parts[-1] for parts, status in plain if status in BEHIND}
    undone = {parts[-2] for parts, status in plain if status in BEHIND and parts[-1] == UNDO}
    # What an execution within does is told by its own rows, once it is begun.
    begun = {parts[-1] for parts, status in plain if status == StepStatus.WAITING}
    try:
        found = parse(executions.document_of(session, row))
        acts: list[StepFields | Compensate] = [
            undo for step_id, undo in _undoing(found) if step_id not in undone
        ]
        if row.cancel_requested_at is None:  # else none of its steps begins
            ahead = [*_ahead(found.steps, behind)]
            acts += ahead
            with db.reading(row.owner_id) as seen:
                inside = [step for step in ahead if step.id not in begun]
                for one in _within(seen, inside, row.created_at, set()):
                    acts += _acts(one)
        return any("once" in _effects(act, actions) for act in acts) or any(
            _effects(act, actions) - {"pure"} for act in _following(row, found)
        )
    except PilotError:
        return True  # of another Pilot, or an agent that is gone: nobody here knows


def _ahead(steps: Iterable[StepFields], behind: set[str]) -> Iterator[StepFields]:
    for top in steps:
        if top.id not in behind:
            yield from (step for step in walk([top]) if step.id not in behind)


def _undoing(workflow: Workflow) -> Iterator[tuple[str, Compensate]]:
    """Yield what undoes steps, by their ids: what is finished may fail or be cancelled yet."""
    if workflow.policies.compensate:
        for step in walk(workflow.steps):
            if step.compensate is not None:
                yield step.id, step.compensate


def _acts(workflow: Workflow) -> list[StepFields | Compensate]:
    return [*walk(workflow.steps), *(undo for _, undo in _undoing(workflow))]


def _following(row: Execution, workflow: Workflow) -> list[StepFields | Compensate]:
    """Return what agents do that start as it ends: if it ended since, they did that already.

    They would be executions of their own, so a key keeps nothing from happening once more.
    """
    acts = list[StepFields | Compensate]()
    if row.mode == starts.SIMULATE:
        return acts
    with db.reading(row.owner_id) as session:
        values = {"owner": row.owner_id, "agent": row.agent_id}
        names = [str(one) for one in session.scalars(FOLLOWERS, values)]
        if workflow.policies.on_failure is not None:
            names.append(workflow.policies.on_failure.agent)
        for name in names:
            version = agents.newest(session, agents.find(session, name))
            if version is not None:
                found = parse(version.document)
                within = _within(session, walk(found.steps), row.created_at, set())
                acts += [act for one in (found, *within) for act in _acts(one)]
    return acts


def _within(
    session: Session, steps: Iterable[StepFields], started_at: datetime, seen: set[UUID]
) -> Iterator[Workflow]:
    """Yield the workflows that steps run, with those that these run."""
    for step in steps:
        if step.type != "sub_workflow":
            continue
        found = document.inner(step)
        if found is None:
            agent = agents.find(session, str(getattr(step, "agent", None)))
            number = getattr(step, "version", None)
            version = nesting.version_of(session, agent, number, started_at)
            if version is None or version.id in seen:
                continue
            seen.add(version.id)
            found = parse(version.document)
        yield found
        yield from _within(session, walk(found.steps), started_at, seen)


def _effects(act: StepFields | Compensate, actions: Catalogue) -> set[str]:
    """Return the effect classes that a step may have; of an unknown action the strictest."""
    names = [getattr(act, "action_name", ""), *getattr(act, "actions", [])]
    found = [actions.actions[name] for name in names if name in actions.actions]
    known = len(found) == len([name for name in names if name])
    params = getattr(act, "params", None)
    classes = {effect_of(action, params) for action in found}
    own = getattr(act, "effect", None)
    return classes | ({own} if own else set()) | (set() if known else {"once"})


def record(backup_id: str, settled: Settled, details: dict[str, Any], *, by: Actor) -> None:
    """Note in the audit trail that the installation was restored."""
    with db.transaction("restore.record", None) as session:
        audit.record(
            session,
            Event.BACKUP_RESTORED,
            actor=by,
            about=("backup", backup_id),
            details=details | vars(settled),
        )


def epoch() -> int:
    """Return how often this database was restored."""
    with db.reading(None) as session:
        return int(session.scalar(text("SELECT epoch FROM deployment")) or 0)
