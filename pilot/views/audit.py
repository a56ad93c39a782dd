"""The audit trail: filters over all records, and whether the chains are whole."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, request, stream_with_context
from flask.typing import ResponseReturnValue

from pilot import audit as trail
from pilot import db
from pilot.audit import Event
from pilot.reports import audit
from pilot.reports.audit import SORTS, Filters
from pilot.views import ADMIN, reading, render, route
from pilot.views.lists import days_zone, kept, list_args, next_url, sheet, wants_csv

bp = Blueprint("audit", __name__)

NAV = ("Insight", "Audit", 40, ADMIN)

EVENTS = (("", "Any"), *((event.name, event.name) for event in Event))
SEVERITIES = (("", "Any"), ("info", "Info"), ("warning", "Warning"), ("critical", "Critical"))
COLUMNS = (
    {"label": "At", "sort": "at"},
    {"label": "Event"},
    {"label": "Severity"},
    {"label": "Who"},
    {"label": "About"},
    {"label": "Details"},
)
SEARCHED_DAYS = 30  # no index serves what stands in a record: who wants more, says from when
TONES = {"info": "idle", "warning": "attention", "critical": "bad"}


@route(bp, "/audit.jsonl", allow=ADMIN)
def lines() -> ResponseReturnValue:
    """All records that match, as JSON lines with their links, the oldest first."""
    filters = _searched(_filters()[0])

    def stream() -> Generator[str, None, None]:
        with reading() as session, closing(audit.exported(session, filters)) as found:
            yield from (f"{line}\n" for line in found)

    answer = Response(stream_with_context(stream()), mimetype="application/jsonl")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    return answer


@route(bp, "/audit", allow=ADMIN, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """All records that match, the newest first."""
    asked, ignored = _filters()
    filters = _searched(asked)
    facts = vars(filters)
    wanted, more = list_args(SORTS, "-at", facts, {*facts, "verify"})
    if wants_csv():
        return sheet(lambda session, page: audit.listed(session, filters, page), wanted)
    with reading() as session:
        listed = audit.listed(session, filters, wanted)
        verified = trail.verify(session) if request.args.get("verify") else None
    following = next_url(listed, wanted, facts)
    return render(
        "audit/index.html",
        "rows",
        twin=lambda: {
            "items": listed.rows,
            "total": listed.total,
            "next": following,
            "since": filters.since,
        },
        listed=listed,
        sort=wanted.sort,
        following=following,
        columns=COLUMNS,
        tones=TONES,
        fields=_fields(asked),
        ignored=ignored + more,
        kept=kept(wanted) | ({"zone": asked.zone} if asked.zone else {}),
        query=request.query_string.decode(),
        chosen=[(name, value) for name, value in facts.items() if value],
        first=wanted.after is None,
        verified=verified,
        searched_since=None if asked.since else filters.since,
    )


def _filters() -> tuple[Filters, list[tuple[str, str]]]:
    ignored: list[tuple[str, str]] = []

    def parsed(name: str, kind: Any) -> Any:
        value = request.args.get(name, "")
        try:
            return kind(value) if value else None
        except (ValueError, KeyError):
            ignored.append((name, value))
            return None

    def typed(name: str) -> str:
        return request.args.get(name, "").strip()[:200]

    since, until = parsed("since", date.fromisoformat), parsed("until", date.fromisoformat)
    filters = Filters(
        event=parsed("event", lambda value: Event[value].name),
        severity=parsed("severity", lambda value: {one: one for one in TONES}[value]),
        actor=typed("actor"),
        object=typed("object"),
        q=typed("q"),
        since=since,
        until=until,
        zone=days_zone(request.args) if since or until else None,
    )
    return filters, ignored


def _searched(asked: Filters) -> Filters:
    """Return where a search of what stands in records begins: not at the first one by itself."""
    if not (asked.q or asked.actor) or asked.since:
        return asked
    return replace(asked, since=db.now().date() - timedelta(days=SEARCHED_DAYS))


def _fields(filters: Filters) -> list[dict[str, Any]]:
    def field(name: str, label: str, kind: str, **more: Any) -> dict[str, Any]:
        value = getattr(filters, name)
        return {"name": name, "label": label, "kind": kind, "value": value or "", **more}

    return [
        field("q", "Text", "search"),
        field("event", "Event", "select", options=EVENTS),
        field("severity", "Severity", "select", options=SEVERITIES),
        field("actor", "Who (e-mail, worker)", "text"),
        field("object", "About (id)", "text"),
        field("since", f"From ({days_zone(request.args)} day)", "date"),
        field("until", f"To ({days_zone(request.args)} day)", "date"),
    ]
