"""Forms: a person who is named fills one in, once."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, jobs, progress, strictjson
from pilot.audit import Actor, Event
from pilot.engine import idempotency, links, trail
from pilot.engine.approvals import approvals
from pilot.engine.workflow import inputs
from pilot.errors import ConflictError, ForbiddenError, GoneError, NotFoundError
from pilot.models.approval import Approval
from pilot.models.user import User

KIND = "form"
MAX_PAYLOAD_BYTES = 1024 * 1024


def fields(row: Approval) -> dict[str, Any]:
    """Return the JSON Schema of a form's values.

    Raises:
        NotFoundError: it is an approval.
    """
    if row.kind != KIND:
        raise NotFoundError("There is no such form, or it is not for you.")
    found: dict[str, Any] = strictjson.loads(row.payload, max_bytes=MAX_PAYLOAD_BYTES)["fields"]
    return found


def submit(
    form_id: UUID,
    values: dict[str, Any],
    *,
    by: Actor,
    user_id: UUID,
    key: str | None = None,
    link: str | None = None,
) -> UUID:
    """Take the values of a form and queue its execution; returns the execution's id.

    The same `key` within 24 h submits once. `link` is the token of the mail that led here: it is
    spent. Who comes too late, or may not, is audited too.

    Raises:
        NotFoundError: no such form, or the person may not see it.
        ForbiddenError: the person may see it, but others fill it in.
        ConflictError: somebody has filled it in (who, when).
        GoneError: its time ran out, or its execution was cancelled.
        InvalidError: values are missing, unknown or do not fit, each named; nothing is stored.
    """
    _, storable = strictjson.written(values)
    try:
        return _submit(form_id, storable, by, user_id, key, link)
    except (ForbiddenError, ConflictError, GoneError) as error:
        approvals.record_refusal(form_id, by, user_id, error.message)
        raise


def _submit(
    form_id: UUID,
    values: dict[str, Any],
    by: Actor,
    user_id: UUID,
    key: str | None,
    link: str | None,
) -> UUID:
    with db.transaction("form.submit", user_id) as session:
        body = {"form": str(form_id), "values": values}
        kept = idempotency.open_request(session, user_id, key, "form.submit", body)
        if kept is not None:
            return UUID(kept["execution_id"])
        seen = approvals.visible(session, form_id)
        answer = {"execution_id": str(seen.execution_id)}
        idempotency.keep_answer(session, user_id, key, answer)
        row = approvals.locked(session, seen)
        schema = fields(row)
        person = approvals.answering(session, row, user_id)
        accepted = inputs.accept(schema, values)
        if link is not None:
            links.use_for(session, row.id, user_id, link)
        _settle(session, row, accepted, person, by)
    return seen.execution_id


def _settle(
    session: Session, row: Approval, values: dict[str, Any], person: User, by: Actor
) -> None:
    row.decision, row.decided_by, row.decided_at = "submitted", person.id, trail.now(session)
    resolution = {
        "decision": "submitted",
        "values": values,
        "submitted_by": person.email,
        "at": row.decided_at.isoformat(),
    }
    trail.tell(session, row.execution_id, "form", row.path, {"decision": "submitted"})
    audit.record(
        session,
        Event.FORM_SUBMITTED,
        actor=by,
        about=("execution", row.execution_id),
        owner_id=row.owner_id,
        details={"form": str(row.id), "path": row.path, "values": sorted(values)},
    )
    session.execute(
        text("SELECT resolve_wait(:w, cast(:r AS json))"),
        {"w": row.wait_id, "r": strictjson.dumps(resolution)},
    )
    jobs.ring(session, row.execution_id)
    progress.signal(session, row.execution_id)
