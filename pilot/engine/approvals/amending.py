"""An approver changes named parts of what would happen; all votes are given anew."""

import hashlib
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, progress, strictjson
from pilot.audit import Actor, Event
from pilot.engine import digests, idempotency, trail
from pilot.engine.approvals import approvals, excerpts
from pilot.engine.language import secret_sinks
from pilot.engine.language.catalogue import load
from pilot.engine.language.pointers import pointer
from pilot.errors import ConflictError, ForbiddenError, GoneError, InvalidError, Issue, StepError
from pilot.models.approval import Approval

PAYLOAD = text("SELECT payload::json FROM approval WHERE id = :id")
MAX_EDITED_BYTES = 100_000


def amend(
    approval_id: UUID,
    values: dict[str, Any],
    *,
    seen_hash: str,
    by: Actor,
    user_id: UUID,
    key: str | None = None,
) -> None:
    """Put values into what an approval shows, at places like `send.subject`; tells all who decide.

    What is shown has a new hash then, and votes for the earlier one do not count. The same `key`
    within 24 h changes it once. Who comes too late, or may not, is audited too.

    Raises:
        NotFoundError: no such approval, or the person may not see it.
        ForbiddenError: others are asked, or a place may not be changed.
        ConflictError: decided already, or `seen_hash` is not what would happen.
        GoneError: its deadline has passed, or its execution was cancelled.
        InvalidError: a value does not fit the action, each named; nothing is stored.
    """
    try:
        with db.transaction("approval.amend", user_id) as session:
            body = {"approval": str(approval_id), "values": values}
            kept = idempotency.open_request(session, user_id, key, "approval.amend", body)
            if kept is not None:
                return
            seen = approvals.visible(session, approval_id)
            idempotency.keep_answer(session, user_id, key, {"changed": True})
            row = approvals.locked(session, seen)
            approvals.answering(session, row, user_id)
            if seen_hash != row.payload_hash:
                raise ConflictError("What would happen is not what you saw: read it again.")  # noqa: TRY301
            before = row.payload_hash
            _put(session, row, values)
            trail.tell(session, row.execution_id, "approval", row.path, {"decision": "changed"})
            session.execute(text("SELECT tell_approvers(:a)"), {"a": row.id})
            audit.record(
                session,
                Event.APPROVAL_EDITED,
                actor=by,
                about=("execution", row.execution_id),
                owner_id=row.owner_id,
                details={
                    "approval": str(row.id),
                    "path": row.path,
                    "changed": sorted(values),
                    "payload_hash": row.payload_hash,
                    "payload_hash_before": before,
                },
            )
            progress.signal(session, row.execution_id)
    except (ForbiddenError, ConflictError, GoneError) as error:
        approvals.record_refusal(approval_id, by, user_id, error.message)
        raise


def places(row: Approval) -> dict[str, Any]:
    """Return what may be changed, by place: its value as it is shown; nothing that is cut."""
    shown = row.excerpt or strictjson.loads(row.payload, max_bytes=digests.MAX_BYTES)
    steps = {
        one["step"]: {k: v for k, v in (one["params"] or {}).items() if k not in one.get("cut", [])}
        for one in shown["steps"]
    }
    found = {}
    for place in (row.terms or {}).get("editable", []):
        step, _, name = place.partition(".")
        if (steps.get(step) or {}).get(name) is not None:
            found[place] = steps[step][name]
    return found


def _put(session: Session, row: Approval, values: dict[str, Any]) -> None:
    """Change what is shown.

    Raises:
        ForbiddenError: a place may not be changed.
        InvalidError: a value does not fit, or nothing is changed.
    """
    open_places = places(row)
    changed = {place: value for place, value in values.items() if value != open_places.get(place)}
    for place in changed.keys() - open_places.keys():
        raise ForbiddenError(f"{place[:80]} may not be changed here.")
    if not changed:
        raise InvalidError([Issue("unchanged", "", "Nothing was changed.")])
    payload: dict[str, Any] = session.execute(PAYLOAD, {"id": row.id}).scalar_one()
    for step in payload["steps"]:
        own = {place.partition(".")[2]: value for place, value in changed.items()
               if place.partition(".")[0] == step["step"]}  # fmt: skip
        if own:
            before, step["params"] = step["params"], step["params"] | own
            _check(step, before)
    edited = row.edited | changed
    if len(strictjson.canonical(edited).encode()) > MAX_EDITED_BYTES:
        message = f"These changes are larger than {MAX_EDITED_BYTES:,} bytes: change the workflow."
        raise InvalidError([Issue("too_large", "", message)])
    row.edited = edited
    row.payload = strictjson.canonical(payload)
    content = row.payload.encode()
    row.payload_hash = hashlib.sha256(content).hexdigest()
    row.terms = {k: v for k, v in (row.terms or {}).items() if k != "excerpt"} | excerpts.terms(
        payload, len(content)
    )
    row.round += 1


def _check(step: dict[str, Any], before: dict[str, Any]) -> None:
    """Refuse what the step would refuse: what does not fit its action, or names other secrets."""
    action = load().actions.get(step["action"])
    issues = action.check(step["params"]) if action is not None else []
    if issues:
        raise InvalidError(
            [Issue(one.code, f"{pointer(step['step'])}{one.path}", one.message) for one in issues]
        )
    try:
        secret_sinks.refuse_new(step["action"], before, step["params"])
    except StepError as error:
        raise InvalidError(
            [Issue("E_SECRET_SINK", pointer(step["step"]), error.message)]
        ) from error
