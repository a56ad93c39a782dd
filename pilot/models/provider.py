"""Who offers models, and the sealed key that Pilot asks them with."""

from datetime import datetime

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import Json


class Provider(Base):
    """One provider; several may speak the same protocol (`adapter`) at different addresses."""

    __tablename__ = "provider"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    adapter: Mapped[str] = mapped_column(Text)  # openai, anthropic, planner, scripted
    base_url: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool]
    organisation: Mapped[str | None] = mapped_column(Text)
    project: Mapped[str | None] = mapped_column(Text)
    flags: Mapped[Json]
    sealed: Mapped[str | None] = mapped_column(Text, deferred=True)  # the key; see `pilot.vault`
    key_version: Mapped[int] = mapped_column(server_default="0")
    key_ending: Mapped[str | None] = mapped_column(Text)  # its last characters
    key_set_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
