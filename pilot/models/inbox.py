"""Events from outside that steps wait for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json


class Inbox(Base):
    """One event that came, kept for a day: a step that waits later may take it; twice is once."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("owner_id", "source", "event_id"),
        Index("inbox_kept", "owner_id", "name", "id", postgresql_where=text("consumed_at IS NULL")),
        Index("inbox_unlooked", "received_at", postgresql_where=text("looked_at IS NULL")),
        Index("inbox_by_time", "received_at"),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    source: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    payload: Mapped[Json]
    received_at: Mapped[CreatedAt]
    looked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # for who waits
    consumed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
