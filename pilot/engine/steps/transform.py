"""Reshapes data with up to 20 operations: filter, sort, group, join, render a table and more.

It never asks a model and touches nothing outside. Output: the value that the last operation gives.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictStr, model_validator

from pilot.engine.acting.outcomes import Done, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Expression, Kind, StepFields
from pilot.engine.transforms import compile_operations

IO = False
MAX_OPERATIONS = 20


class Params(StepFields):
    """Data and what is done to it: one operation, or several in order."""

    type: Literal["transform"]
    input: Expression = None
    operation: Annotated[StrictStr | None, Kind.OPERATION] = None
    config: dict[str, Any] | None = None
    operations: Annotated[list[dict[str, Any]] | None, Kind.OPERATION] = Field(
        None, min_length=1, max_length=MAX_OPERATIONS
    )

    @model_validator(mode="after")
    def _is_written_one_way(self) -> "Params":
        if (self.operation is None) == (self.operations is None):
            raise ValueError("A transform has either operation with config or operations.")
        if self.operations is not None and self.config is not None:
            raise ValueError("With operations, each has its own config: move config into one.")
        return self

    def pipeline(self) -> list[dict[str, Any]]:
        """Return the operations in order, whichever way they were written."""
        if self.operations is not None:
            return self.operations
        return [{"operation": self.operation, "config": self.config or {}}]


WORDS = {
    "filter": "keep",
    "rows_to_objects": "name the columns",
    "parse": "read as what it is:",
    "with_fields": "add",
    "map": "make rows of",
    "select": "take only",
    "set_difference": "leave out what is there already",
    "deduplicate": "take out doubles",
    "render_table": "make a table of",
}


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return the operations in order."""
    listed = step.get("operations") or [step]
    done = [_describe(one) for one in listed if isinstance(one, dict)]
    told = "; ".join(done)
    if not step.get("input"):
        return told[:1].upper() + told[1:]
    return f"Take {wording.expression(step['input'])}; {told}"


def _describe(operation: dict[str, Any]) -> str:
    config = operation.get("config")
    given = config if isinstance(config, dict) else {}
    known = str(operation.get("operation"))
    name = WORDS.get(known, known.replace("_", " "))
    if known == "set" and "value" in given:
        return f"give {wording.literal(given['value'])}"
    if "condition" in given:
        return f"{name} where {wording.condition(given['condition'])}"
    if isinstance(given.get("by"), list):
        return f"{name} by {', '.join(map(_key, given['by']))}"
    names = given.get("fields", given.get("columns", given.get("types")))
    listed = list(names) if isinstance(names, dict | list) else []
    shown = ", ".join(one if isinstance(one, str) else str(one.get("field")) for one in listed[:8])
    return f"{name} {shown}".strip()


def _key(key: Any) -> str:
    """Return a field that rows are sorted or compared by, with its direction unless it rises."""
    if not isinstance(key, dict):
        return str(key)
    return f"{key.get('field', '')}{' descending' if key.get('direction') == 'desc' else ''}"


def run(step: Params, context: StepContext) -> Done:
    """Apply the operations to the input."""
    pipeline = context.compiled(step.id, "operations", lambda: compile_operations(step.pipeline()))
    given = context.compiled(step.id, "input", lambda: compile_field(step.input))
    transformed = pipeline.run(given.evaluate(context.scope), context.scope)
    return Done(transformed.value, list(transformed.notes))
