"""Puts a mail of Pilot's own into the outbox; a worker sends it, and tries again for a day."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from pilot import strictjson, vault
from pilot.errors import InvalidError, Issue
from pilot.models.outbox import Outbox
from pilot.plugins.mail import addresses

KIND = "mail"


@dataclass(frozen=True)
class Mail:
    """What is written to one person; paragraphs are divided by empty lines."""

    to: str
    subject: str
    text: str
    link: str | None = None


def queue(session: Session, mail: Mail, *, owner_id: UUID, expires_at: datetime) -> UUID:
    """Write a mail into the outbox in the caller's transaction and return its id.

    It is sealed until it is sent, so a link that signs somebody in is in no row in the clear, and
    it is emptied afterwards.

    Args:
        session: acts for `owner_id`.
        mail: what is sent.
        owner_id: whose it is; such as the person who gets it.
        expires_at: it is dropped when it could not be sent by then.

    Raises:
        InvalidError: the address or the subject could change the headers of the mail.
        ConfigError: the installation has no key to seal with.
    """
    issues = []
    try:
        addresses.normal(mail.to)
    except ValueError as error:
        issues.append(Issue("address", "/to", f"This is no address: {error}"))
    if not mail.subject.isprintable():
        issues.append(Issue("subject", "/subject", "A subject is one line."))
    if issues:
        raise InvalidError(issues)
    row_id = uuid4()
    sealed = vault.seal(strictjson.dumps(asdict(mail)), _place(row_id, owner_id))
    payload = {"sealed": sealed, "expires_at": expires_at.isoformat()}
    session.add(Outbox(id=row_id, owner_id=owner_id, kind=KIND, key=str(row_id), payload=payload))
    return row_id


def opened(row_id: UUID, owner_id: UUID, sealed: str) -> Mail:
    """Return a mail as it was queued.

    Raises:
        ConfigError: its key is gone.
    """
    return Mail(**strictjson.loads(vault.open_sealed(sealed, _place(row_id, owner_id))))


def _place(row_id: UUID, owner_id: UUID) -> vault.Place:
    return vault.Place("outbox", str(row_id), 1, str(owner_id))
