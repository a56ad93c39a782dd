"""What starts agents by itself: their schedules, the events they follow, and every fire."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json, Moment


class Trigger(Base):
    """A schedule, or an event of Pilot's own: it starts its agent, as its owner."""

    __tablename__ = "agent_trigger"
    __table_args__ = (
        Index("agent_trigger_by_agent", "agent_id"),
        Index("agent_trigger_due", "next_at", postgresql_where=text("active")),
        Index(
            "agent_trigger_by_event",
            "owner_id",
            "event",
            postgresql_where=text("event IS NOT NULL AND active"),
        ),
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
    event: Mapped[str | None] = mapped_column(Text)  # or this: execution_finished, approval_decided
    about_agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))  # None: any other
    statuses: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # or decisions; None: any
    match: Mapped[str | None] = mapped_column(Text)  # a condition over `payload`
    inputs: Mapped[Json | None]  # over the agent's saved ones; of an event, templates
    active: Mapped[bool] = mapped_column(server_default="true")
    off_reason: Mapped[str] = mapped_column(Text, server_default="")  # why Pilot switched it off
    failures: Mapped[int] = mapped_column(server_default="0")  # in a row
    next_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class TriggerFire(Base):
    """One time that has come, or one event, and what became of it."""

    __tablename__ = "trigger_fire"
    __table_args__ = (
        Index(
            "trigger_fire_once",
            "trigger_id",
            "fire_at",
            unique=True,
            postgresql_where=text("kind = 'schedule'"),
        ),
        Index(
            "trigger_fire_once_by_event",
            "trigger_id",
            "cause",
            unique=True,
            postgresql_where=text("kind = 'event'"),
        ),
        Index(
            "trigger_fire_once_by_failure",
            "cause",
            unique=True,
            postgresql_where=text("kind = 'on_failure'"),
        ),
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
        Index(
            "trigger_fire_old",
            "fire_at",
            postgresql_where=text("status IN ('ended', 'skipped', 'refused')"),
        ),
        Index(
            "trigger_fire_by_cause",
            "cause_execution_id",
            postgresql_where=text("cause_execution_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    trigger_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent_trigger.id"))
    kind: Mapped[str] = mapped_column(Text, server_default="schedule")  # or event, on_failure
    cause: Mapped[str | None] = mapped_column(Text)  # what it may start once for
    cause_execution_id: Mapped[UUID | None]
    depth: Mapped[int] = mapped_column(server_default="0")  # of agents that start each other
    fire_at: Mapped[Moment]
    due_at: Mapped[Moment]  # fire_at and its share of the jitter
    # due; waiting for the execution before; started; ended; skipped or refused, with the reason
    status: Mapped[str] = mapped_column(Text, server_default="due")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    execution_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
