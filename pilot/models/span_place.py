"""How far spans were told to an OpenTelemetry collector."""

from uuid import UUID

from sqlalchemy import Boolean
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import Moment


class SpanPlace(Base):
    """The one row about the execution that was told last; who looks holds it for a while."""

    __tablename__ = "span_place"

    single: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default="true")
    at: Mapped[Moment]  # when it ended
    id: Mapped[UUID]
    held_until: Mapped[Moment]
