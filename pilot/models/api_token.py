"""Tokens with which programs act for a person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Index, LargeBinary, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Moment


class ApiToken(Base):
    """One token: only its SHA-256 is stored."""

    __tablename__ = "api_token"
    __table_args__ = (Index("api_token_by_owner", "owner_id"),)

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    label: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)  # person, agent
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    agent_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))  # None: all of its owner
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_from: Mapped[str | None] = mapped_column(Text)
