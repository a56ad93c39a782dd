"""Models that can be asked, and whether they answer at present."""

from datetime import date, datetime

from sqlalchemy import ARRAY, Boolean, Date, DateTime, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import Json


class Model(Base):
    """One model of a provider, as people choose it."""

    __tablename__ = "model"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    provider: Mapped[str] = mapped_column(ForeignKey("provider.name"))
    name: Mapped[str] = mapped_column(Text)  # as it is sent
    label: Mapped[str] = mapped_column(Text)
    tier: Mapped[str] = mapped_column(Text)  # fast, balanced, powerful
    window: Mapped[int]  # tokens
    max_output: Mapped[int]  # tokens
    flags: Mapped[Json]
    retired_on: Mapped[date | None] = mapped_column(Date)
    replaced_by: Mapped[str | None] = mapped_column(
        ForeignKey("model.id", deferrable=True, initially="DEFERRED")
    )
    enabled: Mapped[bool] = mapped_column(Boolean, server_default="true")


class ModelState(Base):
    """The circuit breaker of a model, shared by all processes."""

    __tablename__ = "model_state"

    model_id: Mapped[str] = mapped_column(Text, primary_key=True)
    failed_at: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True))
    )  # in the window
    open_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    probe_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
