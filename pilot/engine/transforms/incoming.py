"""Checks what an operation gets, and shows every row with all columns."""

from collections.abc import Iterable

from pilot.engine.language.spelling import suggestion
from pilot.engine.transforms.registry import Need, Run
from pilot.errors import ErrorClass, type_json

MAX_ROWS = 100_000
MAX_ADDED_CELLS = 2_000_000  # that rows get because other rows have them

Row = dict[str, type_json]


def receive(value: type_json, need: Need, run: Run) -> type_json:
    """Return a value as the operation needs it; objects get the columns they lack, with null.

    Raises:
        StepError: class input for null and for a wrong kind, limit for too many rows.
    """
    if need == "any":
        return value
    if value is None:
        message = "the input is null. An empty list is fine; null is not: check where it comes from"
        raise run.failure(f"{message}, or use default(.., []).")
    if not isinstance(value, list):
        raise run.failure(f"a list is needed, the input is {kind_of(value)}.{_lists_in(value)}")
    bounded(value, run)
    if need == "table":
        return _check_table(value, run)
    if need == "rows":
        _check_rows(value, run)
    return padded(value, run) if value and all(isinstance(row, dict) for row in value) else value


def bounded(rows: list[type_json], run: Run) -> list[type_json]:
    """Return the list, if it is not too long.

    Raises:
        StepError: class limit.
    """
    if len(rows) > MAX_ROWS:
        message = f"{len(rows):,} rows are more than {MAX_ROWS:,}: read less, or filter first."
        raise run.failure(message, ErrorClass.LIMIT)
    return rows


def padded(rows: list[Row], run: Run) -> list[Row]:
    """Return rows that all have the union of their keys, in the order they first came.

    Raises:
        StepError: class limit, if far too many cells would be added.
    """
    layouts = dict.fromkeys(map(tuple, rows))
    union = dict.fromkeys(key for layout in layouts for key in layout)
    if all(len(layout) == len(union) for layout in layouts):
        return rows
    check_added(len(rows) * len(union) - sum(map(len, rows)), run)
    blank: Row = dict.fromkeys(union)
    return [row if len(row) == len(blank) else {**blank, **row} for row in rows]


def objects(value: type_json, run: Run, what: str) -> list[Row]:
    """Return a second list of objects, with all their columns.

    Raises:
        StepError: class input, if it is none.
    """
    if not isinstance(value, list):
        raise run.failure(f"{what} must be a list of objects; it is {kind_of(value)}.")
    bounded(value, run)
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            message = f"{what} must be a list of objects; element {number} is {kind_of(row)}."
            raise run.failure(message)
    return padded(value, run)


def check_added(cells: int, run: Run) -> None:
    """Refuse to fill up rows of very different fields.

    Raises:
        StepError: class limit.
    """
    if cells > MAX_ADDED_CELLS:
        message = f"the rows have too many different fields: {cells:,} blank cells would be added."
        raise run.failure(message, ErrorClass.LIMIT)


def require(rows: list[Row], columns: Iterable[str], run: Run, where: str = "no row has") -> None:
    """Check that the rows have these columns; an empty list may lack any.

    Raises:
        StepError: class reference, with the nearest name.
    """
    for column in columns if rows else ():
        if column not in rows[0]:
            message = f"{where} the field {column!r}.{suggestion(column, rows[0])}"
            raise run.failure(message, ErrorClass.REFERENCE)


def kind_of(value: type_json) -> str:
    """Return what a JSON value is, in words."""
    kinds = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _check_rows(values: list[type_json], run: Run) -> None:
    for number, row in enumerate(values, 1):
        if not isinstance(row, dict):
            advice = " Put rows_to_objects before it." if isinstance(row, list) else ""
            message = f"a list of objects is needed; element {number} is {kind_of(row)}.{advice}"
            raise run.failure(message)


def _check_table(values: list[type_json], run: Run) -> list[type_json]:
    for number, row in enumerate(values, 1):
        if not isinstance(row, list):
            advice = " They are objects already: leave it out." if isinstance(row, dict) else ""
            message = f"a list of rows is needed; element {number} is {kind_of(row)}.{advice}"
            raise run.failure(message)
    return values


def _lists_in(value: type_json) -> str:
    if not isinstance(value, dict):
        return ""
    found = [key for key, inner in value.items() if isinstance(inner, list)]
    return f" It has lists under: {', '.join(found[:10])}." if found else ""
