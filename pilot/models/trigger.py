"""What starts agents by itself: their schedules, and every fire of one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json, Moment


class Trigger(Base):
    """A schedule: it starts its agent at these times, as its owner."""

    __tablename__ = "agent_trigger"
    __table_args__ = (
        Index("agent_trigger_by_agent", "agent_id"),
        Index("agent_trigger_due", "next_at", postgresql_where=text("active")),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    cron: Mapped[str | None] = mapped_column(Text)  # either this
    every_s: Mapped[int | None]  # or this
    zone: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    jitter_s: Mapped[int] = mapped_column(server_default="0")
    overlap: Mapped[str] = mapped_column(Text, server_default="skip")
    catch_up: Mapped[str] = mapped_column(Text, server_default="one")
    inputs: Mapped[Json | None]  # over the agent's saved ones
    active: Mapped[bool] = mapped_column(server_default="true")
    off_reason: Mapped[str] = mapped_column(Text, server_default="")  # why Pilot switched it off
    failures: Mapped[int] = mapped_column(server_default="0")  # in a row
    next_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class TriggerFire(Base):
    """One time of a schedule that has come, and what became of it."""

    __tablename__ = "trigger_fire"
    __table_args__ = (
        Index("trigger_fire_once", "trigger_id", "fire_at", unique=True),
        Index("trigger_fire_due", "due_at", postgresql_where=text("status = 'due'")),
        Index(
            "trigger_fire_open",
            "trigger_id",
            "fire_at",
            postgresql_where=text("status IN ('waiting', 'started')"),
        ),
        Index(
            "trigger_fire_by_execution",
            "execution_id",
            postgresql_where=text("execution_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    trigger_id: Mapped[UUID] = mapped_column(ForeignKey("agent_trigger.id"))
    fire_at: Mapped[Moment]
    due_at: Mapped[Moment]  # fire_at and its share of the jitter
    # due; waiting for the execution before; started; ended; skipped or refused, with the reason
    status: Mapped[str] = mapped_column(Text, server_default="due")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    execution_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
