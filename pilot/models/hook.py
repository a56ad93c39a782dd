"""Webhooks that start an agent from outside, and what came in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json


class Hook(Base):
    """One address that starts an agent; requests are signed with its secret, or hold it."""

    __tablename__ = "hook"
    __table_args__ = (Index("hook_by_agent", "agent_id"),)

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    token: Mapped[str] = mapped_column(Text, unique=True)  # of the address
    sealed: Mapped[str | None] = mapped_column(Text, deferred=True)  # None: it was deleted
    before_sealed: Mapped[str | None] = mapped_column(Text, deferred=True)  # while rotating
    before_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="1")
    bearer: Mapped[bool] = mapped_column(server_default="false")  # the secret comes with requests
    match: Mapped[str | None] = mapped_column(Text)  # a condition over `payload`
    inputs: Mapped[Json | None]  # templates over `payload`; None: the body is the inputs
    active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[CreatedAt]


class HookDelivery(Base):
    """One request to a webhook and its answer."""

    __tablename__ = "hook_delivery"
    __table_args__ = (
        Index("hook_delivery_by_hook", "hook_id", text("id DESC")),
        Index(
            "hook_delivery_once",
            "hook_id",
            "execution_id",
            unique=True,
            postgresql_where=text("status = 202"),
        ),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    hook_id: Mapped[UUID] = mapped_column(ForeignKey("hook.id"))
    message_id: Mapped[str] = mapped_column(Text)
    status: Mapped[int]
    reason: Mapped[str] = mapped_column(Text, server_default="")
    address: Mapped[str] = mapped_column(Text)
    execution_id: Mapped[UUID | None]
    at: Mapped[CreatedAt]
