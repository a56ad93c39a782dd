"""The second factor of a person's sign-in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base


class SecondFactor(Base):
    """The sealed secret that a person's app makes codes of."""

    __tablename__ = "second_factor"

    owner_id: Mapped[UUID] = mapped_column(
        ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True
    )
    sealed: Mapped[str] = mapped_column(Text)
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # None: not on
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")  # its code was used


class RecoveryCode(Base):
    """A code that signs in once in place of the app; only its SHA-256 is stored."""

    __tablename__ = "recovery_code"

    owner_id: Mapped[UUID] = mapped_column(
        ForeignKey("second_factor.owner_id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
