"""Worker processes, one row per start."""

from datetime import datetime

from sqlalchemy import DateTime, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id, Moment

# Whether a worker is there that takes work.
WORKER_LIVES = (
    "EXISTS (SELECT 1 FROM worker WHERE stopped_at IS NULL AND NOT draining "
    "AND lease_until > pilot_now())"
)
LIVE_WORKER = text(f"SELECT {WORKER_LIVES}")


class Worker(Base):
    """A worker: alive while it beats, or while its lease lasts."""

    __tablename__ = "worker"
    __table_args__ = (Index("worker_live", "id", postgresql_where=text("stopped_at IS NULL")),)

    id: Mapped[Id]
    number: Mapped[int] = mapped_column(Integer, unique=True)  # names its advisory lock
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(Text)
    started_at: Mapped[CreatedAt]
    heartbeat_at: Mapped[CreatedAt]
    lease_until: Mapped[Moment]
    draining: Mapped[bool] = mapped_column(server_default="false")
    stopped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
