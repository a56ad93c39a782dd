"""Agents that their owners share with other people."""

from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt


class AgentGrant(Base):
    """What one person may do with an agent of another: read, or run (which includes it)."""

    __tablename__ = "agent_grant"
    __table_args__ = (
        ForeignKeyConstraint(["agent_id", "owner_id"], ["agent.id", "agent.owner_id"]),
        Index("agent_grant_by_user", "user_id"),
    )

    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    owner_id: Mapped[UUID]
    level: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
