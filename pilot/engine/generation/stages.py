"""What happened to a generation, one event after another, for its page and for who goes on."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import audit, progress
from pilot.audit import Actor, Event
from pilot.engine.workflow import document
from pilot.models.generation import Generation, GenerationEvent

FREE, ATTEMPT, FALLBACK, END = "free", "attempt", "fallback", "end"
PLANNER, CACHE, NEAREST = "planner", "cache", "nearest"  # what makes a draft for nothing


def tell(session: Session, row: Generation, kind: str, data: dict[str, Any]) -> None:
    """Append an event to a generation that is locked, and signal it with the commit."""
    row.seq += 1
    session.add(
        GenerationEvent(
            generation_id=row.id, seq=row.seq, owner_id=row.owner_id, kind=kind, data=data
        )
    )
    progress.signal(session, row.id)


def events(session: Session, generation_id: UUID) -> list[GenerationEvent]:
    """Return all events of a generation, the oldest first."""
    query = select(GenerationEvent).where(GenerationEvent.generation_id == generation_id)
    return list(session.scalars(query.order_by(GenerationEvent.seq)))


def record(
    session: Session, row: Generation, event: Event, by: Actor | str, details: dict[str, Any]
) -> None:
    """Put an event about a generation into the audit trail."""
    about = ("generation", row.id)
    audit.record(session, event, actor=by, about=about, owner_id=row.owner_id, details=details)


def record_end(session: Session, row: Generation, by: Actor | str) -> None:
    """Audit what came of a goal: a workflow, questions, or nothing."""
    nothing = row.refusal or (row.failure if row.document is None else None)
    if nothing:
        record(session, row, Event.AGENT_GENERATION_FAILED, by, {"reason": nothing})
        return
    facts = {"questions": len(row.questions), "confidence": row.confidence}
    record(session, row, Event.AGENT_GENERATION_COMPLETED, by, facts)
    if row.document is not None:
        steps = list(document.walk(document.parse(row.document).steps)) if _is_whole(row) else []
        details = {
            "generator": row.generator,
            "steps_generated": len(steps) or len(row.document.get("steps") or []),
            "tokens_used": row.tokens,
            "cost_usd": None if row.cost_usd is None else str(row.cost_usd),
            "generation_time_ms": row.duration_ms,
            "validation_passed": _is_whole(row),
            "repairs": row.repairs,
            "fallback_reason": row.fallback_reason,
        }
        record(session, row, Event.WORKFLOW_GENERATED, by, details)


def _is_whole(row: Generation) -> bool:
    return not any(one["severity"] == "error" for one in row.issues)
