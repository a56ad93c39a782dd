"""What tokens cost, from when on; rows are added, never changed."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import USD, CreatedAt, Id, Moment


class Price(Base):
    """USD per million tokens of a model; no number for a cache: the input price."""

    __tablename__ = "price"
    __table_args__ = (Index("price_by_date", "model_id", "valid_from", unique=True),)

    id: Mapped[Id]
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    valid_from: Mapped[Moment]
    input: Mapped[Decimal] = mapped_column(USD)
    output: Mapped[Decimal] = mapped_column(USD)
    cache_read: Mapped[Decimal | None] = mapped_column(USD)
    cache_write: Mapped[Decimal | None] = mapped_column(USD)
    cache_write_long: Mapped[Decimal | None] = mapped_column(USD)
    long_from: Mapped[int | None]  # above so many input tokens all tokens cost the long price
    long_input: Mapped[Decimal | None] = mapped_column(USD)
    long_output: Mapped[Decimal | None] = mapped_column(USD)
    long_cache_read: Mapped[Decimal | None] = mapped_column(USD)
    long_cache_write: Mapped[Decimal | None] = mapped_column(USD)
    long_cache_write_long: Mapped[Decimal | None] = mapped_column(USD)
    source: Mapped[str] = mapped_column(Text)
    checked_on: Mapped[date] = mapped_column(Date)
    author: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
