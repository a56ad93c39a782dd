"""What lists of executions are narrowed to: read from a URL or a form, and written back."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from pilot import strictjson
from pilot.engine.status import ExecutionStatus
from pilot.reports.executions import Filters
from pilot.views.lists import days_zone

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
LABELS = {
    "q": "Agent, error or id",
    "status": "Status",
    "mode": "Mode",
    "money": "Cost",
    "cost_min": "Cost from (USD)",
    "within": "Started",
    "since": "From (day)",
    "until": "To (day)",
    "zone": "Days in",
    "agent": "Agent",
    "bulk": "Action on many",
}
NAMES = tuple(LABELS)
CHOICES = {"status": STATUSES, "mode": MODES, "money": MONEY, "within": WITHIN}
KINDS = {"q": "search", "cost_min": "text", "since": "date", "until": "date"}


def read(args: Mapping[str, str]) -> tuple[Filters, list[tuple[str, str]]]:
    """Return what the list is narrowed to, and what in it means nothing."""
    ignored: list[tuple[str, str]] = []

    def choice(name: str) -> str | None:
        value = args.get(name, "")
        if value and value not in dict(CHOICES[name]):
            ignored.append((name, value))
            return None
        return value or None

    def parsed(name: str, kind: Any) -> Any:
        value = args.get(name, "")
        try:
            return kind(value) if value else None
        except ValueError:
            ignored.append((name, value))
            return None

    since, until = parsed("since", date.fromisoformat), parsed("until", date.fromisoformat)
    filters = Filters(
        status=choice("status"),
        agent=parsed("agent", UUID),
        mode=choice("mode"),
        q=args.get("q", "").replace("\0", "").strip()[:200],
        since=since,
        until=until,
        zone=days_zone(args) if since or until else None,
        within=choice("within"),
        money=choice("money"),
        cost_min=parsed("cost_min", usd),
        bulk=parsed("bulk", UUID),
    )
    return filters, ignored


def usd(text: str) -> Decimal:
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


def texts(filters: Filters) -> dict[str, str]:
    """Return the fields from which `read` makes the same filters."""
    return {name: str(one) for name, one in filters.chosen().items()}


def in_words(chosen: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and value of each filter, for people."""
    plain = strictjson.plain(dict(chosen))
    return [
        (LABELS[name], dict(CHOICES.get(name, ())).get(str(plain[name]), str(plain[name])))
        for name in NAMES
        if name in plain
    ]


def fields(filters: Filters, zone: str) -> list[dict[str, Any]]:
    """Return the fields of the form above the list; its days begin in this zone."""

    def field(name: str) -> dict[str, Any]:
        kind = {"kind": KINDS.get(name, "select"), "options": CHOICES.get(name, ())}
        value = getattr(filters, name) or ""
        label = LABELS[name].replace("(day)", f"({zone} day)")
        return {"name": name, "label": label, "value": value, **kind}

    return [field(name) for name in NAMES if name in CHOICES or name in KINDS]
