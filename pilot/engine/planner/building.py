"""Writes the workflow document of a request."""

from typing import Any

from pilot.engine.planner import delivering
from pilot.engine.planner.facts import Filter, Span
from pilot.engine.planner.ordering import scale
from pilot.engine.planner.request import Request
from pilot.engine.planner.wordings import (
    condition,
    field_of,
    file_stem,
    plain,
    rank,
    shown,
    shown_span,
)
from pilot.plugins.tables.sampling import Column, TableSample

Step = dict[str, Any]
MAX_DAYS = 3_650
MAX_SEARCH = 1_000
ROWS = "rows"


def document(request: Request, goal: str, zone: str, noun: str) -> dict[str, Any]:
    """Return the document; `noun` is what the goal calls the rows.

    Times are counted in `zone`. Whatever a user may want to change is an input with a default.
    """
    inputs: dict[str, Any] = {}
    steps = _mail_rows(request, inputs) if request.search else _table_rows(request, inputs)
    if request.target is not None:
        steps += _append(request)
    title = _title(request, noun)
    if request.mails or request.target is None:
        steps += delivering.steps(request, inputs, _title(request, noun, template=True))
    required = [name for name in inputs if "default" not in inputs[name] or name != "days"]
    return {
        "format": 1,
        "name": title[:120],
        "description": _description(request),
        "goal": goal,
        "inputs": {"type": "object", "required": required, "properties": inputs},
        "defaults": {"zone": zone},
        "steps": steps,
    }


def _table_rows(request: Request, inputs: dict[str, Any]) -> list[Step]:
    sample = request.sample
    read = _read("read", sample)
    rows: Step = {
        "id": ROWS,
        "name": "Keep the rows wanted",
        "type": "transform",
        "input": "steps.read.output.values",
        "operations": _operations(request, inputs),
    }
    return [read, rows]


def _read(name: str, sample: TableSample) -> Step:
    return {
        "id": name,
        "name": f"Read {sample.table}"[:120],
        "type": "action",
        "plugin": "tables",
        "action": "read_range",
        "params": {"table": sample.table, "tab": sample.tab},
    }


def _objects(sample: TableSample) -> Step:
    if sample.header_row == 0:
        return {"operation": "rows_to_objects"}
    return {"operation": "rows_to_objects", "config": {"header_row": sample.header_row}}


def _operations(request: Request, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    columns = {one.name: one for one in request.sample.columns}
    found: list[dict[str, Any]] = [_objects(request.sample)]
    types = _types(request, columns)
    if types:
        found.append({"operation": "parse", "config": {"types": types, "on_error": "null"}})
    if request.row_column is not None:
        found.append(_filter(f"not is_empty({field_of(request.row_column)})"))
    found += [_filter(condition(one, columns[one.column.name])) for one in request.filters]
    for number, (column, span) in enumerate(request.windows):
        found += _window(column, span, number, inputs, list(columns))
    for names in request.unique:
        found.append({"operation": "deduplicate", "config": {"by": names} if names else {}})
    found += _sorted(request, columns)
    if request.limit is not None:
        found.append({"operation": "limit", "config": {"count": request.limit}})
    return found + _groups(request)


def _sorted(request: Request, columns: dict[str, Column]) -> list[dict[str, Any]]:
    """Return the operations that sort; values of a scale are sorted by their rank."""
    if not request.orders:
        return []
    ranks: dict[str, str] = {}
    by: list[dict[str, str]] = []
    for name, down in request.orders:
        values = scale(columns[name].examples) if columns[name].kind == "text" else ()
        field = f"rank_{len(ranks) + 1}" if values else name
        if values:
            ranks[field] = rank(name, values)
            field_down = not down  # the first of a scale is its highest
        else:
            field_down = down
        by.append({"field": field, **({"direction": "desc"} if field_down else {})})
    fields = [{"operation": "with_fields", "config": {"fields": ranks}}] if ranks else []
    return [*fields, {"operation": "sort", "config": {"by": by}}]


def _filter(text: str) -> dict[str, Any]:
    return {"operation": "filter", "config": {"condition": text}}


def _types(request: Request, columns: dict[str, Column]) -> dict[str, str]:
    """Return the types of the columns that are compared, sorted or measured."""
    compared = {one.column.name for one in request.filters if one.op not in {"in", "not_in"}}
    compared |= {name for name, _ in request.orders}
    compared |= {one.column.name for one in request.measures if one.column is not None}
    dated = {name for name, _ in request.windows}
    types: dict[str, str] = {}
    for name, column in columns.items():
        if column.kind == "date" and column.date_format and name in compared | dated:
            types[name] = f"date:{column.date_format}"
        elif column.kind == "number" and name in compared:
            types[name] = "number"
    return types


def _window(
    column: str, span: Span, number: int, inputs: dict[str, Any], taken: list[str]
) -> list[dict[str, Any]]:
    """Return the operations that count days and keep those in the span."""
    past = span.high <= 0 and span.low < 0
    name = "days_ago" if past else "days_left"
    name = f"{name}_{number + 1}" if number or name in taken else name
    ends = (field_of(column), "today()") if past else ("today()", field_of(column))
    low, high = (-span.high, -span.low) if past else (span.low, span.high)
    limit = str(high)
    if span.days == high and "days" not in inputs:
        inputs["days"] = {
            "type": "integer", "title": f"Days ({column})", "minimum": max(low, 1),
            "maximum": MAX_DAYS, "default": high, "x-widget": "number",
        }  # fmt: skip
        limit = "inputs.days"
    fields = {name: f"date_diff({ends[0]}, {ends[1]}, 'days')"}
    return [
        {"operation": "with_fields", "config": {"fields": fields}},
        _filter(f"item.{name} >= {low} and item.{name} <= {limit}"),
    ]


def _groups(request: Request) -> list[dict[str, Any]]:
    grouped = [one for one in request.measures if one.by is not None]
    if not grouped:
        return []
    measures = {
        delivering.measure_name(one.op, one.column.name if one.column else None): (
            {"op": one.op} if one.column is None else {"op": one.op, "field": one.column.name}
        )
        for one in grouped
    }
    by = list(dict.fromkeys(one.by.name for one in grouped if one.by))
    return [{"operation": "aggregate", "config": {"by": by, "measures": measures}}]


def _mail_rows(request: Request, inputs: dict[str, Any]) -> list[Step]:
    search = request.search
    assert search is not None, "the caller asks only for a request that has one"
    params: dict[str, Any] = {"mailbox": "INBOX", "content": "full", "limit": MAX_SEARCH}
    if search.words:
        params |= {"subject_words": list(search.words), "text_words": list(search.words)}
    if search.days is not None:
        inputs["days"] = {
            "type": "integer", "title": "Days to look back", "minimum": 1, "maximum": MAX_DAYS,
            "default": search.days, "x-widget": "number",
        }  # fmt: skip
        params["since"] = "{{date_add(today(), -inputs.days, 'days')}}"
    if search.sender:
        params["from"] = search.sender
    if search.unread:
        params["unread"] = True
    if search.count:
        params["limit"] = min(search.count, MAX_SEARCH)
    find: Step = {
        "id": "search", "name": "Search the inbox", "type": "action", "plugin": "mail",
        "action": "search", "params": params,
    }  # fmt: skip
    rows: Step = {
        "id": ROWS, "name": "Take the mails", "type": "transform",
        "input": "steps.search.output.messages", "operations": [_mail_fields(request)],
    }  # fmt: skip
    return [find, rows]


def _mail_fields(request: Request) -> dict[str, Any]:
    names = request.columns or ["from", "subject", "date"]
    fields = request.target_map or {name: name for name in names}
    named = {column: field_of(source) for column, source in fields.items()}
    return {"operation": "map", "config": {"fields": named}}


def _append(request: Request) -> list[Step]:
    """Return the steps that add the rows which the target does not have."""
    target = request.target
    assert target is not None, "the caller asks only for a request that has one"
    operations: list[dict[str, Any]] = []
    if not request.search:
        named = {column: field_of(source) for column, source in request.target_map.items()}
        operations.append({"operation": "map", "config": {"fields": named}})
    params: dict[str, Any] = {"table": target.table, "tab": target.tab}
    steps: list[Step] = []
    key = request.skip_known
    if key is not None:
        known: Step = {
            "id": "known", "name": f"Rows that {target.tab} has"[:120], "type": "transform",
            "input": "steps.read_target.output.values", "operations": [_objects(target)],
        }  # fmt: skip
        steps += [_read("read_target", target), known]
        operations.append(
            {"operation": "set_difference", "config": {"right": "steps.known.output", "by": key}}
        )
        params["key_column"] = key
    rows = ROWS
    if operations:
        rows = "fresh"
        steps.append(
            {"id": "fresh", "name": "Leave out what is there", "type": "transform",
             "input": f"steps.{ROWS}.output", "operations": operations}
        )  # fmt: skip
    params["rows"] = f"{{{{steps.{rows}.output}}}}"
    add: Step = {
        "id": "append", "name": f"Add the rows to {target.tab}"[:120], "type": "action",
        "plugin": "tables", "action": "append_rows", "params": params,
        "execute_if": f"len(steps.{rows}.output) > 0",
    }  # fmt: skip
    return [*steps, add]


def _title(request: Request, noun: str, *, template: bool = False) -> str:
    """Return what the rows are, in words; as a template it follows the input `days`."""
    if request.search is not None:
        words = request.search.words
        about = (
            f" with {', '.join(words[:-1])}{' or ' if words[:-1] else ''}{words[-1]}"
            if words
            else ""
        )
        return plain(f"Mails{about}") if template else f"Mails{about}"
    parts = [_part(one, template=template) for one in request.filters]
    for column, span in request.windows:
        days = "{{inputs.days}}" if template and span.days is not None else str(span.high)
        days = str(-span.low) if span.high <= 0 and not template else days
        name = plain(column) if template else column
        parts.append(shown_span(name, span, days))
    head = plain(noun) if template else noun
    return f"{head}: {', '.join(parts)}" if parts else head


def _part(found: Filter, *, template: bool) -> str:
    return plain(shown(found)) if template else shown(found)


def _description(request: Request) -> str:
    """Return what the draft takes for granted, one sentence each."""
    sentences: list[str] = []
    if request.search is None:
        source = request.sample
        sentences.append(f"Reads the tab {source.tab} of {file_stem(source.table)}.")
    if request.row_column is not None:
        sentences.append(f"Rows without a {request.row_column} are left out.")
    sentences += [
        f"{shown_span(name, span, str(abs(span.high or span.low)))}."
        for name, span in request.windows
    ]
    return " ".join(sentences)[:4_000]
