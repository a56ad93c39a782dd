"""What calls to models cost: range, zone and grouping in the URL, a chart over a table, twins."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot import settings
from pilot.engine.triggers import zones
from pilot.reports import cached, cascade, costs, drafting, feedback
from pilot.reports.costs import DIMENSIONS, NONE, Asked, Costs, Line
from pilot.reports.spending import NOTHING
from pilot.views import ADMIN, VIEW, reading, render, route, visitor, zone
from pilot.views.lists import csv_answer, unknown, wants_csv

bp = Blueprint("costs", __name__)

NAV = ("Insight", "Costs", 10, VIEW)

DAYS, MOST_DAYS = 30, 366
SHOWN = 200  # rows on the page; the twins have all
DRAWN = 12  # bars of what is not a day
TABS = (("costs", "Spend", "/costs"), ("generation", "Generation", "/costs/generation"))
COLUMNS = (
    {"label": "Calls", "number": True, "help": "Attempts at models that have ended."},
    {"label": "Tokens", "number": True, "help": "All that were sent and answered."},
    {"label": "Cost", "number": True, "help": "Of the calls with a price; the others are named."},
    {"label": "Wasted", "number": True, "help": "Of the cost: calls whose answer was not used."},
    {"label": "Unpriced", "number": True, "help": "Calls without a price, which are not free."},
    {
        "label": "Saved",
        "number": True,
        "help": "Counterfactual: what the baseline model would have cost more for the same tokens.",
    },
)
WORDS = {
    "step": "Steps of executions",
    "draft": "First drafts",
    "repair": "Repairs",
    "fallback": "Fallback",
    "summary": "Summaries",
    "test": "Tests of models",
    "ok": "Used",
    "lost": "Lost with its worker",
}
NAMES_OF_NONE = {
    "agent": "No agent (drafts and tests)",
    "intent": "No intent",
    "step_type": "No step (drafts and tests)",
}

STAGES = {  # label, what it does
    "cache": ("Cache", "The same goal, accepted before: offered again."),
    "nearest": ("Nearest workflow", "An accepted workflow of a goal of the same words."),
    "planner": ("Planner", "Reads the words by rules."),
    "primary": ("Primary model", "Drafts what the planner is not sure of."),
    "repair": ("Repair", "Its draft goes back to it once, with what is wrong."),
    "fallback": ("Fallback model", "Asked where the primary model fails."),
    "none": ("No draft", "No stage gave a workflow that can be used."),
}


def own_zone() -> str:
    """Return the zone that times are shown in, if days can be counted in it, else UTC."""
    key = zone().key
    return key if key in zones.names() else "UTC"


@route(bp, "/costs", allow=VIEW, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """What the calls of a period cost."""
    asked, ignored = _asked()
    with reading() as session:
        found = costs.costs(session, asked)
    if wants_csv():
        return csv_answer(
            {asked.group: line.key, "name": line.name} | costs.facts(line.spent)
            for line in found.lines
        )
    return render(
        "costs/index.html",
        "rows",
        twin=lambda: _twin(asked, found),
        asked=asked,
        found=found,
        lines=[(_name(asked, line), _url(asked, line), line.spent) for line in found.lines[:SHOWN]],
        columns=({"label": DIMENSIONS[asked.group].label}, *COLUMNS),
        chart=_chart(asked, found),
        fields=_fields(asked),
        only=[(name, _only_words(asked, found, name)) for name in asked.only],
        query=request.query_string.decode("ascii", "replace"),
        ignored=ignored,
        year_ago=asked.until - timedelta(days=MOST_DAYS - 1),
        tabs_of_costs=TABS,
    )


def _asked() -> tuple[Asked, list[tuple[str, str]]]:
    """Return what the URL asks for, and what in it means nothing."""
    ignored = unknown({"since", "until", "zone", "group", *DIMENSIONS})
    args = {name: value for name, value in request.args.items() if value}

    def known(name: str, choices: Iterable[str], default: str) -> str:
        value = args.get(name, default)
        if value not in choices:
            ignored.append((name, value[:60]))
            return default
        return value

    days_in = known("zone", zones.names(), own_zone())
    until = _day(args, "until", ignored) or zones.today(days_in)
    since = _day(args, "since", ignored) or until - timedelta(days=DAYS - 1)
    if not timedelta(0) <= until - since < timedelta(days=MOST_DAYS):
        ignored.append(("since", f"{since} (up to {MOST_DAYS} days, the first before the last)"))
        since = until - timedelta(days=DAYS - 1)
    only = {name: args[name].replace("\0", "") for name in DIMENSIONS if name in args}
    return Asked(since, until, days_in, known("group", DIMENSIONS, "day"), only), ignored


def _day(args: dict[str, str], name: str, ignored: list[tuple[str, str]]) -> date | None:
    try:
        found = date.fromisoformat(args[name]) if name in args else None
    except ValueError:
        found = date.min
    if found is not None and not date(2000, 1, 1) <= found <= date(2999, 12, 31):
        ignored.append((name, args[name][:60]))
        return None
    return found


def _fields(asked: Asked) -> list[dict[str, Any]]:
    zones = dict.fromkeys([own_zone(), asked.zone, "UTC"])
    groups = [(name, one.label) for name, one in DIMENSIONS.items()]
    return [
        {"name": "since", "label": "From", "kind": "date", "value": asked.since},
        {"name": "until", "label": "To", "kind": "date", "value": asked.until},
        {
            "name": "zone",
            "label": "Zone of the days",
            "kind": "select",
            "value": asked.zone,
            "options": [(one, one) for one in zones],
        },
        {
            "name": "group",
            "label": "By",
            "kind": "select",
            "value": asked.group,
            "options": groups,
        },
    ]


def _name(asked: Asked, line: Line) -> str:
    if line.key == NONE and asked.group in NAMES_OF_NONE:
        return NAMES_OF_NONE[asked.group]
    if asked.group in {"role", "outcome", "intent", "step_type"}:
        return WORDS.get(line.key, line.key.replace("_", " ").capitalize())
    return line.name


def _url(asked: Asked, line: Line) -> dict[str, Any]:
    """Return the changes of the URL that narrow the page to a group."""
    if asked.group == "day":
        return {"since": line.key, "until": line.key, "group": "model"}
    return {asked.group: line.key, "group": "day"}


def _only_words(asked: Asked, found: Costs, name: str) -> str:
    key = asked.only[name]
    here = [line for line in found.lines if asked.group == name and line.key == key]
    text = here[0].name if here else key[-8:] if _is_id(key) else key
    return f"{DIMENSIONS[name].label} {text[:60]}"


def _is_id(key: str) -> bool:
    try:
        return bool(UUID(key))
    except ValueError:
        return False


def _chart(asked: Asked, found: Costs) -> dict[str, Any]:
    """Return bars: cost, the wasted part apart; tokens where nothing has a price."""
    by_cost = any(line.spent.cost for line in found.lines)
    lines = _days(asked, found) if asked.group == "day" else found.lines[:DRAWN]
    sizes = [
        (line, *_size(line, by_cost=by_cost))
        for line in lines
        if asked.group == "day" or line.spent.calls
    ]
    top = max((size for _, size, _ in sizes), default=Decimal(0)) or Decimal(1)
    bars: list[dict[str, Any]] = [
        {
            "name": _name(asked, line),
            "share": float(size / top),
            "wasted": float(wasted / top),
            "spent": line.spent,
        }
        for line, size, wasted in sizes
    ]
    best = max(bars, key=lambda bar: bar["share"], default=None)
    return {"bars": bars, "by": "Cost" if by_cost else "Tokens", "best": best}


def _size(line: Line, *, by_cost: bool) -> tuple[Decimal, Decimal]:
    if by_cost:
        return line.spent.cost, line.spent.wasted
    return Decimal(line.spent.tokens), Decimal(line.spent.wasted_tokens)


def _days(asked: Asked, found: Costs) -> list[Line]:
    """Return every day of the period, those without calls too."""
    known = {line.key: line for line in found.lines}
    days = [
        (asked.since + timedelta(days=n)).isoformat()
        for n in range((asked.until - asked.since).days + 1)
    ]
    return [known.get(day) or Line(day, day, NOTHING) for day in days]


def _twin(asked: Asked, found: Costs) -> dict[str, Any]:
    return {
        "since": asked.since,
        "until": asked.until,
        "zone": asked.zone,
        "group": asked.group,
        "only": dict(asked.only),
        "items": [
            {"key": line.key, "name": line.name} | costs.facts(line.spent) for line in found.lines
        ],
        "total": costs.facts(found.total),
        "recorded_calls": found.recorded,
        "calls_under_way": found.under_way,
        "moved": found.moved,
        "baseline_models": found.baselines,
        "cached_steps": cached.facts(found.cached),
    }


@route(bp, "/costs/generation", allow=VIEW, twin=True)
def generation() -> ResponseReturnValue:
    """What drafting costs, how often the fallback helped, and how good first drafts were."""
    with reading() as session:
        found = drafting.report(session)
        values, _ = settings.snapshot(session)
        way = cascade.cascade(session, values)
        thumbs = feedback.feedback(session)
    more = {"stages_30_days": cascade.facts(way), "feedback_30_days": feedback.facts(thumbs)}
    return render(
        "costs/generation.html",
        twin=lambda: drafting.facts(found) | more,
        found=found,
        way=way,
        feedback=thumbs,
        stage_words=STAGES,
        may_administer=visitor().may(ADMIN),
        me=visitor().id,
        tabs_of_costs=TABS,
    )
