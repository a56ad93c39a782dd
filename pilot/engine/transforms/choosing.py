"""Operations that keep some of the elements: filter, find, partition, limit, split."""

from typing import Any, Literal

from pydantic import Field, StrictInt

from pilot.engine.transforms.fields import Config, CountOrTemplate, Once, RowCondition
from pilot.engine.transforms.registry import Run, operation, same
from pilot.engine.transforms.rowwise import matches
from pilot.engine.transforms.shapes import Shape
from pilot.errors import type_json

OnNull = Literal["skip", "error"]
_ON_NULL: Any = Field("skip", description="A row whose condition meets null: skip it, or fail.")
_CONDITION: Any = Field(description="Expression over `item`, or a structured condition.")


class Filter(Config):
    """What the rows must meet."""

    condition: RowCondition = _CONDITION
    on_null: OnNull = _ON_NULL


@operation(Filter, need="list", shape=same)
def filter_(values: list[type_json], config: Filter, run: Run) -> list[type_json]:
    """Keeps the rows that meet the condition.

    A row whose condition fails because of a null does not match; how many did is noted.
    """
    kept = matches(run, config.condition, values, on_null=config.on_null)
    return [value for value, keep in zip(values, kept, strict=True) if keep]


def _one(shape: Shape, _config: Filter) -> Shape:
    return Shape("object", shape.columns) if shape.kind == "rows" else Shape()


@operation(Filter, need="list", shape=_one)
def find(values: list[type_json], config: Filter, run: Run) -> type_json:
    """Gives the first row that meets the condition, or null."""
    kept = matches(run, config.condition, values, on_null=config.on_null)
    return next((value for value, keep in zip(values, kept, strict=True) if keep), None)


@operation(Filter, need="list", shape=Shape("object", ("matched", "rest")))
def partition(values: list[type_json], config: Filter, run: Run) -> dict[str, type_json]:
    """Splits the rows in two: {matched, rest}."""
    kept = matches(run, config.condition, values, on_null=config.on_null)
    pairs = list(zip(values, kept, strict=True))
    return {
        "matched": [value for value, keep in pairs if keep],
        "rest": [value for value, keep in pairs if not keep],
    }


class Limit(Config):
    """How many elements, and from where."""

    count: CountOrTemplate = Field(description="At most so many; may be a template.")
    offset: CountOrTemplate | None = Field(None, description="Skip so many first; 0 by default.")


@operation(Limit, need="list", shape=same)
def limit(values: list[type_json], config: Limit, run: Run) -> list[type_json]:
    """Keeps the first elements, after skipping some."""
    start = 0 if config.offset is None else _count(run, config.offset, "offset")
    return values[start : start + _count(run, config.count, "count")]


def _count(run: Run, once: Once, what: str) -> int:
    number = run.value(once)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise run.failure(f"{what} must be a whole number from 0; it is {str(number)[:60]!r}.")
    return number


class Split(Config):
    """How large the parts are."""

    size: StrictInt = Field(ge=1, le=100_000, description="Elements per part; the last has fewer.")


@operation(Split, need="list", shape=Shape("list"))
def split(values: list[type_json], config: Split, _run: Run) -> list[type_json]:
    """Cuts the list into lists of a size."""
    return [values[at : at + config.size] for at in range(0, len(values), config.size)]
