"""One action for many executions: what was asked, and what became of each."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Json, Moment


class Bulk(Base):
    """An action that somebody asked for on all executions that matched."""

    __tablename__ = "bulk"
    __table_args__ = (
        Index("bulk_by_owner", "owner_id", "created_at", "id"),
        Index("bulk_open", "created_at", postgresql_where=text("finished_at IS NULL")),
        Index("bulk_old", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))  # who asked
    action: Mapped[str] = mapped_column(Text)  # cancel, pause, resume or retry
    filters: Mapped[Json]  # that the list had, by name
    sees_all: Mapped[bool]  # an administrator asked: for the executions of all
    actor: Mapped[Json]  # as the audit trail names who asked
    as_of: Mapped[Moment]  # what was created later is not meant
    previewed: Mapped[int | None]  # how many matched when somebody looked
    matched: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class BulkItem(Base):
    """One of its executions. No foreign key: it would lock thousands of rows that workers write."""

    __tablename__ = "bulk_item"
    __table_args__ = (
        Index(
            "bulk_item_open", "bulk_id", "execution_id", postgresql_where=text("status = 'open'")
        ),
    )

    bulk_id: Mapped[UUID] = mapped_column(
        ForeignKey("bulk.id", ondelete="CASCADE"), primary_key=True
    )
    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(Text, server_default="open")  # done, skipped, failed
    reason: Mapped[str] = mapped_column(Text, server_default="")  # why not
    tries: Mapped[int] = mapped_column(server_default="0")  # that failed
    due_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
