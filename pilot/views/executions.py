"""The list of executions; its filters, order and page are in the URL."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.engine.status import ExecutionStatus
from pilot.reports import executions
from pilot.reports.executions import Filters
from pilot.views import VIEW, reading, render, route
from pilot.views.lists import list_args, next_url, sheet, wants_csv

bp = Blueprint("executions", __name__)

NAV = ("Work", "Executions", 30, VIEW)

WORDS = [(str(one), str(one).replace("_", " ").capitalize()) for one in ExecutionStatus]
STATUSES = (("", "Any"), *WORDS)
MODES = (("", "Any"), ("run", "Run"), ("test", "Test"), ("simulate", "Simulation"))
WITHIN = (
    ("", "Any time"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("first", "First 24 hours"),
)
MONEY = (
    ("", "Any"),
    ("paid", "More than $0"),
    ("unpriced", "With unpriced calls"),
    ("wasted", "With wasted calls"),
    ("recorded", "Recorded answers"),
    ("none", "No model asked"),
)
MOST_USD = 1_000_000
COLUMNS = (
    {"label": "Agent", "sort": "agent"},
    {"label": "Status", "sort": "status"},
    {"label": "Started", "sort": "started"},
    {"label": "Duration", "number": True, "sort": "duration"},
    {
        "label": "Cost",
        "number": True,
        "sort": "cost",
        "help": "Of its calls to models; a call without a price is named, never $0.",
    },
    {"label": "Tokens", "number": True, "sort": "tokens"},
    {"label": "Version", "number": True},
    {"label": "Mode"},
    {"label": "By"},
)


@route(bp, "/executions", allow=VIEW, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """All executions that match, the newest first unless asked otherwise."""
    filters, ignored = _filters()
    facts = vars(filters)
    wanted, more = list_args(executions.SORTS, "-started", facts)
    if wants_csv():
        return sheet(lambda session, page: executions.listed(session, filters, page), wanted)
    with reading() as session:
        listed = executions.listed(session, filters, wanted)
    following = next_url(listed, wanted, facts)
    return render(
        "executions/index.html",
        "rows",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        sort=wanted.sort,
        following=following,
        columns=COLUMNS,
        fields=_fields(filters),
        ignored=ignored + more,
        chosen=[(name, value) for name, value in facts.items() if value],
        first=wanted.after is None,
    )


def _filters() -> tuple[Filters, list[tuple[str, str]]]:
    """Return what the URL narrows the list to, and what in it means nothing."""
    ignored: list[tuple[str, str]] = []

    def choice(name: str, known: Any) -> str | None:
        value = request.args.get(name, "")
        if value and value not in dict(known):
            ignored.append((name, value))
            return None
        return value or None

    def parsed(name: str, kind: Any) -> Any:
        value = request.args.get(name, "")
        try:
            return kind(value) if value else None
        except ValueError:
            ignored.append((name, value))
            return None

    filters = Filters(
        status=choice("status", STATUSES),
        agent=parsed("agent", UUID),
        mode=choice("mode", MODES),
        q=request.args.get("q", "").replace("\0", "").strip()[:200],
        since=parsed("since", date.fromisoformat),
        until=parsed("until", date.fromisoformat),
        within=choice("within", WITHIN),
        money=choice("money", MONEY),
        cost_min=parsed("cost_min", _usd),
    )
    return filters, ignored


def _usd(text: str) -> Decimal:
    """Return an amount in USD.

    Raises:
        ValueError: it is none, or larger than any execution costs.
    """
    try:
        found = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not (found.is_finite() and 0 <= found <= MOST_USD):
        raise ValueError(text)
    return found


def _fields(filters: Filters) -> list[dict[str, Any]]:
    def field(name: str, label: str, kind: str, **more: Any) -> dict[str, Any]:
        value = getattr(filters, name)
        return {"name": name, "label": label, "kind": kind, "value": value or "", **more}

    return [
        field("q", "Agent, error or id", "search"),
        field("status", "Status", "select", options=STATUSES),
        field("mode", "Mode", "select", options=MODES),
        field("money", "Cost", "select", options=MONEY),
        field("cost_min", "Cost from (USD)", "text"),
        field("within", "Started", "select", options=WITHIN),
        field("since", "From (UTC day)", "date"),
        field("until", "To (UTC day)", "date"),
    ]
