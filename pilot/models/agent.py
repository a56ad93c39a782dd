"""Agents, their immutable workflow versions and saved inputs."""

from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pilot import older
from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json
from pilot.older import Conversion


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
    """One saved workflow; never changed. `written` NULL: the agent has no pilot steps.

    What an older builder wrote stays as it wrote it; everybody reads `document`.
    """

    __tablename__ = "workflow_version"
    __table_args__ = (UniqueConstraint("agent_id", "number"),)

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    number: Mapped[int]
    written: Mapped[Json | None] = mapped_column("document")
    document_hash: Mapped[str] = mapped_column(Text)  # of what is written
    written_inputs: Mapped[Json | None] = mapped_column("inputs_schema")
    workflow_steps: Mapped[Json]  # the display list, derived from the document
    author_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    reason: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)  # generated, edited, restored, imported, demo
    generation_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]

    @cached_property
    def conversion(self) -> Conversion | None:
        """What an older builder wrote, as ours; None: it is ours."""
        if self.written is None or (
            isinstance(self.written, dict) and not older.is_older(self.written)
        ):
            return None
        return older.convert(self.written, self.written_inputs)

    @property
    def document(self) -> Any | None:
        """The workflow, None: the agent has no pilot steps."""
        return self.written if self.conversion is None else self.conversion.document

    @property
    def inputs_schema(self) -> Any | None:
        """The schema of its inputs."""
        if self.conversion is None:
            return self.written_inputs
        return self.conversion.document.get("inputs")


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
