"""Settings that an administrator changed, and their history."""

from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json


class Setting(Base):
    """The present value of a setting; no row: its default."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[Json]
    updated_at: Mapped[CreatedAt]
    updated_by: Mapped[UUID | None]


class SettingChange(Base):
    """One change of one setting; `version` counts over all settings and names a snapshot."""

    __tablename__ = "setting_change"

    id: Mapped[Id]
    version: Mapped[int]
    key: Mapped[str] = mapped_column(Text)
    before: Mapped[Json | None]
    after: Mapped[Json | None]
    changed_by: Mapped[UUID | None]
    at: Mapped[CreatedAt]
