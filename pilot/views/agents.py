"""The list of agents: how each one's executions went lately."""

from dataclasses import asdict

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.reports import agents
from pilot.reports.agents import Filters
from pilot.views import ADMIN, OPERATE, VIEW, reading, render, route, visitor
from pilot.views.lists import kept, list_args, next_url, sheet, wants_csv

bp = Blueprint("agents", __name__)

NAV = ("Work", "Agents", 20, VIEW)

STATES = (("", "Any"), ("on", "On"), ("off", "Off"))
COLUMNS = (
    {"label": "Agent", "sort": "name"},
    {"label": "State"},
    {"label": "Last executions", "help": "The last ten, the newest on the right."},
    {
        "label": "Completed",
        "number": True,
        "sort": "completed",
        "help": "Of those that ended: the last 30 days, at most 100 executions.",
    },
    {
        "label": "Median",
        "number": True,
        "sort": "median",
        "help": "Half of these executions took less.",
    },
    {
        "label": "Median cost",
        "number": True,
        "sort": "cost",
        "help": "Half of those that ended in 30 days cost no more; no calls to models: $0.",
    },
    {"label": "Last used", "sort": "used"},
    {"label": "Owner"},
)


@route(bp, "/agents", allow=VIEW, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """All agents that match."""
    state = request.args.get("state", "")
    ignored = [] if state in dict(STATES) else [("state", state)]
    active = {"on": True, "off": False}.get(state)
    filters = Filters(request.args.get("q", "").replace("\0", "").strip()[:200], active)
    facts = asdict(filters)
    wanted, more = list_args(agents.SORTS, "name", facts, ("q", "state"))
    if wants_csv():
        return sheet(lambda session, page: agents.listed(session, filters, page), wanted)
    with reading() as session:
        listed = agents.listed(session, filters, wanted)
    following = next_url(listed, wanted, facts)
    fields = [
        {"name": "q", "label": "Name, goal or tag", "kind": "search", "value": filters.q},
        {"name": "state", "label": "State", "kind": "select", "value": state, "options": STATES},
    ]
    return render(
        "agents/index.html",
        "rows",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        sort=wanted.sort,
        kept=kept(wanted),
        following=following,
        columns=COLUMNS,
        fields=fields,
        ignored=ignored + more,
        chosen=[(name, value) for name, value in (("name", filters.q), ("state", state)) if value],
        first=wanted.after is None,
        may_operate=visitor().may(OPERATE),
        may_administer=visitor().may(ADMIN),
    )
