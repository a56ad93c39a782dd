"""Messages that must go out, and answers kept for repeated requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json

OPEN = "sent_at IS NULL AND dead_at IS NULL AND dropped_at IS NULL"


class Outbox(Base):
    """One message written with the change that causes it; relayed at least once."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_due", "due_at", postgresql_where=text(OPEN)),
        Index("outbox_by_about", "about"),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)  # approval_requested, approval_reminder, mail
    key: Mapped[str] = mapped_column(Text)
    payload: Mapped[Json]
    due_at: Mapped[CreatedAt]
    attempts: Mapped[int] = mapped_column(server_default="0")
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dead_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    error: Mapped[str | None] = mapped_column(Text)
    about: Mapped[UUID | None]  # such as the approval that it asks for
    dropped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # not needed now
    created_at: Mapped[CreatedAt]


class RequestKey(Base):
    """The answer to a keyed POST: the same key and body get it again, kept for 24 h."""

    __tablename__ = "request_key"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    route: Mapped[str] = mapped_column(Text)
    request_hash: Mapped[str] = mapped_column(Text)
    answer: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
