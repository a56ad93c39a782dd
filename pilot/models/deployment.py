"""Whether this database was restored from a backup, and how often."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base


class Deployment(Base):
    """The one row about the installation itself."""

    __tablename__ = "deployment"

    id: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    epoch: Mapped[int] = mapped_column(server_default="0")  # how often it was restored
    backup_id: Mapped[UUID | None]  # that it was restored from
    restored_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
