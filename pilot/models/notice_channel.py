"""Where approvers are told besides their mail."""

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import CreatedAt


class NoticeChannel(Base):
    """A channel of this installation; its address is a secret."""

    __tablename__ = "notice_channel"

    name: Mapped[str] = mapped_column(Text, primary_key=True)  # webhook, slack, teams
    host: Mapped[str] = mapped_column(Text)  # of the address, for pages
    sealed_url: Mapped[str | None] = mapped_column(Text, deferred=True)  # None: switched off
    sealed_secret: Mapped[str | None] = mapped_column(Text, deferred=True)  # that signs a webhook
    version: Mapped[int]
    set_at: Mapped[CreatedAt]
