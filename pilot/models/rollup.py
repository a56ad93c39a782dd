"""Roll-ups: sums of the ledger's finished days. The rows of the ledger stay the truth."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import Id, Moment


class Rollup(Base):
    """A stretch of a finished day in UTC, cut at the midnights of the zones that people have."""

    __tablename__ = "rollup"

    since: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    until: Mapped[Moment]
    pruned: Mapped[bool] = mapped_column(server_default="false")  # calls of it are deleted


class RollupLine(Base):
    """Sums of the ended calls in a stretch that are alike in all that costs are grouped by."""

    __tablename__ = "rollup_line"
    __table_args__ = (Index("rollup_line_by_time", "since"),)

    id: Mapped[Id]
    since: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), ForeignKey("rollup.since", ondelete="CASCADE")
    )
    owner_id: Mapped[UUID]
    agent_id: Mapped[UUID | None]
    model: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    intent: Mapped[str | None] = mapped_column(Text)
    step_type: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    recorded: Mapped[bool]  # answers from a file
    baseline_model: Mapped[str | None] = mapped_column(Text)
    calls: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_read_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal] = mapped_column(Numeric)
    unpriced: Mapped[int] = mapped_column(BigInteger)
    wasted: Mapped[Decimal] = mapped_column(Numeric)
    wasted_tokens: Mapped[int] = mapped_column(BigInteger)
    wasted_unpriced: Mapped[int] = mapped_column(BigInteger)
    compared: Mapped[int] = mapped_column(BigInteger)
    compared_cost: Mapped[Decimal] = mapped_column(Numeric)
    counterfactual: Mapped[Decimal] = mapped_column(Numeric)


class PrunedCalls(Base):
    """Sums of deleted calls that are alike in all that Prometheus tells apart."""

    __tablename__ = "pruned_calls"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(Text, primary_key=True)
    outcome: Mapped[str] = mapped_column(Text, primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)  # of their duration; -1: none
    rows: Mapped[int] = mapped_column(BigInteger)
    ms: Mapped[int] = mapped_column(BigInteger)
    input: Mapped[int] = mapped_column(BigInteger)
    cache_read: Mapped[int] = mapped_column(BigInteger)
    cache_write: Mapped[int] = mapped_column(BigInteger)
    output: Mapped[int] = mapped_column(BigInteger)
    reasoning: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal] = mapped_column(Numeric)
    unpriced: Mapped[int] = mapped_column(BigInteger)
