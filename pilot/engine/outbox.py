"""The relay: sends what the outbox holds, at least once, each message under its own stable key.

A message is taken by noting its next try first, so a relay that dies loses nothing; delivery into a
mailbox goes by the key, so a second try leaves one mail.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, settings, strictjson
from pilot.audit import Event
from pilot.engine import letters, links, notices
from pilot.engine.letters import Channels, Letter, Question
from pilot.engine.links import ApprovalLink
from pilot.errors import ConfigError, PluginError
from pilot.failpoints import failpoint
from pilot.models.approval import Approval, Vote
from pilot.models.user import User
from pilot.redaction import redact

log = structlog.get_logger()

BATCH = 100
NO_CHANNEL = "No channel is set up."
REMINDER = "approval_reminder"
TAKE = text("SELECT id, owner_id, kind, payload, attempts, late FROM take_outbox(:n)")
ENDED = text("""
UPDATE outbox SET error = :error, sent_at = CASE WHEN :state = 'sent' THEN pilot_now() END,
       dead_at = CASE WHEN :state = 'dead' THEN pilot_now() END,
       dropped_at = CASE WHEN :state = 'dropped' THEN pilot_now() END,
       payload = CASE WHEN kind = 'mail' AND :state <> 'open' THEN '{}' ELSE payload END
 WHERE id = :id AND sent_at IS NULL AND dead_at IS NULL AND dropped_at IS NULL
""")


@dataclass(frozen=True)
class Due:
    """A message whose time has come."""

    letter: Letter
    about: tuple[str, UUID]  # what the audit trail puts a failure under
    facts: dict[str, str]
    needless: str  # why it is not sent any more, or ""
    local: bool  # local mailboxes may take it
    link: ApprovalLink | None = None  # in it, made to work before it leaves


def relay(channels: Channels) -> int:
    """Send what is due and return how many messages were looked at."""
    with db.transaction("outbox.take", None) as session:
        taken = session.execute(TAKE, {"n": BATCH}).all()
    for row in taken:
        try:
            _send(row, channels)
        except Exception:  # the seam of one message: the others still go
            log.exception("notice_failed", message=str(row.id))
    return len(taken)


def _send(row: Any, channels: Channels) -> None:
    """Try one message and note how it ended; a failure touches nothing else."""
    with db.reading(row.owner_id) as session:
        due = (_mail if row.kind == notices.KIND else _approval)(session, row, channels.url)
    if due.needless:
        _note(row, due, "dropped", due.needless)
    elif channels.smtp is None and not due.local:
        _note(row, due, "dropped" if row.late else "open", NO_CHANNEL)
    else:
        try:
            _open_link(due)
            failpoint("outbox.before_send")
            letters.deliver(due.letter, channels)
            failpoint("outbox.after_send")
        except (PluginError, OSError) as error:
            reason = error.message if isinstance(error, PluginError) else str(error)
            _note(row, due, "dead" if row.late else "open", reason)
        else:
            _note(row, due, "sent", None)


def _approval(session: Session, row: Any, url: str) -> Due:
    approval = session.get_one(Approval, UUID(row.payload["approval_id"]))
    person = session.get_one(User, UUID(row.payload["user_id"]))
    payload = strictjson.loads(approval.payload, max_bytes=len(approval.payload.encode()) + 1)
    token = secrets.token_urlsafe(32)
    question = Question(
        title=redact(approval.title),
        message=redact(approval.message or ""),
        context=redact(payload.get("context")),
        expires_at=approval.expires_at,
        token=token,
    )
    says = letters.filling if approval.kind == "form" else letters.asking
    if row.kind == REMINDER:
        says = letters.reminding
    return Due(
        letter=_letter(session, row, person.email, says(question, url)),
        about=("execution", approval.execution_id),
        facts={"approval": str(approval.id)},
        needless=_needless(session, row, approval, person),
        local=_local(session),
        link=ApprovalLink(approval.id, person.id, approval.expires_at, token),
    )


def _needless(session: Session, row: Any, approval: Approval, person: User) -> str:
    """Return why a person need not be told of a question any more, or ""."""
    if approval.decided_at is not None or not person.active:
        return "It was decided before."
    if row.payload.get("round", approval.round) != approval.round:
        return "It was asked anew."
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
        letter=_letter(session, row, mail.to, letters.plain(mail.subject, mail.text, mail.link)),
        about=("user", row.owner_id),
        facts={},
        needless="It expired before it could be sent." if expired else needless,
        local=_local(session),
    )


def _letter(session: Session, row: Any, address: str, parts: tuple[str, str, str]) -> Letter:
    owner = session.get_one(User, row.owner_id)
    return Letter(row.id, owner.id, owner.email, address, *parts)


def _local(session: Session) -> bool:
    return bool(settings.value(session, "notify_by_local_mail"))


def _note(row: Any, due: Due, state: str, error: str | None) -> None:
    """Note how one try ended; the first failure and the last are audited."""
    facts = {"id": row.id, "state": state, "error": error}
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
                    "to": due.letter.address,
                    "attempt": row.attempts,
                    "given_up": state == "dead",
                    "reason": error,
                },
            )
    log.info("notice_tried", state=state, attempt=row.attempts)
