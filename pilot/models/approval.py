"""Approvals and their votes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, JSON, DateTime, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Moment


class Approval(Base):
    """A question to people, bound by hash to the payload they are shown; or a form for them."""

    __tablename__ = "approval"
    __table_args__ = (
        Index("approval_open", "expires_at", postgresql_where=text("decided_at IS NULL")),
        Index("approval_by_execution", "execution_id"),
        Index("approval_by_time", "requested_at", "id"),
        Index("approval_by_deadline", "expires_at", "id"),
        Index(
            "approval_given",
            "path",
            "requested_at",
            postgresql_where=text("decision = 'approved'"),
        ),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(Text, server_default="approval")  # or form
    owner_id: Mapped[UUID]
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("execution.id", ondelete="CASCADE"))
    wait_id: Mapped[UUID] = mapped_column(ForeignKey("wait.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    # Canonical JSON: exactly what was hashed and shown; of a large one the terms have an excerpt.
    payload: Mapped[str] = mapped_column(Text, deferred=True)
    payload_hash: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)  # any, all, majority, quorum
    needed: Mapped[int]  # approvals that settle it
    approver_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    require_comment: Mapped[str] = mapped_column(Text)  # never, reject, always
    on_timeout: Mapped[str] = mapped_column(Text)  # reject, approve, escalate, fail, branch
    terms: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what later rounds go by
    requested_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]
    decision: Mapped[str | None] = mapped_column(
        Text
    )  # approved, rejected, submitted, expired, void, cancelled
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None]
    round: Mapped[int] = mapped_column(server_default="1")  # votes of earlier ones do not count
    level: Mapped[int] = mapped_column(server_default="0")  # of its escalation
    edited: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")  # values by place
    delegations: Mapped[list[dict[str, Any]]] = mapped_column(
        JSON, server_default="[]"
    )  # {round, level, from, to}, in order
    was_asked: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")  # earlier

    @property
    def excerpt(self) -> dict[str, Any] | None:
        """Return what pages and messages show of a large payload; None: it is shown whole."""
        found: dict[str, Any] | None = (self.terms or {}).get("excerpt")
        return found


class Vote(Base):
    """One person's answer to one round of an approval."""

    __tablename__ = "vote"

    approval_id: Mapped[UUID] = mapped_column(
        ForeignKey("approval.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    owner_id: Mapped[UUID]
    decision: Mapped[str] = mapped_column(Text)  # approved or rejected
    comment: Mapped[str] = mapped_column(Text, server_default="")
    payload_hash: Mapped[str] = mapped_column(Text)
    at: Mapped[CreatedAt]
