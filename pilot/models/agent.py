"""Agents, their immutable workflow versions and saved inputs."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json


class Agent(Base):
    """What a user builds: goal, prompt, grants and (usually) a workflow."""

    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("id", "owner_id"),)

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    goal: Mapped[str] = mapped_column(Text, server_default="")
    prompt: Mapped[str] = mapped_column(Text, server_default="")
    grants: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    active: Mapped[bool] = mapped_column(server_default="true")
    demo: Mapped[bool] = mapped_column(server_default="false")
    version_number: Mapped[int] = mapped_column(server_default="0")  # the newest
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WorkflowVersion(Base):
    """One saved workflow; never changed. `document` NULL: the agent has no pilot steps."""

    __tablename__ = "workflow_version"
    __table_args__ = (UniqueConstraint("agent_id", "number"),)

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    number: Mapped[int]
    document: Mapped[Json | None]
    document_hash: Mapped[str] = mapped_column(Text)
    inputs_schema: Mapped[Json | None]
    workflow_steps: Mapped[Json]  # the display list, derived from the document
    author_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    reason: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)  # generated, edited, restored, imported, demo
    generation_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]


class AgentConfiguration(Base):
    """Inputs that a user saved for an agent; run mode takes the newest."""

    __tablename__ = "agent_configuration"

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    inputs: Mapped[Json]
    inputs_schema: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
