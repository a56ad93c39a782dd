"""Accounts at foreign places, with their sealed secrets."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json, Moment


class Connection(Base):
    """One account; its label is unique per owner and plugin, ignoring case."""

    __tablename__ = "connection"
    __table_args__ = (
        Index("connection_by_label", "owner_id", "plugin", text("lower(label)"), unique=True),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    plugin: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    fields: Mapped[Json]  # what is no secret
    sealed: Mapped[str] = mapped_column(Text, deferred=True)  # see `pilot.vault`
    secret_ending: Mapped[str] = mapped_column(Text)  # its last characters, for pages
    secret_set_at: Mapped[Moment]
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="untested")
    reason: Mapped[str | None] = mapped_column(Text)
    account: Mapped[str | None] = mapped_column(Text)  # as the place itself names it
    tested_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tested_ms: Mapped[int | None]
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    shared: Mapped[bool]  # by an administrator: every execution may use it
    rate_per_minute: Mapped[int | None]  # at most so many calls in any 60 seconds; None: any number
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[CreatedAt]


class ConnectionTurn(Base):
    """A call over a connection with a rate: one that was let go lately, or one that waits."""

    __tablename__ = "connection_turn"
    __table_args__ = (
        Index("connection_turn_at", "connection_id", "at"),
        Index("connection_turn_key", "connection_id", "key", unique=True),
    )

    id: Mapped[Id]
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id", ondelete="CASCADE"))
    key: Mapped[UUID | None]  # the idempotency key of a call that waits; None: it was let go
    at: Mapped[Moment]  # when it was let go, or when its turn is
