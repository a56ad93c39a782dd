"""What is made of many values: sums, averages, counts, the least, the first, a list of all."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from pilot.engine.expressions.texts import as_text
from pilot.engine.expressions.values import number as json_number
from pilot.engine.transforms.amounts import mean, number_of, total
from pilot.engine.transforms.incoming import kind_of
from pilot.engine.transforms.keys import Index
from pilot.engine.transforms.ordering import sort_keys
from pilot.engine.transforms.registry import Run
from pilot.errors import ErrorClass, ExpressionError, StepError, type_json

Op = Literal[
    "sum", "avg", "min", "max", "count", "count_distinct", "first", "last", "concat", "list"
]
ReduceOp = Literal["count", "sum", "avg", "min", "max", "concat", "merge", "any", "all"]

Cell = tuple[int, type_json]  # number of its row, from 1, and its value

_SEPARATOR = ", "
_NULLS_COUNT = {"first", "last", "list"}
_NULLS_NOTED = {"sum", "avg", "min", "max", "concat", "merge", "any", "all"}


@dataclass
class Measuring:
    """Values that are measured under one name, for one or for many groups."""

    run: Run
    label: str
    seen: Counter[str] = field(default_factory=Counter)

    def measure(self, op: Op | ReduceOp, cells: list[Cell]) -> type_json:
        """Return what the operator makes of the values; null is left out where it means nothing.

        Raises:
            StepError: class input, if a value is of the wrong kind; it names its row.
        """
        present = [cell for cell in cells if cell[1] is not None]
        if op in _NULLS_NOTED:
            self.seen["null"] += len(cells) - len(present)
        self.seen["all"] += len(cells)
        return _MEASURES[op](self, cells if op in _NULLS_COUNT else present)

    def note_nulls(self) -> None:
        """Say how many values were left out because they are null."""
        if self.seen["null"]:
            count = f"{self.seen['null']} of {self.seen['all']}"
            self.run.note(f"{count} values of {self.label} are null and were left out.")

    def wrong(self, cell: Cell, wanted: str) -> StepError:
        """Return the error about one value."""
        number, value = cell
        shown = repr(value[:60]) if isinstance(value, str) else kind_of(value)
        return self.run.failure(f"row {number}: {self.label} is {shown}, not {wanted}.")


def _numbers(this: Measuring, cells: list[Cell]) -> list[Decimal]:
    found: list[Decimal] = []
    for cell in cells:
        number = number_of(cell[1])
        if number is None:
            advice = " (parse reads numbers written in other ways)" * isinstance(cell[1], str)
            raise this.wrong(cell, f"a number{advice}")
        found.append(number)
    return found


def _as_json(this: Measuring, number: Decimal) -> type_json:
    try:
        return json_number(number)
    except ExpressionError as error:
        raise this.run.failure(f"{this.label}: {error.message}", ErrorClass.LIMIT) from None


def _sum(this: Measuring, cells: list[Cell]) -> type_json:
    return _as_json(this, total(_numbers(this, cells)))


def _avg(this: Measuring, cells: list[Cell]) -> type_json:
    return _as_json(this, mean(_numbers(this, cells))) if cells else None


def _extreme(choose: Callable[..., int]) -> Callable[[Measuring, list[Cell]], type_json]:
    def extreme(this: Measuring, cells: list[Cell]) -> type_json:
        numbers, values = [cell[0] for cell in cells], [cell[1] for cell in cells]
        try:
            keys = sort_keys(values, None, this.run.scope, numbers)
        except ValueError as error:
            raise this.run.failure(f"{this.label}: {error}.") from None
        filled = [at for at, key in enumerate(keys) if key is not None]
        return values[choose(filled, key=keys.__getitem__)] if filled else None

    return extreme


def _count(_this: Measuring, cells: list[Cell]) -> type_json:
    return len(cells)


def _count_distinct(_this: Measuring, cells: list[Cell]) -> type_json:
    index = Index[None]()
    return sum(len(index.add(value, None)) == 1 for _, value in cells)


def _first(_this: Measuring, cells: list[Cell]) -> type_json:
    return cells[0][1] if cells else None


def _last(_this: Measuring, cells: list[Cell]) -> type_json:
    return cells[-1][1] if cells else None


def _list(_this: Measuring, cells: list[Cell]) -> type_json:
    return [value for _, value in cells]


def _concat(this: Measuring, cells: list[Cell]) -> type_json:
    """Join lists to one list, texts to one text; numbers count as texts."""
    if cells and all(isinstance(value, list) for _, value in cells):
        return [element for _, value in cells for element in value]
    for cell in cells:
        if isinstance(cell[1], bool | list | dict):
            raise this.wrong(cell, "a text (all texts, or all lists)")
    return _SEPARATOR.join(as_text(value) for _, value in cells)


def _merge(this: Measuring, cells: list[Cell]) -> type_json:
    """Merge objects, the later one wins; null, which absent fields have, does not overwrite."""
    merged: dict[str, Any] = {}
    for cell in cells:
        if not isinstance(cell[1], dict):
            raise this.wrong(cell, "an object")
        merged |= {
            name: value
            for name, value in cell[1].items()
            if value is not None or name not in merged
        }
    return merged


def _truth(choose: Callable[[list[bool]], bool]) -> Callable[[Measuring, list[Cell]], type_json]:
    def truth(this: Measuring, cells: list[Cell]) -> type_json:
        for cell in cells:
            if not isinstance(cell[1], bool):
                raise this.wrong(cell, "true or false; give a condition in `where`")
        return choose([value for _, value in cells])

    return truth


_MEASURES: dict[str, Callable[[Measuring, list[Cell]], type_json]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _extreme(min),
    "max": _extreme(max),
    "count": _count,
    "count_distinct": _count_distinct,
    "first": _first,
    "last": _last,
    "list": _list,
    "concat": _concat,
    "merge": _merge,
    "any": _truth(any),
    "all": _truth(all),
}
