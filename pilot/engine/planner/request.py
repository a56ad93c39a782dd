"""What a goal asks for, gathered from its facts; doubts become questions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pilot.engine.language.catalogue import TableSample
from pilot.engine.planner.asking import Asking
from pilot.engine.planner.chart import Edge
from pilot.engine.planner.conflicts import (
    ask_guards,
    ask_horizons,
    ask_loose_days,
    ask_parts,
    ask_people,
    ask_periods,
    ask_tables,
    whose_rows,
)
from pilot.engine.planner.facts import (
    Append,
    Approval,
    ColumnCount,
    ColumnRef,
    Columns,
    Empty,
    Filter,
    LeftOut,
    Limit,
    MailSearch,
    Measure,
    Order,
    Recipients,
    Separate,
    SkipKnown,
    Span,
    Subject,
    Unable,
    Unique,
    Window,
)
from pilot.engine.planner.ordering import settle_orders, single_best
from pilot.engine.planner.parsing import Parse, of
from pilot.engine.planner.text import set_of
from pilot.engine.planner.vocabulary import MAX_VALUES
from pilot.engine.planner.windows import settle_window


@dataclass
class Request:
    """Everything that the document needs, bound to real columns."""

    sample: TableSample
    row_column: str | None = None
    filters: list[Filter] = field(default_factory=list)
    windows: list[tuple[str, Span]] = field(default_factory=list)
    orders: list[tuple[str, bool]] = field(default_factory=list)
    columns: list[str] | None = None
    unique: list[list[str]] = field(default_factory=list)  # [] stands for whole rows
    unique_recipients: bool = False
    limit: int | None = None
    measures: list[Measure] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    cc: list[str] = field(default_factory=list)
    bcc: list[str] = field(default_factory=list)
    asked_to: str | None = None  # label of recipients that the form asks for
    count_to: int | None = None
    separate: bool = False
    mails: bool = False
    subject: str | None = None
    empty: str | None = ""  # "": the default text; None: nothing is sent
    empty_to: list[str] = field(default_factory=list)
    approvers: list[str] = field(default_factory=list)
    target: TableSample | None = None
    target_map: dict[str, str] = field(default_factory=dict)
    skip_known: str | None = None
    search: MailSearch | None = None
    shows_table: bool = False


def gather(parse: Parse, asking: Asking, samples: Iterable[TableSample], owner: str) -> Request:
    """Return what the goal asks for; what it leaves open is asked."""
    vocabulary = parse.vocabulary
    request = Request(vocabulary.sample, vocabulary.row_column)
    asking.unable(of(parse, Unable))
    _gather_filters(parse, request, asking)
    for window in of(parse, Window):
        settled = settle_window(parse, window, asking)
        if settled is not None and settled not in request.windows:
            request.windows.append(settled)
    date = request.windows[0][0] if request.windows else None
    request.orders = settle_orders(parse, date, request.filters, asking)
    _gather_columns(parse, request, asking)
    _gather_unique(parse, request, asking)
    for limit in of(parse, Limit):
        request.limit = limit.count
    for order in of(parse, Order):
        request.limit = order.limit if order.limit is not None else request.limit
    if single_best(parse, asking):
        request.limit = 1
    request.measures = of(parse, Measure)
    request.shows_table = bool(request.columns) or any(
        edge.tag == "LISTNOUN" and edge.value.lower() in _TABLES for edge in parse.cover
    )
    _gather_search(parse, request)
    _gather_recipients(parse, request, asking, owner)
    _gather_words(parse, request, asking)
    _gather_target(parse, request, asking, list(samples))
    ask_tables(parse, asking)
    ask_loose_days(parse, asking)
    ask_horizons(parse, request.windows, asking)
    ask_periods(request.windows, asking)
    ask_people(parse, asking)
    ask_parts(parse, asking)
    ask_guards(parse, asking)
    return request


def _gather_filters(parse: Parse, request: Request, asking: Asking) -> None:
    for found in of(parse, Filter):
        column = asking.column(found.column, "a condition")
        if column is None:
            continue
        settled = Filter(ColumnRef(column), found.op, found.values, known=True)
        if found.doubt and not asking.means(found.doubt, column, str(found.values[0])):
            continue
        if not found.known:
            checked = _checked_values(parse, settled, asking)
            if checked is None:
                continue
            settled = checked
        if (found.op, column) == ("empty", request.row_column):
            request.row_column = None
        _merge(request.filters, settled)
    whose = whose_rows(parse, asking)
    request.filters += [whose] if whose else []


def _merge(filters: list[Filter], found: Filter) -> None:
    """Add a filter; two lists of values for one column are one list: no cell has two values."""
    for at, other in enumerate(filters):
        if (other.column, other.op) == (found.column, found.op) and found.op in {"in", "not_in"}:
            values = tuple(dict.fromkeys((*other.values, *found.values)))
            filters[at] = Filter(other.column, other.op, values)
            return
    filters.append(found)


def _checked_values(parse: Parse, found: Filter, asking: Asking) -> Filter | None:
    """Bind values to those of the column, where the sample shows all of them."""
    column = parse.vocabulary.column(found.column.name)
    if column.kind == "number" or found.op == "contains" or len(column.examples) >= MAX_VALUES:
        numbers = column.kind == "number"
        bad = [one for one in found.values if numbers and not _is_number(one)]
        if not bad:
            return found
    bound: list[Any] = []
    for value in found.values:
        same = [one for one in column.examples if one.strip().lower() == str(value).lower()]
        chosen = same[0] if same else asking.value(column.name, str(value), column.examples)
        if chosen is None:
            return None
        bound.append(chosen)
    return Filter(found.column, found.op, tuple(bound))


def _is_number(value: Any) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _gather_columns(parse: Parse, request: Request, asking: Asking) -> None:
    names: list[str] = []
    for found in of(parse, Columns):
        for ref in found.names:
            name = asking.column(ref, "a column of the table")
            if name is not None and name not in names:
                names.append(name)
    counts = [one.count for one in of(parse, ColumnCount)]
    available = [one.name for one in parse.vocabulary.sample.columns]
    if counts and len(names or available) != counts[0]:
        names = asking.columns(counts[0], available)
    used = {one.column.name for one in request.filters} | {name for name, _ in request.windows}
    left_out = [
        asking.column(ref, "a column to leave out")
        for one in of(parse, LeftOut)
        for ref in one.names
    ]
    if left_out:
        names = [name for name in names or available if name not in left_out]
    certain = any(one.certain for one in of(parse, Columns)) or bool(left_out)
    if names and not certain and set(names) <= used:
        names = asking.only(names)
    request.columns = names or None


def _gather_unique(parse: Parse, request: Request, asking: Asking) -> None:
    for edge in parse.facts:
        if not isinstance(edge.value, Unique):
            continue
        found = edge.value
        of_what = found.of or ("recipients" if _is_of_recipients(parse, edge) else "rows")
        if of_what == "recipients":
            request.unique_recipients = True
        elif of_what == "rows" and [] not in request.unique:
            request.unique.append([])
        elif of_what == "column" and found.column is not None:
            name = asking.column(found.column, "a row per value")
            request.unique += [[name]] if name else []


def _is_of_recipients(parse: Parse, edge: Edge) -> bool:
    """Say whether "without duplicates" stands right behind the recipients, and is no own step."""
    words = {token.word for token in parse.chart.tokens[edge.start : edge.end]}
    before = max((at for at, one in enumerate(parse.cover) if one.end <= edge.start), default=-1)
    while before >= 0 and parse.cover[before].tag in _PASSED:
        before -= 1
    said_of = before >= 0 and isinstance(parse.cover[before].value, Recipients)
    return said_of and not words & _STEPS and not _breaks(parse, before, edge.start)


def _breaks(parse: Parse, before: int, start: int) -> bool:
    """Say whether another sentence begins between an edge of the cover and a token."""
    tokens = parse.chart.tokens[parse.cover[before].end : start]
    return any(token.kind == "break" for token in tokens)


_PASSED = {"PUNCT", "FILLER", "MAILNOUN"}
_STEPS = set_of(
    "remove drop skip delete eliminate exclude ignore discard omit dedupe deduplicate dedup clean"
)


def _gather_search(parse: Parse, request: Request) -> None:
    found = of(parse, MailSearch)
    if parse.vocabulary.sample.table:
        return
    words = tuple(word for one in found for word in one.words)
    past = next((-span.low for _, span in request.windows if span.low < 0), None)
    request.windows = []
    request.search = MailSearch(
        words=tuple(dict.fromkeys(words)),
        days=next((one.days for one in found if one.days is not None), past),
        sender=next((one.sender for one in found if one.sender), ""),
        unread=any(one.unread for one in found),
        count=next((one.count for one in found if one.count), None),
    )


def _gather_recipients(parse: Parse, request: Request, asking: Asking, owner: str) -> None:
    found = [edge.value for edge in parse.facts if isinstance(edge.value, Recipients)]
    request.separate = bool(of(parse, Separate)) or any(
        edge.tag == "SEPARATE" for edge in parse.facts
    )
    people: list[str] = []
    if any(one.addresses or one.people or one.count for one in found):
        found = [one for one in found if one.together]  # "I want ..." is no address then
    for one in found:
        addresses = [*one.addresses]
        addresses[one.after : one.after] = [owner] if one.me else []
        {"to": request.to, "cc": request.cc, "bcc": request.bcc}[one.role].extend(addresses)
        people += one.people
        if one.count is not None:
            request.count_to = one.count
    named = [one for one in dict.fromkeys(people) if one != "me"]
    for name in named:
        address = asking.address(name, "a recipient")
        request.to += [address] if address else []
    distinct = {one.lower() for one in request.to}
    if request.count_to is not None and not request.to:
        request.asked_to = request.asked_to or f"{request.count_to} people"
    elif request.count_to is not None and len(distinct) != request.count_to:
        request.to = asking.recipients(request.count_to, request.to)
    words = {token.stem for token in parse.chart.tokens}
    if not parse.vocabulary.sample.table:
        words -= {"mail", "email"}  # there they are what is read
    request.mails = bool(found) or (not of(parse, Append) and bool(words & _MAIL_WORDS))
    request.cc = [one for one in request.cc if one.lower() not in distinct]


_TABLES = {"table", "list", "overview", "rows", "listing", "report"}
_MAIL_WORDS = set_of(
    "mail email send sent forward notify inform deliver distribut circulat dispatch"
)


def _gather_words(parse: Parse, request: Request, asking: Asking) -> None:
    for subject in of(parse, Subject):
        request.subject = subject.text
    empties = of(parse, Empty)
    for empty in empties:
        request.empty = empty.text
        if empty.recipients is not None:
            request.empty_to = list(empty.recipients.addresses)
    guarded = any(edge.tag == "GUARD" for edge in parse.facts)
    if guarded and not empties:
        request.empty = None
    for approval in of(parse, Approval):
        if approval.person:
            address = asking.address(approval.person, "the approval")
            request.approvers += [f"user:{address}"] if address else []
        else:
            request.approvers.append(f"user:{approval.address}" if approval.address else "owner")
    if any(edge.tag == "NOMAIL" for edge in parse.facts):
        request.mails = False
        if request.to:
            asking.contradiction("a mail and no mail")


def _gather_target(
    parse: Parse, request: Request, asking: Asking, samples: list[TableSample]
) -> None:
    appends = of(parse, Append)
    if not appends:
        return
    by_key = {(one.table, one.tab): one for one in samples}
    chosen = [by_key[key] for key in sorted(appends[0].tables) if key in by_key]
    request.target = chosen[0] if len(chosen) == 1 else asking.table("target", chosen)
    if request.target is None:
        return
    request.target_map = asking.mapping(parse.vocabulary, request.target, request.columns)
    skips = of(parse, SkipKnown)
    if skips:
        flipped = {source: column for column, source in request.target_map.items()}
        known = [flipped[name] for skip in skips for name in skip.words if name in flipped]
        request.skip_known = known[0] if known else asking.key_column(request.target)
