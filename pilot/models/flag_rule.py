"""Rules of switches: for an agent, a person, or a share of all agents."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id


class FlagRule(Base):
    """What a switch is for some executions; one rule for each subject."""

    __tablename__ = "flag_rule"
    __table_args__ = (
        UniqueConstraint(
            "key",
            "scope",
            "agent_id",
            "user_id",
            name="flag_rule_once",
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)  # agent, user, percentage
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("app_user.id"))
    percent: Mapped[int | None]  # of all agents
    salt: Mapped[str] = mapped_column(Text)  # kept when the percentage grows, so it only adds
    value: Mapped[bool]
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    author: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
