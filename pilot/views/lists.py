"""Lists in the URL: the page that it asks for, the link to the next one, the `.csv` twin."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from flask import Response, current_app, request, stream_with_context, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine.transforms.markup import guarded
from pilot.redaction import redact
from pilot.reports.listing import SIZES, Listed, Wanted
from pilot.views import reading

SHEET_ROWS = 1_000  # that are read at once


def wants_csv() -> bool:
    """Return whether the `.csv` twin was asked for."""
    return request.path.endswith(".csv")


def csv_answer(rows: Iterable[Mapping[str, Any]]) -> Response:
    """Answer with the rows as CSV, line by line; texts that a sheet would calculate get a quote."""
    return Response(stream_with_context(_lines(rows)), mimetype="text/csv")


def sheet(read: Callable[[Session, Wanted], Listed], wanted: Wanted) -> Response:
    """Answer with all that match from the wanted page on as CSV.

    They are read page by page: nothing holds them all, and no transaction waits for a slow reader.
    """
    wanted = replace(wanted, size=SHEET_ROWS, counted=False)
    with reading() as session:
        first = read(session, wanted)
    return csv_answer(_all_rows(read, wanted, first))


def _all_rows(
    read: Callable[[Session, Wanted], Listed], wanted: Wanted, listed: Listed
) -> Iterator[Mapping[str, Any]]:
    yield from listed.rows
    while listed.next is not None:
        with reading() as session:
            listed = read(session, replace(wanted, after=listed.next))
        yield from listed.rows


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    writer: Any = None
    for row in rows:
        if writer is None:
            # A writer returns what its file does: here the line itself.
            writer = csv.DictWriter(_Echo(), list(row))
            yield writer.writeheader()
        yield writer.writerow({name: _cell(value) for name, value in row.items()})


class _Echo:
    """A file that gives back what is written into it."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Any) -> Any:
    shown = format(value, "f") if isinstance(value, Decimal) else strictjson.plain(value)
    if isinstance(shown, list | dict):
        shown = strictjson.dumps(shown)
    return guarded(redact(shown)) if isinstance(shown, str) else shown


def list_args(
    sorts: Iterable[str], default: str, filters: Mapping[str, Any]
) -> tuple[Wanted, list[tuple[str, str]]]:
    """Return the page of a list that the URL asks for, and the values in it that mean nothing.

    `filters` binds the cursor: one that was made for other filters is ignored.
    """
    known = {name for sort in sorts for name in (sort, f"-{sort}")}
    ignored = []
    sort = request.args.get("sort", default)
    if sort not in known:
        ignored.append(("sort", sort))
        sort = default
    size = request.args.get("size", "50")
    if size not in map(str, SIZES):
        ignored.append(("size", size))
        size = "50"
    after = None
    if request.args.get("after"):
        try:
            key, row_id = _cursors(sort, filters).loads(request.args["after"])
            after = (str(key), str(row_id))
        except (BadSignature, ValueError, TypeError):
            ignored.append(("after", request.args["after"][:40]))
    return Wanted(sort, after, int(size)), ignored


def next_url(listed: Listed, wanted: Wanted, filters: Mapping[str, Any]) -> str | None:
    """Return the URL of the list's next page, or None on the last."""
    if listed.next is None:
        return None
    cursor = _cursors(wanted.sort, filters).dumps(listed.next)
    args: dict[str, Any] = request.args.to_dict(flat=False) | {"after": cursor}
    return url_for(request.endpoint or "", **(request.view_args or {}), **args)


def _cursors(sort: str, filters: Mapping[str, Any]) -> URLSafeSerializer:
    bound = strictjson.canonical([request.blueprint, sort, strictjson.plain(filters)])
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=f"cursor {bound}")
