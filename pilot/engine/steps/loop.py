"""Runs its steps for each item, one after another, or while a condition holds.

Output: `{items, errors, total, succeeded, failed, truncated}`. Its steps see `item` (also under the
name that `item_name` gives it), `index` and `loop` {index, first, last, count, previous}.
"""

from typing import Any, Literal

from pydantic import Field, StrictInt, model_validator

from pilot.engine.acting.outcomes import Enter, StepContext
from pilot.engine.acting.repeating import (
    OUTPUT_FIELDS,
    RepeatFields,
    Round,
    gathered,
    listed,
)
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.step_fields import Condition, Expression
from pilot.errors import ErrorClass, StepError, type_json

IO = False
BODIES = {"steps": "/steps"}
REPEATS = ("output", "while", "break_if")  # fields that are evaluated once for each item
READS_INNER = ("output", "break_if")  # those of them that see what the steps inside gave
OUTPUT = {
    "type": "object",
    "properties": OUTPUT_FIELDS,
    "required": list(OUTPUT_FIELDS),
    "additionalProperties": False,
}


class Params(RepeatFields):
    """Items or a condition, and how often at most."""

    type: Literal["loop"]
    items: Expression | None = None
    goes_on: Condition | None = Field(None, alias="while")
    max_iterations: StrictInt = Field(100, ge=1, le=10_000)
    break_if: Condition | None = Field(
        None, description="Asked after each item; true: the loop is finished."
    )
    over_limit: Literal["fail", "truncate"] = Field(
        "fail", description="More items than max_iterations: fail, or leave the rest out."
    )

    @model_validator(mode="after")
    def _repeats_one_way(self) -> "Params":
        if (self.items is None) == (self.goes_on is None):
            raise ValueError("A loop has either items or while: give one of them.")
        return self

    @property
    def at_once(self) -> int:
        """How many items run at the same time."""
        return 1


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what it repeats for."""
    if step.get("while") is not None:
        return f"Repeat while {wording.condition(step['while'])}"
    return f"For each of {wording.expression(step.get('items', ''))}, one after another"


def run(step: Params, context: StepContext) -> Enter:
    """Look at the items before the first one runs."""
    total = None if step.items is None else len(_given(step, context))
    return Enter({"total": total, "at": context.scope.now.isoformat()})


def items(step: Params, context: StepContext) -> list[type_json] | None:
    """Return the items that the loop runs for; None: as long as its condition holds."""
    return None if step.items is None else _given(step, context)[: step.max_iterations]


def _given(step: Params, context: StepContext) -> list[type_json]:
    found = listed(step.id, step.items, context)
    if len(found) > step.max_iterations and step.over_limit == "fail":
        text = (
            f"There are {len(found):,} items and max_iterations is {step.max_iterations:,}: "
            'raise it, filter the items, or set over_limit to "truncate".'
        )
        raise StepError(ErrorClass.LIMIT, text)
    return found


def goes_on(step: Params, context: StepContext, index: int) -> bool | None:
    """Return whether a loop with a condition runs once more; None: it would, but may not.

    Raises:
        StepError: it would, beyond its bound (class limit).
    """
    condition = context.compiled(step.id, "while", lambda: compile_condition(step.goes_on))
    if not condition.evaluate(context.scope):
        return False
    if index < step.max_iterations:
        return True
    if step.over_limit == "truncate":
        return None
    text = f"It still goes on after {index:,} times, which is max_iterations."
    raise StepError(ErrorClass.LIMIT, text)


def breaks(step: Params, context: StepContext) -> bool:
    """Return whether the loop is finished after an item."""
    if step.break_if is None:
        return False
    condition = context.compiled(step.id, "break_if", lambda: compile_condition(step.break_if))
    return bool(condition.evaluate(context.scope))


def leave(_: Params, rounds: list[Round], total: int | None, __: StepContext) -> type_json:
    """Return the output once the last item is finished."""
    return gathered(rounds, [], len(rounds) if total is None else total)
