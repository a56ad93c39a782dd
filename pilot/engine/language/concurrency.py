"""Concurrency keys: how many executions of an agent with one key go on at the same time.

The database counts (migration 0042): whoever starts, resumes or ends one, nobody can forget it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine.expressions import Scope
from pilot.engine.language.policies import Concurrency
from pilot.engine.language.references import compile_template
from pilot.engine.status import ExecutionStatus
from pilot.errors import CrowdedError, ExpressionError, InvalidError, Issue
from pilot.models.execution import Execution

ROOTS = frozenset({"inputs", "execution"})
MAX_KEY_CHARS = 500
PLACE = "/policies/concurrency/key"
HOLDING = ("queued", "running", "cancelling", "waiting")
LOCK = text("SELECT lock_concurrency(:agent, :key)")


def key(policy: Concurrency, roots: Mapping[str, Any], now: datetime, zone: str) -> str:
    """Return the key of a new execution; what is no text becomes JSON.

    Raises:
        InvalidError: it reads what is not there, or is longer than 500 characters.
    """
    try:
        found = compile_template(policy.key).evaluate(Scope(roots, now, ZoneInfo(zone)))
    except ExpressionError as error:
        message = f"The concurrency key cannot be computed: {error.message}"
        raise InvalidError([Issue("E_INPUT", PLACE, message)]) from error
    words = found if isinstance(found, str) else strictjson.canonical(found)
    if len(words) > MAX_KEY_CHARS:
        message = f"The concurrency key has {len(words):,} characters; {MAX_KEY_CHARS} is the most."
        raise InvalidError([Issue("E_LIMIT", PLACE, message)])
    return words


def refuse_beyond(session: Session, row: Execution) -> None:
    """Refuse a new execution while as many as may go on do so; until the end of the transaction.

    Raises:
        CrowdedError: naming the one that holds the key longest.
    """
    session.execute(LOCK, {"agent": row.agent_id, "key": row.concurrency_key})
    holding = session.scalars(_same_key(row).where(Execution.admitted)).all()
    if len(holding) >= (row.concurrency_limit or 1):
        eldest = holding[0]
        shown = f"the key {row.concurrency_key!r}" if row.concurrency_key else "this agent"
        raise CrowdedError(
            f"Refused by the workflow's policy concurrency: execution {eldest.id} "
            f"({eldest.status}, started {eldest.created_at:%Y-%m-%d %H:%M} UTC) holds {shown}. "
            "Wait for its end, or cancel it, then start again."
        )


def in_the_way(session: Session, row: Execution) -> list[Execution]:
    """Return the executions, locked, that have to be cancelled to let a new one start."""
    query = _same_key(row).where(Execution.cancel_requested_at.is_(None)).with_for_update()
    before = session.scalars(query).all()
    return list(before[: max(0, len(before) - (row.concurrency_limit or 1) + 1)])


def awaited(session: Session, row: Execution) -> Execution | None:
    """Return the execution, the eldest, whose end lets a queued one of the same key run."""
    if row.admitted or row.status != ExecutionStatus.QUEUED:
        return None
    return session.scalar(_same_key(row).where(Execution.admitted).limit(1))


def _same_key(row: Execution) -> Select[Execution]:
    """Return the executions of a key that go on or wait for their turn, the eldest first."""
    return (
        select(Execution)
        .where(
            Execution.agent_id == row.agent_id,
            Execution.concurrency_key == row.concurrency_key,
            Execution.finished_at.is_(None),
            Execution.status.in_(HOLDING),
        )
        .order_by(Execution.created_at, Execution.id)
    )
