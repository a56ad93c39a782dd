"""Runs its steps for each item, many at the same time, and gathers what comes of them.

Output: `{items, errors, total, succeeded, failed, truncated}`, and `value` if the outputs are
merged or reduced. Its steps see `item` (also under the name that `item_name` gives it) and `index`.
An item that waits is one of `max_concurrency`; without that, all may wait side by side.
"""

from typing import Any, Literal

from pydantic import Field, StrictInt, StrictStr, model_validator

from pilot import strictjson
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
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Expression, Part
from pilot.engine.transforms.measures import Measuring
from pilot.engine.transforms.registry import Run
from pilot.errors import ErrorClass, StepError, type_json

IO = False
BODIES = {"steps": "/steps"}
REPEATS = ("output", "item_key")  # fields that are evaluated once for each item
READS_INNER = ("output",)  # those of them that see what the steps inside gave
MAX_NAMED = 5
OUTPUT = {
    "type": "object",
    "properties": {**OUTPUT_FIELDS, "value": {}},
    "required": list(OUTPUT_FIELDS),
    "additionalProperties": False,
}


class Gather(Part):
    """How the outputs of all items come together."""

    operation: Literal["collect", "merge", "reduce"] = "collect"
    op: Literal["sum", "count", "avg", "min", "max", "concat", "merge"] | None = Field(
        None, description="reduce: what is made of the outputs."
    )
    field: StrictStr | None = Field(
        None, min_length=1, description="reduce: the field of the outputs that is taken."
    )


class Params(RepeatFields):
    """Items, how many of them at the same time, and what is made of their outputs."""

    type: Literal["scatter_gather"]
    items: Expression
    item_key: Expression | None = Field(None, description="Names an item in errors and retries.")
    max_concurrency: StrictInt | None = Field(
        None, ge=1, le=1_000, description="Items at the same time; else as many as steps."
    )
    gather: Gather = Gather()

    @model_validator(mode="after")
    def _gathers_one_way(self) -> "Params":
        if (self.gather.operation == "reduce") != (self.gather.op is not None):
            raise ValueError("gather needs op with the operation reduce, and only then.")
        if self.gather.field is not None and self.gather.op is None:
            raise ValueError("gather takes field with the operation reduce only.")
        return self

    @property
    def at_once(self) -> int | None:
        """How many items run at the same time; None: as many as steps may."""
        return self.max_concurrency


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what it runs for."""
    return f"For each of {wording.expression(step.get('items', ''))}, side by side"


def run(step: Params, context: StepContext) -> Enter:
    """Look at the items before the first one runs."""
    found = items(step, context)
    _keys(step, found, context)
    return Enter({"total": len(found), "at": context.scope.now.isoformat()})


def items(step: Params, context: StepContext) -> list[type_json]:
    """Return the items that it runs for."""
    return listed(step.id, step.items, context)


def _keys(step: Params, found: list[type_json], context: StepContext) -> list[type_json]:
    """Return the keys of the items, none if they have none.

    Raises:
        StepError: two items have the same key (class input).
    """
    if step.item_key is None:
        return []
    key = context.compiled(step.id, "item_key", lambda: compile_field(step.item_key))
    named = {step.item_name: None}
    keys = [
        key.evaluate(context.scope.child(**(dict.fromkeys(named, one) | {"item": one}), index=n))
        for n, one in enumerate(found)
    ]
    first: dict[str, int] = {}
    double: list[str] = []
    for number, one in enumerate(keys):
        text = strictjson.canonical(one)
        if first.setdefault(text, number) != number:
            double.append(f"{text} (items {first[text]} and {number})")
    if double:
        more = f", and {len(double) - MAX_NAMED} more" if len(double) > MAX_NAMED else ""
        text = f"Items have the same key: {', '.join(double[:MAX_NAMED])}{more}."
        raise StepError(ErrorClass.INPUT, text)
    return keys


def leave(step: Params, rounds: list[Round], total: int, context: StepContext) -> type_json:
    """Return the output once the last item is finished."""
    keys = _keys(step, items(step, context), context)
    output = gathered(rounds, keys, total)
    if step.gather.operation == "collect":
        return output
    op = step.gather.op or "merge"
    if op == "count" and step.gather.field is None:  # what gave null counts too
        return output | {"value": output["succeeded"]}
    measuring = Measuring(Run("gather", context.scope), step.gather.field or "the output")
    cells = [
        (one.index + 1, _taken(one.output, step.gather.field))
        for one in rounds
        if one.output is not None
    ]
    return output | {"value": measuring.measure(op, cells)}


def _taken(output: type_json, field: str | None) -> type_json:
    if field is None:
        return output
    return output.get(field) if isinstance(output, dict) else None
