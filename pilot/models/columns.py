"""Column types that several tables share."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import JSON, DateTime, Numeric, text
from sqlalchemy.orm import mapped_column

NOW = text("pilot_now()")
USD = Numeric(20, 12)

Id = Annotated[UUID, mapped_column(primary_key=True, server_default=text("uuidv7()"))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=NOW)]
# `json`, not `jsonb`: it keeps the order of keys, so a stored output equals the live one.
Json = Annotated[Any, mapped_column(JSON(none_as_null=True))]
