"""Finds wishes that one workflow of one table cannot hold together, and asks about them."""

from collections.abc import Sequence
from itertools import pairwise

from pilot.engine.planner.asking import Asking
from pilot.engine.planner.chart import Edge
from pilot.engine.planner.facts import (
    ColumnRef,
    Columns,
    DateWord,
    Filter,
    Horizon,
    Measure,
    Order,
    Recipients,
    Source,
    Span,
    Today,
    Unable,
    Window,
)
from pilot.engine.planner.parsing import Parse, of
from pilot.engine.planner.text import set_of
from pilot.engine.planner.vocabulary import Vocabulary, is_person

_GETS = set_of("gets receives wants needs")
_REST = set_of("rest remainder")
_WHOSE = set_of("my his her their")
_LOOK_AHEAD = 4
_ALL_ROWS = "All rows"


def ask_people(parse: Parse, asking: Asking) -> None:
    """Ask when different people are to get different rows: there is one table for all of them."""
    rows_of: dict[str, set[frozenset[str]]] = {}
    rows: dict[str, set[str]] = {}
    people = 0
    for edge in parse.facts:
        if isinstance(edge.value, Recipients) and edge.value.together:
            _remember(rows, rows_of)
            people += 1
        elif isinstance(edge.value, Filter) and edge.value.op == "in":
            rows.setdefault(edge.value.column.name, set()).update(map(str, edge.value.values))
    _remember(rows, rows_of)
    if _counts_for_me(parse):
        why = "The number stands in the mail to the other recipients."
        asking.unable([Unable("a mail of its own with the number", why)])
    if _columns_of_one(parse):
        why = "The planner sends one table to all recipients, with the same columns."
        asking.unable([Unable("different columns for different people", why)])
    if people > 1 and any(token.word in _REST for token in parse.chart.tokens):
        why = "The planner sends one table to all recipients, not the rest to others."
        asking.unable([Unable("different rows for different people", why)])
    if people > 1 and any(len(sets) > 1 for sets in rows_of.values()):
        why = "The planner sends one table to all recipients, not different rows to each."
        asking.unable([Unable("different rows for different people", why)])


def _counts_for_me(parse: Parse) -> bool:
    """Say whether "tell me how many" is about a mail that goes to others only."""
    to = [edge.value for edge in parse.facts if isinstance(edge.value, Recipients)]
    if not any(one.addresses or one.people for one in to) or any(one.me for one in to):
        return False
    return any(
        token.word == "me"
        for edge in parse.facts
        if isinstance(edge.value, Measure)
        for token in parse.chart.tokens[max(edge.start - 1, 0) : edge.end]
    )


def _columns_of_one(parse: Parse) -> bool:
    """Say whether columns follow "Bob gets" directly, while others get the mail too."""
    for first, second in pairwise(parse.facts):
        if isinstance(first.value, Recipients) and isinstance(second.value, Columns):
            around = parse.chart.tokens[first.end - 1 : first.end + 1]
            if any(token.word in _GETS for token in around):
                return True
    return False


def _remember(rows: dict[str, set[str]], rows_of: dict[str, set[frozenset[str]]]) -> None:
    for name, values in rows.items():
        rows_of.setdefault(name, set()).add(frozenset(values))
    rows.clear()


def ask_loose_days(parse: Parse, asking: Asking) -> None:
    """Ask about words of days and of ending that no period, order or column goes with."""
    if of(parse, Window) or parse.unknown:
        return
    has_order = any(one.sense or one.column for one in of(parse, Order))
    for edge in parse.facts:
        is_loose = isinstance(edge.value, DateWord) and not has_order
        if is_loose or isinstance(edge.value, Today):
            asking.unclear(parse.chart.between(edge.start, edge.end), parse.chart.text)


def ask_parts(parse: Parse, asking: Asking) -> None:
    """Ask when another sentence names other values of a column: they may be for somebody else."""
    seen: dict[str, tuple[int, set[str]]] = {}
    for edge in parse.facts:
        if not isinstance(edge.value, Filter) or edge.value.op != "in":
            continue
        name, values = edge.value.column.name, set(map(str, edge.value.values))
        end, known = seen.get(name, (edge.start, values))
        apart = any(_parts(parse, one) for one in parse.cover if end <= one.start < edge.start)
        if apart and not (values <= known or known <= values):
            why = "All rows go into one table, to everybody who gets the mail."
            asking.unable([Unable(f"{name} differently in two places", why)])
        seen[name] = (edge.end, known | values)


def ask_guards(parse: Parse, asking: Asking) -> None:
    """Ask about "if there are any from Kim" behind other conditions: it may guard them all."""
    seen: set[Filter] = set()
    guard: Edge | None = None
    for edge in parse.cover:
        if parse.chart.tokens[edge.start].kind == "break":
            guard = None
        elif edge.tag == "GUARD" and seen:
            guard = edge
        elif isinstance(edge.value, Filter):
            if guard is not None and edge.value not in seen:
                why = "The mail is sent or not; its rows have the conditions said before."
                asking.unable([Unable(f'"{parse.chart.between(guard.start, edge.end)}"', why)])
            seen.add(edge.value)


def _parts(parse: Parse, edge: Edge) -> bool:
    """Say whether a sentence ends here, or somebody or some days are named."""
    token = parse.chart.tokens[edge.start]
    return edge.tag in {"RECIPIENTS", "WINDOW"} or (
        token.kind == "break" and "\n" not in token.text
    )


def ask_horizons(parse: Parse, windows: Sequence[tuple[str, Span]], asking: Asking) -> None:
    """Ask about a "three-day lookahead" unless a window of three days says which days."""
    for edge in parse.facts:
        days = edge.value.days if isinstance(edge.value, Horizon) else None
        if days is not None and all(span.high != days for _, span in windows):
            asking.unclear(parse.chart.between(edge.start, edge.end), parse.chart.text)


def ask_tables(parse: Parse, asking: Asking) -> None:
    """Ask when the goal names a second table to read: a draft reads one."""
    own = (parse.vocabulary.sample.table, parse.vocabulary.sample.tab)
    others = [one.name for one in of(parse, Source) if one.tables and own not in one.tables]
    if others:
        why = f"A draft reads one table; the goal also names {', '.join(others)}."
        asking.unable([Unable("rows of several tables", why)])


def ask_periods(windows: Sequence[tuple[str, Span]], asking: Asking) -> None:
    """Ask when no day of a column can lie in all the periods that the goal names."""
    for at, (column, span) in enumerate(windows):
        for other, second in windows[at + 1 :]:
            if column != other:
                continue
            if span.high < second.low or second.high < span.low:
                asking.contradiction(f"two periods of {column} that have no day in common")
            elif span != second and (span.low == span.high or second.low == second.high):
                asking.contradiction(f"one day of {column} and a period around it")


def whose_rows(parse: Parse, asking: Asking) -> Filter | None:
    """Ask whether "my tasks" are those of one person, where a column says whose they are."""
    known = parse.vocabulary
    columns = [one for one in known.sample.columns if is_person(one) and one.examples]
    words = [edge.start for edge in parse.chart.tagged("ENTITY")]
    said = next((at for at in words if _owner_before(parse, at) is not None), None)
    if not columns or said is None or _names_person(parse, known):
        return None
    start = _owner_before(parse, said)
    text = parse.chart.between(start if start is not None else said, said + 1)
    options = {f"{one.name} is {value}": (one, value) for one in columns for value in one.examples}
    why = f"The column {columns[0].name} says whose they are."
    answer = asking.choose("whose", f'Whose are "{text}"?', why, [_ALL_ROWS, *options])
    if answer not in options:
        return None
    column, value = options[str(answer)]
    return Filter(ColumnRef(column.name), "in", (value,))


def _names_person(parse: Parse, known: Vocabulary) -> bool:
    return any(
        isinstance(edge.value, Filter) and is_person(known.column(edge.value.column.name))
        for edge in parse.facts
    )


def _owner_before(parse: Parse, entity: int) -> int | None:
    """Return where "my" or "her" stands before a word for rows, with only values between."""
    for at in range(entity - 1, max(entity - 1 - _LOOK_AHEAD, -1), -1):
        if parse.chart.tokens[at].word in _WHOSE:
            return at
        between = ("VAL", "COL", "SEP")
        if not any(parse.chart.at(at, tag) for tag in between):
            return None
    return None
