"""Approvals: people decide about exactly what they were shown, once."""

from dataclasses import dataclass
from typing import Any, Literal
from unicodedata import category
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import audit, db, jobs, progress, strictjson
from pilot.audit import Actor, Event
from pilot.engine import idempotency, links
from pilot.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    Issue,
    NotFoundError,
)
from pilot.models.approval import Approval, Vote
from pilot.models.user import User

Decision = Literal["approved", "rejected"]


BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
MOST_COMMENT = 4_000  # characters
DECIDERS = frozenset({"approver", "operator", "admin"})  # roles; viewers never decide


@dataclass(frozen=True)
class _Ballot:
    """One person's decision about what they saw."""

    approval_id: UUID
    decision: Decision
    comment: str
    seen_hash: str
    by: Actor
    user_id: UUID
    key: str | None
    link: str | None


def decide(  # noqa: PLR0913 -- who decides what, as it was seen
    approval_id: UUID,
    decision: Decision,
    *,
    comment: str = "",
    seen_hash: str,
    by: Actor,
    user_id: UUID,
    key: str | None = None,
    link: str | None = None,
) -> UUID:
    """Record one person's vote and, when it settles the approval, queue the execution.

    Returns the execution's id. The same `key` within 24 h votes once. Who comes too late, or may
    not, is audited too. `link` is the token of the mail that led here: it is spent.

    Raises:
        NotFoundError: no such approval, or the person may not see it.
        ForbiddenError: the person may see it but not decide it.
        ConflictError: decided already, voted already, or `seen_hash` is not what would happen.
        GoneError: its deadline has passed, or its execution was cancelled.
        InvalidError: a comment is required, or it is too long.
    """
    _, said = strictjson.written(comment)
    ballot = _Ballot(approval_id, decision, said, seen_hash, by, user_id, key, link)
    try:
        return _decide(ballot)
    except (ForbiddenError, ConflictError, GoneError) as error:
        facts = {"decision": ballot.decision, "seen_hash": ballot.seen_hash[:64]}
        record_refusal(ballot.approval_id, ballot.by, ballot.user_id, error.message, facts)
        raise


def _decide(ballot: _Ballot) -> UUID:
    user_id = ballot.user_id
    with db.transaction("approval.decide", user_id) as session:
        body = {
            "approval": str(ballot.approval_id),
            "decision": ballot.decision,
            "comment": ballot.comment,
        }
        kept = idempotency.open_request(session, user_id, ballot.key, "approval.decide", body)
        if kept is not None:
            return UUID(kept["execution_id"])
        seen = visible(session, ballot.approval_id)
        if seen.kind != "approval":
            raise ConflictError("This is a form: it is filled in, on its own page.")
        answer = {"execution_id": str(seen.execution_id)}
        idempotency.keep_answer(session, user_id, ballot.key, answer)
        approval = locked(session, seen)
        _may_decide(session, approval, ballot.seen_hash, user_id)
        _check_comment(approval, ballot.decision, ballot.comment)
        if ballot.link is not None:
            links.use_for(session, approval.id, user_id, ballot.link)
        _vote(session, approval, ballot)
        _settle(session, approval, ballot.comment, user_id)
    return seen.execution_id


def locked(session: Session, seen: Approval) -> Approval:
    """Return the row of a question as it is now, locked after its execution.

    From here on the state changes under its owner's identity: whether this person may answer has
    to be checked by name, not by row security.
    """
    db.act_as(session, seen.owner_id)
    session.execute(
        text("SELECT 1 FROM execution WHERE id = :e FOR UPDATE"), {"e": seen.execution_id}
    )
    row = session.scalar(
        select(Approval)
        .where(Approval.id == seen.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFoundError("There is no such approval.")
    return row


def record_refusal(
    approval_id: UUID, by: Actor, user_id: UUID, reason: str, said: dict[str, str] | None = None
) -> None:
    """Put into the audit trail that somebody came too late, or may not."""
    with db.transaction("approval.refuse", user_id) as session:
        seen = visible(session, approval_id)
        audit.record(
            session,
            Event.APPROVAL_DECISION_REFUSED,
            actor=by,
            about=("execution", seen.execution_id),
            owner_id=seen.owner_id,
            details={
                "approval": str(seen.id),
                "path": seen.path,
                "payload_hash": seen.payload_hash,
                "reason": reason,
            }
            | (said or {}),
        )


def _vote(session: Session, approval: Approval, ballot: _Ballot) -> None:
    """Store a vote, once a person, with its audit record."""
    vote = Vote(
        approval_id=approval.id,
        user_id=ballot.user_id,
        round=approval.round,
        owner_id=approval.owner_id,
        decision=ballot.decision,
        comment=ballot.comment,
        payload_hash=approval.payload_hash,
    )
    session.add(vote)
    session.flush()
    approved = ballot.decision == "approved"
    name = Event.APPROVAL_APPROVED if approved else Event.APPROVAL_REJECTED
    facts = {
        "approval": str(approval.id),
        "path": approval.path,
        "comment": ballot.comment,
        "payload_hash": approval.payload_hash,
    }
    audit.record(
        session,
        name,
        actor=ballot.by,
        about=("execution", approval.execution_id),
        owner_id=approval.owner_id,
        details=facts,
    )


def visible(session: Session, approval_id: UUID) -> Approval:
    """Return a question as this person sees it.

    Raises:
        NotFoundError: absent, or not for them.
    """
    found = session.scalar(select(Approval).where(Approval.id == approval_id))
    if found is None:
        raise NotFoundError("There is no such approval, or it is not for you.")
    session.expunge(found)
    return found


def answering(session: Session, approval: Approval, user_id: UUID) -> User:
    """Return the person who answers a question now.

    Raises:
        ForbiddenError: others are asked, or their role does not let them.
        ConflictError: it was answered already (by whom, when).
        GoneError: its time has run out, or its execution was cancelled.
    """
    person = session.get(User, user_id)
    if person is None or not person.active or user_id not in approval.approver_ids:
        raise ForbiddenError("You see this, but others are asked.")
    if not DECIDERS & set(person.roles):
        raise ForbiddenError("Your role lets you look at this, not answer it.")
    if approval.decision in {"expired", "cancelled"}:
        raise GoneError(f"It is too late: this is {approval.decision}.")
    if approval.decision is not None:
        raise ConflictError(_decided(session, approval))
    if session.scalar(text("SELECT pilot_now() >= :x"), {"x": approval.expires_at}):
        raise GoneError("It is too late: its time has run out.")
    return person


def _may_decide(session: Session, approval: Approval, seen_hash: str, user_id: UUID) -> None:
    answering(session, approval, user_id)
    if session.get(Vote, (approval.id, user_id, approval.round)) is not None:
        raise ConflictError("You have voted already.")
    if seen_hash != approval.payload_hash:
        raise ConflictError("What would happen is not what you saw: read it again and decide.")


def _decided(session: Session, approval: Approval) -> str:
    person = session.get(User, approval.decided_by) if approval.decided_by else None
    who = person.name if person is not None else "the system"
    when = f"{approval.decided_at:%Y-%m-%d %H:%M} UTC"
    return f"It was {approval.decision} already, by {who} on {when}."


def _check_comment(approval: Approval, decision: Decision, comment: str) -> None:
    if len(comment) > MOST_COMMENT:
        message = f"This has {len(comment):,} characters: shorten it to {MOST_COMMENT:,}."
        raise InvalidError([Issue("E_LIMIT", "/comment", message)])
    required = approval.require_comment
    if (required == "always" or (required == "reject" and decision == "rejected")) and not (
        _says_something(comment)
    ):
        raise InvalidError(
            [Issue("E_INPUT_MISSING", "/comment", "Say why: a comment is required.")]
        )


def _says_something(comment: str) -> bool:
    """Tell whether anything of it is seen: spaces, control and format characters are not."""
    return any(category(one)[0] not in "CZ" and one not in BLANK for one in comment)


def outcome(rule: str, needed: int, people: int, approved: int, rejected: int) -> Decision | None:
    """Return the decision once a rule is met or out of reach, else None."""
    if approved >= needed:
        return "approved"
    if rule == "any":
        return "rejected" if rejected >= people else None
    return "rejected" if people - rejected < needed else None


def _settle(session: Session, approval: Approval, comment: str, user_id: UUID) -> None:
    now = Vote.approval_id == approval.id, Vote.round == approval.round
    votes = session.scalars(select(Vote).where(*now)).all()
    approved = sum(vote.decision == "approved" for vote in votes)
    decision = outcome(
        approval.rule, approval.needed, len(approval.approver_ids), approved, len(votes) - approved
    )
    event: dict[str, Any] = {"votes": len(votes), "needed": approval.needed}
    if decision is not None:
        approval.decision, approval.decided_by = decision, user_id
        approval.decided_at = session.scalar(text("SELECT pilot_now()"))
        event["decision"] = decision
    session.flush()
    session.execute(
        text("SELECT add_event(:e, 'approval', :p, cast(:d AS json))"),
        {"e": approval.execution_id, "p": approval.path, "d": strictjson.dumps(event)},
    )
    if decision is not None:
        _wake(session, approval, decision, comment, votes)
    progress.signal(session, approval.execution_id)


def _wake(
    session: Session, approval: Approval, decision: Decision, comment: str, votes: Any
) -> None:
    names = {
        person.id: person.email
        for person in session.scalars(
            select(User).where(User.id.in_([vote.user_id for vote in votes]))
        )
    }
    resolution = {
        "decision": decision,
        "by": names.get(approval.decided_by) if approval.decided_by else None,
        "comment": comment or None,
        "values": approval.edited,
        "votes": [
            {"by": names[vote.user_id], "decision": vote.decision, "comment": vote.comment or None}
            for vote in votes
        ],
    }
    session.execute(
        text("SELECT resolve_wait(:w, cast(:r AS json))"),
        {"w": approval.wait_id, "r": strictjson.dumps(resolution)},
    )
    jobs.ring(session, approval.execution_id)
