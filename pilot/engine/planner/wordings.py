"""Expressions, templates and sentences that a drafted document is made of."""

import re
from collections.abc import Sequence

from pilot.engine.planner.facts import Filter, Span, Value
from pilot.engine.planner.grammar_dates import FAR
from pilot.plugins.tables.sampling import Column

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SIGNS = {"before": "<", "after": ">", "from": ">=", "until": "<="}
_SHOWN = {
    ">": "over {}", "<": "under {}", ">=": "{} or more", "<=": "{} or less",
    "between": "{} to {}", "before": "before {}", "after": "after {}", "from": "from {} on",
    "until": "until {}", "empty": "empty", "not_empty": "filled in",
}  # fmt: skip

_BEFORE_LIST = {"not_in": "not ", "contains": "with "}


def field_of(column: str) -> str:
    """Return the expression for a column of the row at hand."""
    return f"item.{column}" if _NAME.fullmatch(column) else f"item[{literal(column)}]"


def literal(value: Value) -> str:
    """Return a value as an expression writes it."""
    if not isinstance(value, str):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def plain(text: str) -> str:
    """Return text for a template: what looks like an expression stays text."""
    return text.replace("{{", "\\{{")


def condition(found: Filter, column: Column) -> str:
    """Return the condition that a row must meet; case and blanks around texts do not matter."""
    field = field_of(column.name)
    if found.op in {"in", "not_in"}:
        return _one_of(found, column)
    if found.op == "empty":
        return f"is_empty({field})"
    if found.op == "not_empty":
        return f"not is_empty({field})"
    if found.op == "contains":
        words = ", ".join(literal(str(value).lower()) for value in found.values)
        return f"contains_any(lower(text({field})), [{words}])"
    if found.op == "between":
        low, high = sorted(found.values, key=float)
        return f"{field} >= {literal(low)} and {field} <= {literal(high)}"
    return f"{field} {_SIGNS.get(found.op, found.op)} {literal(found.values[0])}"


def rank(column: str, values: Sequence[str]) -> str:
    """Return the place of a cell in a scale, 1 for its first value; others come last."""
    field = f"lower(trim(text({field_of(column)})))"
    text = str(len(values) + 1)
    for place, value in reversed(list(enumerate(values, 1))):
        text = f"if_else({field} == {literal(value)}, {place}, {text})"
    return text


def _one_of(found: Filter, column: Column) -> str:
    field = field_of(column.name)
    numbers = column.kind == "number"
    if numbers:  # "4" equals 4: cells may hold either
        values = [str(value) for value in found.values if _NUMBER.fullmatch(str(value))]
    else:
        field = f"lower(text({field}))"
        values = [literal(str(value).lower()) for value in found.values]
    if len(values) == 1:
        return f"{field} {'!=' if found.op == 'not_in' else '=='} {values[0]}"
    return f"{field} {'not in' if found.op == 'not_in' else 'in'} [{', '.join(values)}]"


def shown(found: Filter) -> str:
    """Return a condition in plain words, e.g. `Priority Critical or High`."""
    values = [str(value) for value in found.values]
    if found.op in _SHOWN:
        return f"{found.column.name} {_SHOWN[found.op].format(*values)}"
    listed = " or ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)
    return f"{found.column.name} {_BEFORE_LIST.get(found.op, '')}{listed}"


def shown_span(column: str, span: Span, days: str) -> str:
    """Return a window of days in plain words; `days` is the number of days or a template for it."""
    if span.low == span.high:
        named = {0: "today", 1: "tomorrow"}.get(span.low, f"in exactly {span.low} days")
        return f"{column} {named}"
    if span.high <= 0:
        return f"{column} {_shown_past(span, days)}"
    if span.high >= FAR:
        return f"{column} in more than {span.low - 1} days"
    if span.low == 0:
        return f"{column} in the next {days} days, today included"
    if span.low == 1:
        return f"{column} in the next {days} days, without today"
    return f"{column} in {span.low} to {days} days"


def _shown_past(span: Span, days: str) -> str:
    if span.high == 0:
        return f"in the last {days} days"
    return "before today" if span.high == -1 else f"at least {-span.high} days ago"


def file_stem(table: str) -> str:
    """Return the name of a table without its ending."""
    return table.rpartition(".")[0] or table
