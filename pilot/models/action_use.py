"""What counts against the limits of actions."""

from uuid import UUID

from sqlalchemy import Index, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt


class ActionUse(Base):
    """One call of an action, counted once for its idempotency key and each rule."""

    __tablename__ = "action_use"
    __table_args__ = (Index("action_use_by_action", "owner_id", "action", "at"),)

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[UUID] = mapped_column(primary_key=True)
    rule: Mapped[int] = mapped_column(SmallInteger, primary_key=True)  # its place in the action
    action: Mapped[str] = mapped_column(Text)
    execution_id: Mapped[UUID]
    amount: Mapped[int]
    at: Mapped[CreatedAt]
