"""Secrets that workflows name."""

from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id


class Secret(Base):
    """One secret of a person: its value is sealed, and leaves for its hosts only."""

    __tablename__ = "secret"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    name: Mapped[str] = mapped_column(Text)
    sealed: Mapped[str | None] = mapped_column(Text, deferred=True)  # None: it was deleted
    version: Mapped[int]
    hosts: Mapped[list[str]] = mapped_column(ARRAY(Text))  # host or host:port
    set_at: Mapped[CreatedAt]
