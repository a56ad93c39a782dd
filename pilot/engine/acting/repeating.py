"""What loops and scatters share: steps that run for each item, and what their failures mean."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Discriminator, Field, StrictInt, StrictStr, Tag

from pilot.engine.acting.outcomes import StepContext
from pilot.engine.expressions import Scope
from pilot.engine.expressions.values import kind
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Body, Part, StepFields, StepId, Template
from pilot.engine.status import StepStatus
from pilot.errors import ErrorClass, ExpressionError, StepError

MAX_ITEMS = 10_000  # of executions that were started before there was a setting
_PERCENT = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%\s*")
RESERVED = frozenset({"inputs", "steps", "index", "loop", "memory", "execution", "error"})
OUTPUT_FIELDS: dict[str, Any] = {
    "items": {"type": "array"},
    "errors": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "index": {"type": "integer"},
                "key": {},
                "class": {"type": "string"},
                "message": {"type": "string"},
            },
            "required": ["index", "key", "class", "message"],
            "additionalProperties": False,
        },
    },
    "total": {"type": "integer"},
    "succeeded": {"type": "integer"},
    "failed": {"type": "integer"},
    "truncated": {"type": "boolean"},
}


def _tolerable(value: int | str) -> int | str:
    share = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if not (share and float(share[1]) <= 100) and not (isinstance(value, int) and value >= 0):
        raise ValueError("tolerate is a number of items from 0, or a share like 5%.")
    return value


class Tolerate(Part):
    """How many items may fail: a number, or a share of all like 5%."""

    tolerate: Annotated[StrictInt | StrictStr, AfterValidator(_tolerable)]

    def of(self, total: int) -> int:
        """Return how many of so many items may fail."""
        if isinstance(self.tolerate, int):
            return self.tolerate
        share = _PERCENT.fullmatch(self.tolerate)
        return math.floor(total * float(share[1]) / 100) if share else 0


def _failure_tag(value: Any) -> str:
    return "#tolerate" if isinstance(value, dict | Tolerate) else "#mode"


# Tags begin with # so that they can be told from keys in the places of errors.
Failure = Annotated[
    Annotated[Literal["stop", "collect"], Tag("#mode")] | Annotated[Tolerate, Tag("#tolerate")],
    Discriminator(_failure_tag),
]


def _free(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name} is a name of expressions already: call the item something else.")
    return name


class RepeatFields(StepFields):
    """The steps that run for each item, the item's name, and what comes of it."""

    steps: Body = Field(min_length=1)
    item_name: Annotated[StepId, AfterValidator(_free)] = "item"
    output: Template = Field(
        None, description="What an item gives; without it, the output of the last step."
    )
    failure: Failure = Field(
        "stop", description="stop, collect, or {tolerate: n or 5%}: what a failed item means."
    )

    def may_fail(self, total: int) -> int:
        """Return how many of so many items may fail without failing the step."""
        return may_fail(self.failure, total)


def may_fail(failure: Any, total: int) -> int:
    """Return how many of so many items may fail by this policy."""
    if isinstance(failure, Tolerate):
        return failure.of(total)
    return total if failure == "collect" else 0


@dataclass(frozen=True)
class Round:
    """How the steps ran for one item."""

    index: int
    status: StepStatus
    output: Any = None
    error: dict[str, Any] | None = None
    mended: bool = False  # a step in it failed, which was tolerated


def listed(step_id: str, written: Any, context: StepContext) -> list[Any]:
    """Return the items that an expression gives.

    Raises:
        ExpressionError: it cannot be evaluated.
        StepError: no list (class input), or one beyond the setting (class limit).
    """
    given = context.compiled(step_id, "items", lambda: compile_field(written))
    items = given.evaluate(context.scope)
    if not isinstance(items, list):
        what = kind(items)
        got = {"null": what, "object": "an object"}.get(what, f"a {what}")
        raise StepError(ErrorClass.INPUT, f"items must be a list; it is {got}.")
    most = int(context.execution["settings"].get("pilot_max_items", MAX_ITEMS))
    if len(items) > most:
        text = f"There are {len(items):,} items, more than {most:,}: filter or split them first."
        raise StepError(ErrorClass.LIMIT, text)
    return items


def of_inputs(written: Any, inputs: Any, now: datetime, zone: ZoneInfo) -> Any:
    """Return what an expression field gives if the inputs alone decide it, else None."""
    try:
        compiled = compile_field(written)
        if any(read[0] != "inputs" for read in compiled.reads):
            return None
        return compiled.evaluate(Scope({"inputs": inputs}, now, zone))
    except ExpressionError:
        return None


def gathered(rounds: list[Round], keys: list[Any], total: int) -> dict[str, Any]:
    """Return the output of all items: of failed ones why, of the others what they gave.

    Whether a bound kept some of them from being run, `truncated`, who ran them puts in.
    """
    failed = [one for one in rounds if one.status is StepStatus.FAILED]
    done = [one for one in rounds if one.status is StepStatus.COMPLETED]
    return {
        "items": [one.output for one in done],
        "errors": [
            {
                "index": one.index,
                "key": keys[one.index] if keys else None,
                "class": str((one.error or {}).get("class", "internal")),
                "message": str((one.error or {}).get("message", "")),
            }
            for one in failed
        ],
        "total": total,
        "succeeded": len(done),
        "failed": len(failed),
    }
