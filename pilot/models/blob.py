"""Outputs too large for the rows that refer to them."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt


class Blob(Base):
    """A content, stored once per owner by its hash; written by `store_blob` (migration 0030)."""

    __tablename__ = "blob"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    media_type: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[CreatedAt]  # or last stored again
