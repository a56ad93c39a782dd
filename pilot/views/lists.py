"""Lists in the URL: the page that it asks for, the link to the next one, the `.csv` twin."""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from flask import Response, current_app, request, stream_with_context, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine.transforms.markup import guarded
from pilot.engine.triggers import zones
from pilot.redaction import redact
from pilot.reports.listing import SIZES, Listed, Wanted
from pilot.views import reading, zone

SHEET_ROWS = 1_000  # that are read at once
MOST_ROWS = 200  # of a list within a page

Row = TypeVar("Row")


def days_zone(args: Mapping[str, str]) -> str:
    """Return in which zone the days of a filter begin: that of the URL, else the visitor's."""
    asked = (args.get("zone", ""), zone().key, "UTC")
    return next(one for one in asked if one in zones.names())


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


def unknown(names: Collection[str]) -> list[tuple[str, str]]:
    """Return what the URL says under names that are not among those that the page reads."""
    return [(name[:40], text[:40]) for name, text in request.args.items() if name not in names]


def list_args(
    sorts: Iterable[str], default: str, filters: Mapping[str, Any], names: Iterable[str]
) -> tuple[Wanted, list[tuple[str, str]]]:
    """Return the page of a list that the URL asks for, and what in it means nothing.

    `filters` binds the cursor: one that was made for other filters is ignored. `names` are those
    of the URL that the page reads besides the page, order and size.
    """
    known = {name for sort in sorts for name in (sort, f"-{sort}")}
    ignored = unknown({*names, "sort", "size", "after"})
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


def kept(wanted: Wanted) -> dict[str, str]:
    """Return what a form of filters sends along unseen: the order and how many rows a page has."""
    return {"sort": wanted.sort, "size": str(wanted.size)}


def next_url(listed: Listed, wanted: Wanted, filters: Mapping[str, Any]) -> str | None:
    """Return the URL of the list's next page, or None on the last."""
    if listed.next is None:
        return None
    return here(after=_cursors(wanted.sort, filters).dumps(listed.next))


@dataclass(frozen=True)
class Part(Generic[Row]):
    """The rows of a long list within a page that are shown now, and the links to the others."""

    rows: Sequence[Row]
    first: int = 1  # the number of the first of them
    words: str = ""  # which of how many; empty when these are all
    before: str = ""  # the query of the part before
    after: str = ""


def part(rows: Sequence[Row], chosen: int | None) -> Part[Row]:
    """Return the part that `?from=` names by its first row; else the one with the chosen row."""
    given = request.args.get("from", "")
    asked = int(given) - 1 if given.isascii() and given.isdigit() and len(given) < 9 else chosen
    first = min(max(asked or 0, 0), max(len(rows) - 1, 0)) // MOST_ROWS * MOST_ROWS
    end = min(first + MOST_ROWS, len(rows))
    return Part(
        rows[first:end],
        first + 1,
        f"{first + 1:,} to {end:,} of {len(rows):,}" if len(rows) > MOST_ROWS else "",
        f"?from={first - MOST_ROWS + 1}" if first else "",
        f"?from={end + 1}" if end < len(rows) else "",
    )


def here(**changes: Any) -> str:
    """Return this page's URL with changed query values; None takes one out.

    The query is written here: some names, as `endpoint`, mean something else to `url_for`.
    """
    args: dict[str, Any] = request.args.to_dict(flat=False) | changes
    known = {name: value for name, value in args.items() if value is not None}
    address = url_for(request.endpoint or "", **(request.view_args or {}))
    return f"{address}?{urlencode(known, doseq=True)}" if known else address


def _cursors(sort: str, filters: Mapping[str, Any]) -> URLSafeSerializer:
    bound = strictjson.canonical([request.blueprint, sort, strictjson.plain(filters)])
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=f"cursor {bound}")
