"""The relay: sends what the outbox holds, at least once, each message under its own stable key.

A message is taken for longer than it takes to be sent, and a relay that dies loses nothing;
delivery into a mailbox goes by the key, so a second try leaves one mail.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import audit, db, settings, strictjson
from pilot.audit import Event
from pilot.engine import digests, links
from pilot.engine.links import ApprovalLink
from pilot.engine.notices import channels as posts
from pilot.engine.notices import letters, notices
from pilot.engine.notices.channels import Post, Target
from pilot.engine.notices.letters import Channels, Letter, Question
from pilot.errors import ConfigError, NotFoundError, StepError
from pilot.failpoints import failpoint
from pilot.models.approval import Approval, Vote
from pilot.models.user import User
from pilot.redaction import redact

log = structlog.get_logger()

NO_CHANNEL = "No channel is set up."
EXPIRED = "It expired before it could be sent."
REMINDER = "approval_reminder"
TAKE = text("SELECT id, owner_id, kind, payload, attempts, late, lane FROM take_outbox(:full)")
# What a receiver asks to wait counts within the day; a try after it finds the message late. Who
# took so long that another relay has taken the message since notes nothing but that it was sent.
ENDED = text("""
UPDATE outbox SET error = :error,
       due_at = CASE WHEN :state = 'open' THEN greatest(pilot_now() + outbox_pause(attempts),
         least(pilot_now() + make_interval(secs => :wait_s), created_at + interval '24 hours'))
         ELSE due_at END,
       sent_at = CASE WHEN :state = 'sent' THEN pilot_now() END,
       dead_at = CASE WHEN :state = 'dead' THEN pilot_now() END,
       dropped_at = CASE WHEN :state = 'dropped' THEN pilot_now() END,
       payload = CASE WHEN kind = 'mail' AND :state <> 'open' THEN '{}' ELSE payload END
 WHERE id = :id AND sent_at IS NULL AND dead_at IS NULL AND dropped_at IS NULL
   AND (attempts = :attempt OR :state = 'sent')
""")
AGAIN = text("""
UPDATE outbox SET dead_at = NULL, attempts = 0, due_at = pilot_now(), created_at = pilot_now()
 WHERE id = :id AND about = :about AND dead_at IS NOT NULL
""")


@dataclass(frozen=True)
class Due:
    """A message whose time has come."""

    message: Letter | Post
    about: tuple[str, UUID]  # what the audit trail puts a failure under
    facts: dict[str, str]
    needless: str  # why it is not sent any more, or ""
    local: bool  # local mailboxes may take it
    link: ApprovalLink | None = None  # in it, made to work before it leaves


def take(full: Sequence[str]) -> Any | None:
    """Return a message that is due, as a row with its lane, which is none of the full ones."""
    with db.transaction("outbox.take", None) as session:
        return session.execute(TAKE, {"full": list(full)}).one_or_none()


def send(row: Any, channels: Channels) -> None:
    """Try one message that was taken and note how it ended."""
    try:
        _send(row, channels)
    except Exception:  # the seam of one message: the others still go
        log.exception("notice_failed", message=str(row.id))


def _send(row: Any, channels: Channels) -> None:
    with db.reading(row.owner_id) as session:
        try:
            due = DUE.get(row.kind, _approval)(session, row, channels.url)
        except (StepError, ConfigError) as error:
            due = _addressless(row)
            _note(row, due, "dead" if row.late else "open", error.message)
            return
    if due.needless:
        _note(row, due, "dropped", due.needless)
    elif isinstance(due.message, Letter) and channels.smtp is None and not due.local:
        _note(row, due, "dropped" if row.late else "open", NO_CHANNEL)
    else:
        try:
            _open_link(due)
            failpoint("outbox.before_send")
            if isinstance(due.message, Post):
                posts.deliver(due.message, channels.egress)
            else:
                letters.deliver(due.message, channels)
            failpoint("outbox.after_send")
        except (StepError, OSError) as error:
            reason = redact(error.message if isinstance(error, StepError) else str(error))
            wait_s = error.retry_after_s if isinstance(error, StepError) else None
            _note(row, due, "dead" if row.late else "open", reason, wait_s=wait_s or 0.0)
        else:
            _note(row, due, "sent", None)


def _approval(session: Session, row: Any, url: str) -> Due:
    approval = session.get_one(Approval, UUID(row.payload["approval_id"]))
    person = session.get_one(User, UUID(row.payload["user_id"]))
    payload = _shown(approval)
    token = secrets.token_urlsafe(32)
    question = Question(
        title=redact(approval.title),
        message=redact(approval.message or ""),
        context=redact(payload.get("context")),
        expires_at=approval.expires_at,
        token=token,
        size_bytes=payload.get("size_bytes"),
    )
    says = letters.filling if approval.kind == "form" else letters.asking
    if row.kind == REMINDER:
        says = letters.reminding
    return Due(
        message=_letter(session, row, person.email, says(question, url)),
        about=("execution", approval.execution_id),
        facts={"approval": str(approval.id)},
        needless=_needless(session, row, approval, person),
        local=_local(session),
        link=ApprovalLink(approval.id, person.id, approval.expires_at, token),
    )


def _shown(approval: Approval) -> dict[str, Any]:
    """Return what is asked, or of much the excerpt."""
    if approval.excerpt is not None:
        return approval.excerpt
    shown: dict[str, Any] = strictjson.loads(approval.payload, max_bytes=digests.MAX_BYTES)
    return shown


def _addressless(row: Any) -> Due:
    """Return a message of a channel whose address cannot be had."""
    about = UUID(row.payload["approval_id"])
    target = Target(row.payload["channel"]["kind"], "")
    return Due(
        message=Post(row.id, target, {}),
        about=("approval", about),
        facts={"approval": str(about)},
        needless="",
        local=True,
    )


def _post(session: Session, row: Any, url: str) -> Due:
    """Return the message of one channel.

    Raises:
        StepError: its address is not at hand.
        ConfigError: its address cannot be opened.
    """
    approval = session.get_one(Approval, UUID(row.payload["approval_id"]))
    payload = _shown(approval)
    people = session.scalars(select(User.email).where(User.id.in_(approval.approver_ids)))
    content = {
        "type": "approval.requested",
        "approval_id": str(approval.id),
        "execution_id": str(approval.execution_id),
        "path": approval.path,
        "title": redact(approval.title),
        "message": redact(approval.message or ""),
        "context": redact(payload.get("context")),
        "approvers": sorted(people),
        "rule": approval.rule,
        "expires_at": approval.expires_at.isoformat(),
        "created_at": approval.requested_at.isoformat(),
        "url": f"{url}/approvals/{approval.id}",
    }
    needless = "It was decided before." if approval.decided_at is not None else ""
    if not needless and row.payload["round"] != approval.round:
        needless = "It was asked anew."
    if not needless and approval.expires_at <= db.now():
        needless = EXPIRED
    return Due(
        message=Post(row.id, posts.target(session, row.payload["channel"], row.owner_id), content),
        about=("execution", approval.execution_id),
        facts={"approval": str(approval.id)},
        needless=needless,
        local=True,
    )


def _needless(session: Session, row: Any, approval: Approval, person: User) -> str:
    """Return why a person need not be told of a question any more, or ""."""
    if approval.decided_at is not None or not person.active:
        return "It was decided before."
    if row.payload.get("round", approval.round) != approval.round:
        return "It was asked anew."
    if approval.expires_at <= db.now():
        return EXPIRED
    if person.id not in approval.approver_ids:
        return "Others are asked now."
    voted = session.get(Vote, (approval.id, person.id, approval.round)) is not None
    return "This person has voted." if voted else ""


def _open_link(due: Due) -> None:
    if due.link is not None:
        with db.transaction("outbox.link", None) as session:
            links.keep(session, due.link)


def _mail(session: Session, row: Any, url: str) -> Due:  # noqa: ARG001  its links are whole
    expired = datetime.fromisoformat(row.payload["expires_at"]) <= db.now()
    needless, mail = "", notices.Mail("", "", "")
    try:
        mail = notices.opened(row.id, row.owner_id, row.payload["sealed"])
    except ConfigError as error:
        needless = error.message
    return Due(
        message=_letter(session, row, mail.to, letters.plain(mail.subject, mail.text, mail.link)),
        about=("user", row.owner_id),
        facts={},
        needless=EXPIRED if expired else needless,
        local=_local(session),
    )


DUE = {notices.KIND: _mail, "approval_channel": _post}


def _letter(session: Session, row: Any, address: str, parts: tuple[str, str, str]) -> Letter:
    owner = session.get_one(User, row.owner_id)
    return Letter(row.id, owner.id, owner.email, address, *parts)


def replay(session: Session, message_id: UUID, about: UUID, *, by: audit.Actor) -> None:
    """Try a message that was given up again, for another day.

    Raises:
        NotFoundError: it was not given up, or the session's person may not see it.
    """
    facts = {"id": message_id, "about": about}
    if db.changed_rows(session, AGAIN, facts) != 1:
        raise NotFoundError("There is no such message, or it was not given up.")
    approval = session.get_one(Approval, about)
    audit.record(
        session,
        Event.NOTICE_REPLAYED,
        actor=by,
        about=("execution", approval.execution_id),
        owner_id=approval.owner_id,
        details={"approval": str(about), "message": str(message_id)},
    )


def _local(session: Session) -> bool:
    return bool(settings.value(session, "notify_by_local_mail"))


def _note(row: Any, due: Due, state: str, error: str | None, *, wait_s: float = 0.0) -> None:
    """Note how one try ended; the first failure and the last are audited."""
    facts = {"id": row.id, "state": state, "error": error, "wait_s": wait_s}
    facts["attempt"] = row.attempts
    with db.transaction("outbox.note", row.owner_id) as session:
        if db.changed_rows(session, ENDED, facts) != 1:
            return
        if state == "dead" or (state == "open" and row.attempts == 1):
            audit.record(
                session,
                Event.NOTIFICATION_FAILED,
                actor="worker",
                about=due.about,
                owner_id=row.owner_id,
                details=due.facts
                | {
                    "kind": row.kind,
                    "to": due.message.address,
                    "attempt": row.attempts,
                    "given_up": state == "dead",
                    "reason": error,
                },
            )
    log.info("notice_tried", state=state, attempt=row.attempts)
