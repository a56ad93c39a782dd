"""Generations: a goal on its way to a workflow; what was typed is never lost."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import USD, CreatedAt, Id, Json


class Generation(Base):
    """One goal, its answers and its newest draft."""

    __tablename__ = "generation"
    __table_args__ = (
        Index("generation_open", "updated_at", postgresql_where=text("stage <> 'done'")),
        Index(
            "generation_by_key",
            "owner_id",
            "cache_key",
            postgresql_where=text("cache_key IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    goal: Mapped[str] = mapped_column(Text)
    goal_hash: Mapped[str] = mapped_column(Text)
    answers: Mapped[Json]
    text: Mapped[str] = mapped_column(Text)  # the draft as text, edited or not; may be invalid
    document: Mapped[Json | None]
    issues: Mapped[Json]
    questions: Mapped[Json]
    clauses: Mapped[Json]
    refusal: Mapped[str | None] = mapped_column(Text)
    generator: Mapped[str] = mapped_column(Text)  # planner, cache, nearest, a model, edited
    confidence: Mapped[int]  # 0..100
    tokens: Mapped[int] = mapped_column(server_default="0")
    cost_usd: Mapped[Decimal | None] = mapped_column(USD)
    repairs: Mapped[int] = mapped_column(server_default="0")
    duration_ms: Mapped[int]
    stage: Mapped[str] = mapped_column(Text, server_default="done")  # queued, running, done
    worker_id: Mapped[UUID | None]  # who asks models for it
    runs: Mapped[int] = mapped_column(server_default="0")  # by workers; the fence of the newest
    seq: Mapped[int] = mapped_column(server_default="0")  # of its newest event
    failure: Mapped[str | None] = mapped_column(Text)  # why no model gave a draft
    fallback_reason: Mapped[str | None] = mapped_column(Text)  # why the primary model was left
    wasted_usd: Mapped[Decimal] = mapped_column(USD, server_default="0")
    cache_key: Mapped[str | None] = mapped_column(Text)  # of goal, answers, catalogue, settings
    outcome: Mapped[str] = mapped_column(Text)  # offered, accepted, failed
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    thumb: Mapped[str | None] = mapped_column(Text)  # its owner's: up, down
    thumb_reason: Mapped[str] = mapped_column(Text, server_default="")
    thumb_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class GenerationEvent(Base):
    """One thing that happened on the way: a stage tried, a model asked, how it ended."""

    __tablename__ = "generation_event"

    generation_id: Mapped[UUID] = mapped_column(ForeignKey("generation.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    kind: Mapped[str] = mapped_column(Text)  # stage, attempt, end
    data: Mapped[Json]
    at: Mapped[CreatedAt]
