"""What operations write beside the execution's row: its events and audit records."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, strictjson
from pilot.audit import Actor, Event
from pilot.models.execution import Execution
from pilot.redaction import redact_event


def now(session: Session) -> Any:
    """Return the database's clock."""
    return session.scalar(text("SELECT pilot_now()"))


def tell(
    session: Session, execution_id: UUID, kind: str, path: str | None, data: dict[str, Any]
) -> None:
    """Add a line to the timeline."""
    session.flush()
    session.execute(
        text("SELECT add_event(:e, :k, :p, cast(:d AS json))"),
        {"e": execution_id, "k": kind, "p": path, "d": strictjson.dumps(redact_event(data))},
    )


def tell_steps(
    session: Session, execution_id: UUID, lines: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Add lines about steps to the timeline, in order: their paths and what became of them."""
    session.flush()
    session.execute(
        text(
            "SELECT add_event(:e, 'step', v.path, cast(v.data AS json)) "
            "FROM unnest(cast(:p AS text[]), cast(:d AS text[])) WITH ORDINALITY "
            "AS v(path, data, place) ORDER BY v.place"
        ),
        {
            "e": execution_id,
            "p": [path for path, _ in lines],
            "d": [strictjson.dumps(redact_event(data)) for _, data in lines],
        },
    )


def record(
    session: Session, row: Execution, event: Event, by: Actor, details: dict[str, Any]
) -> None:
    """Add a record to the execution's audit chain."""
    audit.record(
        session,
        event,
        actor=by,
        about=("execution", row.id),
        details=details,
        owner_id=row.owner_id,
    )
