"""Settles by which columns rows are sorted, and which way."""

from collections.abc import Sequence

from pilot.engine.planner.asking import Asking
from pilot.engine.planner.facts import Filter, Limit, Order
from pilot.engine.planner.grammar_shape import BY_DATE
from pilot.engine.planner.parsing import Parse, of

_WORTH = frozenset({"valuabl", "expensiv", "cheapest", "worth", "largest", "biggest"})
_LETTERS = frozenset({"alphabetical", "alphabetically"})
_COMPARED = frozenset({">", "<", ">=", "<=", "between"})
# Values that have an order of their own, the highest first; the letters say nothing about it.
_SCALES = (
    ("critical", "urgent", "highest", "very high", "high", "medium", "normal", "low", "lowest"),
    ("blocker", "critical", "major", "minor", "trivial"),
    ("large", "medium", "small"),
)


def scale(values: Sequence[str]) -> tuple[str, ...]:
    """Return these values from the highest to the lowest, or nothing if they are no scale."""
    present = {value.strip().lower() for value in values}
    for known in _SCALES:
        if len(present) > 1 and present <= set(known):
            return tuple(one for one in known if one in present)
    return ()


def settle_orders(
    parse: Parse, window: str | None, filters: Sequence[Filter], asking: Asking
) -> list[tuple[str, bool]]:
    """Return the columns to sort by, each with whether the last comes first; doubts are asked.

    Args:
        parse: the reading.
        window: the date column that the goal counts days of, if it does.
        filters: the conditions on rows.
        asking: where questions go.
    """
    found = of(parse, Order)
    first = [one for one in found if not one.later]
    direction = next((one.descending for one in first if one.descending is not None), None)
    columns: dict[str, bool] = {}
    for order in sorted(found, key=lambda one: one.later):
        column = _column(parse, order, window, asking)
        if column is None:
            continue
        shared = None if order.later else direction
        own = order.descending if order.descending is not None else shared
        columns.setdefault(column, _last_first(parse, column, descending=own))
    if found and not columns and not asking.questions:
        column = _unnamed(parse, window, filters, asking, direction=direction)
        columns = {column: bool(direction)} if column else {}
    return list(columns.items())


def single_best(parse: Parse, asking: Asking) -> bool:
    """Say whether "the lead with the highest value" is one row and not an order."""
    best = [one for one in of(parse, Order) if one.best and one.column is not None]
    if not best or of(parse, Limit):
        return False
    column = best[0].column.name if best[0].column else ""
    options = (f"Sort by {column}, that row first", f"Show only the row {best[0].best}")
    why = "It can be the order of the rows, or one row of them."
    chosen = asking.choose("best", f'What does "{best[0].best}" mean?', why, options)
    return chosen == options[1]


def _column(parse: Parse, order: Order, window: str | None, asking: Asking) -> str | None:
    if order.unclear:
        is_known = order.unclear == BY_DATE and window is not None
        return window if is_known else asking.order_column(order.unclear)
    if order.column is not None:
        name = asking.column(order.column, "the order")
        if name is None or not order.sized:
            return name
        column = parse.vocabulary.column(name)
        sorts = column.kind != "text" or scale(column.examples)
        return name if sorts else asking.order_column(f"the largest {name}")
    if order.sense is None:
        return None
    known = parse.vocabulary.sense_columns(order.sense)
    if window is not None and (window in known or not known):
        return window
    return asking.date_column(parse.vocabulary, order.sense, "the order")


def _last_first(parse: Parse, column: str, *, descending: bool | None) -> bool:
    """Return the direction; without one, the highest of a scale comes first."""
    if descending is None:
        return bool(scale(parse.vocabulary.column(column).examples))
    return descending


def _unnamed(
    parse: Parse,
    window: str | None,
    filters: Sequence[Filter],
    asking: Asking,
    *,
    direction: bool | None,
) -> str | None:
    """Return the column of "highest first": the one number that is compared, or the date."""
    if direction is None:
        return asking.order_column("the order")
    if _says(parse, "LARGEST", "SMALLEST"):
        return _size(parse, filters) or asking.order_column("the order")
    if any(token.word in _LETTERS for token in parse.chart.tokens):
        return parse.vocabulary.row_column or asking.order_column("the order")
    dates = [one.name for one in parse.vocabulary.sample.columns if one.kind == "date"]
    if len(dates) == 1 and _says(parse, "OLDEST", "NEWEST", "SOONEST"):
        return dates[0]
    return window or asking.order_column("the order")


def _size(parse: Parse, filters: Sequence[Filter]) -> str | None:
    """Return the column of numbers that the largest and smallest can be about, if it is one."""
    valued = parse.vocabulary.value_columns()
    if len(valued) == 1 and any(token.stem in _WORTH for token in parse.chart.tokens):
        return valued[0]
    compared = {one.column.name for one in filters if one.op in _COMPARED}
    return min(compared) if len(compared) == 1 else None


def _says(parse: Parse, *tags: str) -> bool:
    """Say whether an order holds words of one of these tags."""
    said = [edge for tag in tags for edge in parse.chart.tagged(tag)]
    return any(
        edge.start <= one.start < edge.end
        for edge in parse.facts
        if isinstance(edge.value, Order)
        for one in said
    )
