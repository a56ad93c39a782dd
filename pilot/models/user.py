"""People, their sign-in sessions and one-use tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt, Id


class User(Base):
    """A person. Roles: admin, operator, approver, viewer; several may be held."""

    __tablename__ = "app_user"
    __table_args__ = (Index("app_user_by_name", "name", "id"),)

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)  # None: invited, none chosen yet
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    zone: Mapped[str] = mapped_column(Text, server_default="UTC")
    active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[CreatedAt]


class PersonKey(Base):
    """What opens the person's data in the audit trail; erasing them deletes it."""

    __tablename__ = "person_key"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(Text, deferred=True)


class UserSession(Base):
    """One signed-in browser: only the SHA-256 of its cookie is stored."""

    __tablename__ = "user_session"
    __table_args__ = (Index("user_session_by_user", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[CreatedAt]
    last_seen_at: Mapped[CreatedAt]
    proved_at: Mapped[CreatedAt]  # when the password was last given
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    address: Mapped[str] = mapped_column(Text)
    browser: Mapped[str] = mapped_column(Text)


class OneTimeToken(Base):
    """A link that works once: of the first run, an invitation, a new password."""

    __tablename__ = "one_time_token"
    __table_args__ = (Index("one_time_token_by_user", "user_id"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SignInFailure(Base):
    """One failed sign-in, kept for throttling by account and by address."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (
        Index("sign_in_failure_by_email", "email", "at"),
        Index("sign_in_failure_by_address", "address", "at"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    at: Mapped[CreatedAt]


class ResetRequest(Base):
    """Somebody asked for a new password by mail, kept for an hour to limit how often."""

    __tablename__ = "reset_request"
    __table_args__ = (
        Index("reset_request_by_email", "email", "at"),
        Index("reset_request_by_address", "address", "at"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    at: Mapped[CreatedAt]
