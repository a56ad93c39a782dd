"""Links of one use that resolve a step that waits for an event."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Json


class ResumeLink(Base):
    """One link, by the SHA-256 of its token; what came by it before the step waited is kept."""

    __tablename__ = "resume_link"
    __table_args__ = (Index("resume_link_by_execution", "execution_id", "path"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    owner_id: Mapped[UUID]
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("execution.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_by: Mapped[UUID | None]  # who was signed in
    payload: Mapped[Json | None]
    consumed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # by the step
