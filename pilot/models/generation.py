"""Generations: a goal on its way to a workflow; what was typed is never lost."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json


class Generation(Base):
    """One goal, its answers and its newest draft."""

    __tablename__ = "generation"

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
    generator: Mapped[str] = mapped_column(Text)  # planner, or edited by a person
    confidence: Mapped[int]  # 0..100
    tokens: Mapped[int] = mapped_column(server_default="0")
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(20, 12))
    repairs: Mapped[int] = mapped_column(server_default="0")
    duration_ms: Mapped[int]
    outcome: Mapped[str] = mapped_column(Text)  # offered, accepted, failed
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
