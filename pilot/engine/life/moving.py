"""Moving an execution to another version of its workflow: edit it, and go on.

What is unchanged is reused or goes on as it is; what was edited, and what follows from it, runs
again under new keys.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db, strictjson
from pilot.audit import Actor, Event
from pilot.engine import trail
from pilot.engine.agents import agents, grants
from pilot.engine.language import catalogue, json_schemas
from pilot.engine.life import executions, forks, reruns, retrying
from pilot.engine.life.reuse import Reuse, reusable
from pilot.engine.running import compensation
from pilot.engine.status import MOVABLE, ExecutionStatus, StepStatus
from pilot.engine.workflow import following, inputs
from pilot.engine.workflow.document import parse
from pilot.engine.workflow.outline import Node, outline, recorded_path
from pilot.errors import ConflictError
from pilot.models.agent import WorkflowVersion
from pilot.models.execution import Execution

MOST_NAMED = 10
NEWEST = text("""
SELECT DISTINCT ON (path) path, attempt, status, output, output_blob IS NOT NULL AS is_blob
  FROM step_execution WHERE execution_id = :id ORDER BY path, attempt DESC
""")


@dataclass(frozen=True)
class Move:
    """What a person or a program asks for."""

    version: int | None = None  # None: the newest
    repeat_effects: bool = False
    key: str | None = None  # idempotency key of the request


@dataclass(frozen=True)
class Plan:
    """A move before it is made."""

    row: Execution
    version: WorkflowVersion
    document: dict[str, Any]
    inputs: dict[str, Any]  # with the defaults of that version
    reuse: Reuse
    again: reruns.Again


def move(
    execution_id: UUID,
    asked: Move,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    seen_seq: int | None = None,
) -> None:
    """Let another version of its workflow take over an execution that rests, and go on.

    Raises:
        NotFoundError: no such execution or version, or its agent is gone (named).
        ConflictError: it runs or has ended, a step's outcome is unknown, its finished part does not
            fit that version (all reasons, also in `present`), an effect would happen once more and
            `repeat_effects` is off, or it changed since the receipt.
    """
    body = {"version": asked.version, "repeat_effects": asked.repeat_effects, "sequence": seen_seq}
    route = "execution.migrate"
    with db.transaction(route, user_id, sees_all=sees_all) as session:
        if executions.done_before(session, user_id, asked.key, route, execution_id, body):
            return
        row = executions.locked(session, execution_id, MOVABLE, "migrated")
        executions.fresh_receipt(row, seen_seq)
        found = plan(session, row, asked.version)
        if found.again.effects and not asked.repeat_effects:
            named = ", ".join(one.path for one in found.again.effects)
            raise ConflictError(f"{named} would happen once more, under a new key: confirm that.")
        _take_over(session, found, by)


def plan(session: Session, row: Execution, number: int | None) -> Plan:
    """Return what a move would be; nothing is stored.

    Raises:
        PilotError: what `move` raises.
    """
    if row.status not in MOVABLE:
        status = row.status.replace("_", " ")
        raise ConflictError(f"It is {status}: it cannot be migrated.")
    executions.still_whole(row)
    executions.agent_exists(session, row)
    retrying.is_wanted(session, row)
    if executions.open_unknown(session, row.id):
        raise ConflictError(executions.ANSWER_FIRST)
    agent = agents.load(session, row.agent_id)
    newest = agents.newest(session, agent)
    version = newest if number is None else agents.version(session, agent, number)
    if row.runs_reason == "inline":
        text_ = f"It runs steps of execution {row.parent_id}: migrate that one."
        raise ConflictError(text_)
    if row.document is not None or version is None or version.document is None:
        raise ConflictError("It runs as one model step, which has no versions: fork it instead.")
    if version.id == row.version_id:
        raise ConflictError(f"It runs version {version.number} already: save an edited one first.")
    given, problems = _inputs(version, row.inputs)
    before, after = executions.document_of(session, row), version.document
    newest_rows = [
        one for one in session.execute(NEWEST, {"id": row.id}) if one.status != StepStatus.REPLACED
    ]
    problems += _misfits(before, after, newest_rows)
    if problems:
        raise _refusal(version.number, problems)
    old = forks.side(session, row, before)
    new = replace(old, document=after, roots=old.roots | {"inputs": given})
    statuses = {one.path: str(one.status) for one in newest_rows}
    reuse = reusable(old, new, statuses, forks.items)
    return Plan(row, version, after, given, reuse, _again(session, row, after, reuse, statuses))


def _inputs(
    version: WorkflowVersion, values: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the inputs with the defaults of a version, and what is wrong with them there."""
    if version.inputs_schema is None:
        return values, []
    given = inputs.fill_defaults(version.inputs_schema, values)
    found = inputs.check(version.inputs_schema, given)
    return given, [(f"inputs{one.path.replace('/', '.')}", one.message) for one in found]


def _misfits(before: Any, after: Any, newest: list[Any]) -> list[tuple[str, str]]:
    """Return the finished paths that another document has no place for, and why."""
    was = {recorded_path(node): node for node in outline(before)}
    now = {recorded_path(node): node for node in outline(after)}
    found = []
    for one in newest:
        node = following.written(was, one.path)
        if node is None or one.status != StepStatus.COMPLETED:
            continue
        other = following.written(now, one.path)
        if other is None:
            found.append((one.path, "it is finished, and that version has no such step"))
        elif other.type != node.type:
            found.append((one.path, f"it is a {node.type}, there a {other.type}"))
        elif not _gives_alike(node, other, one):
            found.append((one.path, "what it gave does not fit its output schema there"))
    return found


def _gives_alike(node: Node, other: Node, attempt: Any) -> bool:
    wanted = _output_schema(other)
    if wanted is None or strictjson.canonical(wanted) == strictjson.canonical(_output_schema(node)):
        return True
    return not attempt.is_blob and not json_schemas.check_value(wanted, attempt.output)


def _output_schema(node: Node) -> Any:
    if node.type == "action":
        name = f"{node.step.get('plugin')}.{node.step.get('action')}"
        action = catalogue.load().actions.get(name)
        return action.output_schema if action is not None else None
    return node.step.get("output_schema")


def _refusal(number: int, problems: list[tuple[str, str]]) -> ConflictError:
    told = "; ".join(f"{path}: {why}" for path, why in problems[:MOST_NAMED])
    more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
    return ConflictError(
        f"It does not fit version {number}: {told}{more}. Fork it instead.",
        {"misfits": [{"path": path, "problem": why} for path, why in problems]},
    )


def _again(
    session: Session, row: Execution, document: Any, reuse: Reuse, statuses: dict[str, str]
) -> reruns.Again:
    """Return what runs again: what was edited, what follows from it, who approved it."""
    stays = reuse.held | reuse.open | reuse.entered
    gone = statuses.keys() - stays
    gone |= following.asked_again(document, frozenset(statuses), gone)
    opened = sorted(reuse.entered - reuse.open)
    return reruns.Again(sorted(gone), opened, reruns.effects(session, row.id, gone))


def _take_over(session: Session, found: Plan, by: Actor) -> None:
    row, number = found.row, found.row.version_number
    grants.grant(agents.load(session, row.agent_id), found.version)
    reruns.replace(session, row.id, found.again)
    if row.status == ExecutionStatus.FAILED:
        reruns.failed(session, row.id, tolerated=False)
    row.version_id, row.version_number = found.version.id, found.version.number
    row.inputs, row.recovery_attempts = found.inputs, 0
    row.compensation = compensation.state(parse(found.document))
    facts = {"from": number, "to": row.version_number, "steps": found.again.replaced}
    told = {"status": "migrated", "from": number, "to": row.version_number}
    trail.tell(session, row.id, "execution", None, told)
    executions.reopen(session, row)
    trail.record(session, row, Event.PILOT_EXECUTION_MIGRATED, by, facts)
