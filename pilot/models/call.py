"""The ledger: what every attempt at a model took and cost."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import USD, CreatedAt, Id, Json


class Call(Base):
    """One attempt at a model; reserved, then settled or lost, and never changed after that."""

    __tablename__ = "call"
    __table_args__ = (
        Index("call_by_execution", "execution_id", "path"),
        Index("call_by_owner", "owner_id", "at"),
        Index("call_by_time", "at"),
        Index(
            "call_by_generation",
            "generation_id",
            postgresql_where=text("generation_id IS NOT NULL"),
        ),
        Index(
            "call_unpriced",
            "at",
            postgresql_where=text("cost IS NULL AND state <> 'reserved'"),
        ),
        Index("call_reserved", "at", postgresql_where=text("state = 'reserved'")),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    execution_id: Mapped[UUID | None] = mapped_column(ForeignKey("execution.id"))
    generation_id: Mapped[UUID | None] = mapped_column(ForeignKey("generation.id"))
    path: Mapped[str | None] = mapped_column(Text)
    attempt: Mapped[int | None]  # at the step
    number: Mapped[int]  # of the attempt at a model within that
    role: Mapped[str] = mapped_column(Text)  # draft, repair, fallback, step, summary, test
    intent: Mapped[str | None] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)  # reserved, settled, lost
    provider: Mapped[str] = mapped_column(Text)
    model_asked: Mapped[str] = mapped_column(Text)
    model_billed: Mapped[str | None] = mapped_column(Text)  # as the reply names it
    tier: Mapped[str | None] = mapped_column(Text)
    input_tokens: Mapped[int]
    cache_read_tokens: Mapped[int]
    cache_write_tokens: Mapped[int]
    cache_write_long_tokens: Mapped[int]
    output_tokens: Mapped[int]
    reasoning_tokens: Mapped[int]
    tokens_saved: Mapped[int] = mapped_column(server_default="0")
    flags: Mapped[Json]
    # The numbers that its cost was counted with, per million tokens; a later price changes nothing.
    price_id: Mapped[UUID | None] = mapped_column(ForeignKey("price.id"))
    price_input: Mapped[Decimal | None] = mapped_column(USD)
    price_output: Mapped[Decimal | None] = mapped_column(USD)
    price_cache_read: Mapped[Decimal | None] = mapped_column(USD)
    price_cache_write: Mapped[Decimal | None] = mapped_column(USD)
    price_cache_write_long: Mapped[Decimal | None] = mapped_column(USD)
    baseline_model: Mapped[str | None] = mapped_column(Text)  # what it is compared with
    baseline_input: Mapped[Decimal | None] = mapped_column(USD)
    baseline_output: Mapped[Decimal | None] = mapped_column(USD)
    baseline_cache_read: Mapped[Decimal | None] = mapped_column(USD)
    baseline_cache_write: Mapped[Decimal | None] = mapped_column(USD)
    baseline_cache_write_long: Mapped[Decimal | None] = mapped_column(USD)
    reserved: Mapped[Decimal | None] = mapped_column(USD)
    reserved_tokens: Mapped[int] = mapped_column(server_default="0")
    cost: Mapped[Decimal | None] = mapped_column(USD)  # NULL: unpriced, which is not free
    latency_ms: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(Text)  # ok, failed
    reason: Mapped[str | None] = mapped_column(Text)
    http_status: Mapped[int | None]
    issues: Mapped[Json]
    wasted: Mapped[bool]
    stop: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    routing: Mapped[Json | None]  # why this model
    prompt_version: Mapped[str | None] = mapped_column(Text)
    at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
