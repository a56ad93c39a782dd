"""The audit trail: hash chains that only the database function `audit_append` extends."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Computed, DateTime, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base


class AuditEvent(Base):
    """The names that may be recorded, with severity and flags; audit.Event mirrors it."""

    __tablename__ = "audit_event"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    severity: Mapped[str] = mapped_column(Text)  # info, warning, critical
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text))


class AuditHead(Base):
    """The newest link of each chain: one chain per execution, and `system`."""

    __tablename__ = "audit_head"

    chain: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditEntry(Base):
    """One link: hash = SHA-256(prev, record), also when the record was emptied.

    Search columns come from the record itself.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_by_time", "at", "chain", "seq"),
        Index("audit_by_event", "event", "at"),
        Index("audit_by_actor", "actor", "at"),
    )

    chain: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    owner_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    record: Mapped[str] = mapped_column(Text)
    prev: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    event: Mapped[str] = mapped_column(  # "" of an emptied record
        Text, Computed("coalesce(record::json ->> 'event', '')", persisted=True)
    )
    actor: Mapped[str] = mapped_column(
        Text, Computed("coalesce(record::json ->> 'actor', '')", persisted=True)
    )
