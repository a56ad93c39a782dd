"""The rules that a workflow sets for its whole execution."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from pilot.engine.language.step_fields import SECONDS_PER_DAY, YEAR_S, Part, Template

USD_TEXT = re.compile(r"[0-9]{1,7}(\.[0-9]{1,6})?")
DEFAULT_DEADLINE_S = 30 * SECONDS_PER_DAY


def _usd(text: str) -> str:
    if not USD_TEXT.fullmatch(text) or not Decimal(text):
        expected = 'an amount in USD above 0 as text, such as "0.50"'
        raise PydanticCustomError("usd", "{expected}", {"expected": expected})
    return text


class Budget(Part):
    """What the calls to models of one execution may take."""

    cost_usd: Annotated[StrictStr, AfterValidator(_usd)] | None = Field(
        None, description='An amount as text: "0.50".'
    )
    tokens: StrictInt | None = Field(None, ge=1, le=1_000_000_000)
    on_limit: Literal["pause", "downgrade", "fail"] | None = Field(
        None,
        description="pause: a person may raise it; downgrade: a cheaper model, else pause; fail.",
    )


class OnFailure(Part):
    """Which agent is started once when an execution fails, and with which inputs."""

    agent: Annotated[StrictStr, Field(min_length=1, max_length=120)] = Field(
        description="Its name or id."
    )
    inputs: dict[str, Any] = Field(
        {}, description="Templates over inputs, error and execution; it gets failure as well."
    )


class Concurrency(Part):
    """How many executions of the agent with the same key go on at the same time."""

    key: Template = Field(
        "", description="Over inputs and execution, computed at the start; empty: all share one."
    )
    limit: StrictInt = Field(1, ge=1, le=1_000, description="Those that rest do not count.")
    on_conflict: Literal["queue", "reject", "cancel_running"] = Field(
        "queue",
        description="queue: it waits for its turn; reject: the start is refused; "
        "cancel_running: the oldest ones are cancelled, then it starts.",
    )


class Policies(Part):
    """Rules for the whole execution."""

    on_error: Literal["stop", "finish"] = Field(
        "stop", description="stop: nothing new starts after a failure; finish: the rest runs on."
    )
    deadline_s: Annotated[StrictFloat, Field(gt=0, le=YEAR_S)] = DEFAULT_DEADLINE_S
    max_parallel: StrictInt | None = Field(None, ge=1, le=64)
    budget: Budget = Budget()
    concurrency: Concurrency | None = None
    priority: StrictInt = Field(5, ge=0, le=9, description="0 is first.")
    output: Literal["fail", "warn"] = Field(
        "fail", description="What an output that misfits output_schema means."
    )
    compensate: StrictBool = Field(
        True,
        description="Whether finished steps are undone after a failure or a cancel.",
    )
    effects_approval: Literal["none", "external", "all"] = Field(
        "none",
        description="Which effects need an approval before them: external are those that reach "
        "others than the internal domains. Everybody's setting holds too: the stricter counts.",
    )
    on_failure: OnFailure | None = None
