"""One who is asked hands a question to one other person, who decides in their place."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import audit, db, progress
from pilot.audit import Actor, Event
from pilot.engine import idempotency, trail
from pilot.engine.approvals import approvals
from pilot.errors import ConflictError, ForbiddenError, GoneError, InvalidError, Issue
from pilot.models.approval import Approval, Vote
from pilot.models.user import User


def delegate(
    approval_id: UUID, to: str, *, by: Actor, user_id: UUID, key: str | None = None
) -> None:
    """Let the person with the address `to` be asked in place of `user_id`, and tell them.

    The same `key` within 24 h delegates once. Who comes too late, or may not, is audited too.

    Raises:
        NotFoundError: no such approval, or the person may not see it.
        ForbiddenError: it may not be delegated, not by this person, or it was handed to them.
        ConflictError: decided already, or this person has voted.
        GoneError: its deadline has passed, or its execution was cancelled.
        InvalidError: `to` is nobody who may decide this, or is asked already.
    """
    try:
        _delegate(approval_id, to.strip().lower(), by, user_id, key)
    except (ForbiddenError, ConflictError, GoneError) as error:
        approvals.record_refusal(approval_id, by, user_id, error.message, {"to": to[:254]})
        raise


def _delegate(approval_id: UUID, to: str, by: Actor, user_id: UUID, key: str | None) -> None:
    with db.transaction("approval.delegate", user_id) as session:
        body = {"approval": str(approval_id), "to": to}
        if idempotency.open_request(session, user_id, key, "approval.delegate", body) is not None:
            return
        seen = approvals.visible(session, approval_id)
        idempotency.keep_answer(session, user_id, key, {"to": to})
        row = approvals.locked(session, seen)
        person = approvals.answering(session, row, user_id)
        _check_may_delegate(session, row, user_id)
        other = _other(session, row, to)
        people = {"from": str(person.id), "to": str(other.id)}
        told = {"round": row.round, "level": row.level} | people
        row.delegations = [*row.delegations, told]
        row.approver_ids = [other.id if one == person.id else one for one in row.approver_ids]
        row.was_asked = [*row.was_asked, person.id]
        trail.tell(session, row.execution_id, "approval", row.path, {"decision": "delegated"})
        session.execute(text("SELECT tell_approvers(:a, :u)"), {"a": row.id, "u": other.id})
        audit.record(
            session,
            Event.APPROVAL_DELEGATED,
            actor=by,
            about=("execution", row.execution_id),
            owner_id=row.owner_id,
            details={"approval": str(row.id), "path": row.path, "to": str(other.id)},
        )
        progress.signal(session, row.execution_id)


def may_delegate(row: Approval, user_id: UUID) -> bool:
    """Whether the question may be handed on by this person, as far as the row tells."""
    allowed = bool((row.terms or {}).get("allow_delegate"))
    return allowed and str(user_id) not in _handed_to(row)


def _handed_to(row: Approval) -> set[str]:
    return {one["to"] for one in _handed_on(row)}


def _handed_on(row: Approval) -> list[dict[str, Any]]:
    """Return what was handed on since these people are asked: an edit asks them again."""
    return [one for one in row.delegations if one.get("level", 0) == row.level]


def _check_may_delegate(session: Session, row: Approval, user_id: UUID) -> None:
    if not (row.terms or {}).get("allow_delegate"):
        raise ForbiddenError("This question may not be handed to somebody else.")
    if str(user_id) in _handed_to(row):
        raise ForbiddenError("It was handed to you: decide it, it cannot be handed on again.")
    if session.get(Vote, (row.id, user_id, row.round)) is not None:
        raise ConflictError("You have voted already.")


def _other(session: Session, row: Approval, to: str) -> User:
    """Return who is asked instead.

    Raises:
        InvalidError: nobody has this address, or that person may not decide, or does already.
    """
    found = session.scalar(select(User).where(User.email == to, User.active))
    if found is None or not approvals.DECIDERS & set(found.roles):
        message = "Nobody who may decide has this address: they need the role approver or operator."
        raise InvalidError([Issue("E_APPROVERS", "/to", message)])
    if found.id in row.approver_ids or str(found.id) in {one["from"] for one in _handed_on(row)}:
        message = f"{found.name} is asked already, or has handed it on."
        raise InvalidError([Issue("E_APPROVERS", "/to", message)])
    excluded = session.scalar(text("SELECT is_excluded(:a, :u)"), {"a": row.id, "u": found.id})
    if excluded:
        message = f"{found.name} started it or wrote the workflow, and may not decide it."
        raise InvalidError([Issue("E_APPROVERS", "/to", message)])
    return found
