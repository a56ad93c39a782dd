"""A past execution as a replay takes it: what its steps were given and gave, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pilot.engine.status import StepStatus


@dataclass(frozen=True)
class Recorded:
    """How a step of it ended."""

    what: str  # its type, of an action also which
    status: StepStatus
    input: Any
    output: Any  # or its blob
    error: dict[str, Any] | None
    started_at: datetime  # the time that it read


@dataclass(frozen=True)
class Replay:
    """A past execution that a simulated one follows."""

    execution_id: UUID
    model: str | None  # who is asked anew instead of taking recorded answers
    about: Mapping[str, Any]  # its mode and trigger, as expressions read them
    started_at: datetime
    steps: Mapping[str, Recorded]  # by path
