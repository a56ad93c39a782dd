"""The relay: sends what the outbox holds, at least once, each message under its own stable key.

A message is taken by noting its next try first, so a relay that dies loses nothing; delivery into a
mailbox goes by the key, so a second try leaves one mail.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, settings, strictjson
from pilot.audit import Event
from pilot.engine import folders
from pilot.engine.transforms.markup import html_text
from pilot.errors import ErrorClass, PluginError
from pilot.failpoints import failpoint
from pilot.models.approval import Approval
from pilot.models.user import User
from pilot.plugins.mail import addresses, maildir
from pilot.plugins.mail.messages import OWN_HEADER, compose
from pilot.redaction import redact

log = structlog.get_logger()

BATCH = 100
TIMEOUT_S = 5.0
NO_CHANNEL = "No channel is set up."
TAKE = text("SELECT id, owner_id, kind, payload, attempts, late FROM take_outbox(:n)")
ENDED = text("""
UPDATE outbox SET error = :error, sent_at = CASE WHEN :state = 'sent' THEN pilot_now() END,
       dead_at = CASE WHEN :state = 'dead' THEN pilot_now() END,
       dropped_at = CASE WHEN :state = 'dropped' THEN pilot_now() END
 WHERE id = :id AND sent_at IS NULL AND dead_at IS NULL AND dropped_at IS NULL
""")


@dataclass(frozen=True)
class Notice:
    """One message to one person, with all that its text needs."""

    id: UUID
    owner_id: UUID
    owner_email: str
    approval_id: UUID
    execution_id: UUID
    address: str
    title: str
    message: str
    context: Any
    expires_at: datetime
    needed: bool  # nobody has decided, and this person still may
    channel: bool  # one is set up


def relay(data: Path, url: str) -> int:
    """Send what is due and return how many messages were looked at.

    Args:
        data: the data folder, which holds the local mailboxes.
        url: where people reach Pilot, for the links.
    """
    with db.transaction("outbox.take", None) as session:
        taken = session.execute(TAKE, {"n": BATCH}).all()
    for row in taken:
        try:
            _send(row, data, url)
        except Exception:  # the seam of one message: the others still go
            log.exception("notice_failed", message=str(row.id))
    return len(taken)


def _send(row: Any, data: Path, url: str) -> None:
    """Try one message and note how it ended; a failure touches nothing else."""
    with db.reading(row.owner_id) as session:
        notice = _notice(session, row)
    if not notice.needed:
        _note(row, notice, "dropped", "It was decided before.")
    elif not notice.channel:
        _note(row, notice, "dropped" if row.late else "open", NO_CHANNEL)
    else:
        try:
            failpoint("outbox.before_send")
            _deliver(notice, data, url)
            failpoint("outbox.after_send")
        except (PluginError, OSError) as error:
            reason = error.message if isinstance(error, PluginError) else str(error)
            _note(row, notice, "dead" if row.late else "open", reason)
        else:
            _note(row, notice, "sent", None)


def _notice(session: Session, row: Any) -> Notice:
    approval = session.get_one(Approval, UUID(row.payload["approval_id"]))
    person = session.get_one(User, UUID(row.payload["user_id"]))
    owner = session.get_one(User, row.owner_id)
    payload = strictjson.loads(approval.payload, max_bytes=len(approval.payload.encode()) + 1)
    return Notice(
        id=row.id,
        owner_id=row.owner_id,
        owner_email=owner.email,
        approval_id=approval.id,
        execution_id=approval.execution_id,
        address=person.email,
        title=redact(approval.title),
        message=redact(approval.message or ""),
        context=redact(payload.get("context")),
        expires_at=approval.expires_at,
        needed=approval.decided_at is None and person.active,
        channel=bool(settings.value(session, "notify_by_local_mail")),
    )


def _deliver(notice: Notice, data: Path, url: str) -> None:
    """File the mail in the local mailbox of the address, once.

    Raises:
        PluginError: the address is not on this machine, or the mailbox is locked.
    """
    if not addresses.is_local(notice.address, notice.owner_email):
        text_ = f"{notice.address} has no mailbox on this machine, and no mail account is set up."
        raise PluginError(ErrorClass.CONFIG, text_, sent=False)
    folder = folders.private(data, notice.owner_id) / "mail"
    box = folder / addresses.folder_name(notice.address) / "INBOX"
    message = compose(_headers(notice), _text(notice, url), _html(notice, url))
    maildir.deliver(box, f"{notice.id}.pilot", message.as_bytes(), time.monotonic() + TIMEOUT_S)


def _headers(notice: Notice) -> dict[str, str]:
    return {
        "From": "Pilot <pilot@localhost>",
        "To": notice.address,
        "Subject": "Approval asked: " + " ".join(notice.title.split()),
        "Message-ID": f"<{notice.id}@pilot.localhost>",
        OWN_HEADER: str(notice.id),
    }


def _until(notice: Notice) -> str:
    return f"Decide until {notice.expires_at:%Y-%m-%d %H:%M} UTC."


def _context(notice: Notice) -> str:
    if notice.context is None or isinstance(notice.context, str):
        return notice.context or ""
    return strictjson.dumps(notice.context)


def _text(notice: Notice, url: str) -> str:
    page = f"{url}/approvals/{notice.approval_id}"
    parts = [notice.title, notice.message, _context(notice), _until(notice)]
    links = [f"Approve: {page}#approve", f"Reject: {page}#reject"]
    return "\n\n".join(part for part in [*parts, "\n".join(links)] if part)


def _html(notice: Notice, url: str) -> str:
    """Return the mail as HTML: what comes from the workflow is text, never markup."""
    page = html_text(f"{url}/approvals/{notice.approval_id}")
    parts = [f"<h1>{html_text(notice.title)}</h1>"]
    given = [notice.message, _context(notice), _until(notice)]
    parts += [f"<p>{html_text(part)}</p>" for part in given if part]
    parts.append(
        f'<p><a href="{page}#approve">Look and approve</a> '
        f'or <a href="{page}#reject">look and reject</a></p>'
    )
    return "\n".join(parts)


def _note(row: Any, notice: Notice, state: str, error: str | None) -> None:
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
                about=("execution", notice.execution_id),
                owner_id=row.owner_id,
                details={
                    "approval": str(notice.approval_id),
                    "kind": row.kind,
                    "to": notice.address,
                    "attempt": row.attempts,
                    "given_up": state == "dead",
                    "reason": error,
                },
            )
    log.info("notice_tried", state=state, attempt=row.attempts)
