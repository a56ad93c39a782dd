"""What the API answers about executions."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, RootModel

from pilot.api import Money
from pilot.engine.status import ExecutionStatus


class Listing(BaseModel):
    """A page of executions."""

    items: list[dict[str, Any]]
    next: str | None


class Result(BaseModel):
    """How an execution stands."""

    success: bool | None
    execution_id: UUID
    pilot: bool
    status: ExecutionStatus
    output: Any
    error: dict[str, Any] | None
    steps: dict[str, int]
    duration_ms: int | None
    tokens: int
    cost_usd: Money | None = Field(description="Null: no call of it has a price.")
    cost_with_children_usd: Money = Field(
        description="With the executions within that it pays, of all calls that have a price."
    )
    estimated_usd: Money | None = Field(
        description="Of it what nobody knows exactly; null: some of its calls are deleted."
    )
    unpriced_calls: int


class Whole(BaseModel):
    """An execution with its steps, attempts and calls."""

    id: UUID
    agent_id: UUID
    status: ExecutionStatus
    steps: list[dict[str, Any]]
    tokens: int = Field(description="Of its own calls, as the providers said.")
    spent_tokens: int = Field(
        description="With what it started; where nobody said, the most that a call could take."
    )


class Receipt(BaseModel):
    """What a resume or retry would do, as of an event sequence."""

    sequence: int
    reused: list[str]
    runs: list[str]
    asks: list[str]
    repeats: list[str] = Field(description="Effects that happen once more, under new keys.")
    stale: list[str] = Field(
        description="Steps that keep their results although what they depend on runs again."
    )
    kept_ms: int
    kept_usd: Money
    kept_unpriced: int = Field(description="Reused calls whose price is unknown.")


class Output(RootModel[Any]):
    """What it gave, whole."""


class Outputs(BaseModel):
    """What it gave; of a large output a digest, with its hash as `blob`."""

    output: Any
    steps: dict[str, Any]


class Why(BaseModel):
    """Where it stands, and why."""

    status: ExecutionStatus
    why: str


class Expected(BaseModel):
    """What it usually takes; null: its document cannot be read."""

    forecast: dict[str, Any] | None
    working_ms: int
    cost_usd: Money | None
    unpriced_calls: int


class Events(BaseModel):
    """Lines of the timeline, oldest first."""

    items: list[dict[str, Any]]
