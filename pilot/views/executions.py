"""The list of executions; its filters, order and page are in the URL."""

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from pilot.engine.life.bulk import ALLOWED, Action
from pilot.reports import executions
from pilot.reports.executions import Filters
from pilot.views import OPERATE, VIEW, execution_filters, reading, render, route, visitor
from pilot.views.lists import days_zone, kept, list_args, next_url, sheet, wants_csv

bp = Blueprint("executions", __name__)

NAV = ("Work", "Executions", 30, VIEW)

LINKED = ("agent", "bulk")  # filters that a link gave: the form has no field for them
ACTIONS = (
    (Action.CANCEL, "Cancel"),
    (Action.PAUSE, "Pause"),
    (Action.RESUME, "Resume"),
    (Action.RETRY, "Retry failed"),
)
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
    filters, ignored = execution_filters.read(request.args)
    facts = vars(filters)
    wanted, more = list_args(executions.SORTS, "-started", facts, execution_filters.NAMES)
    if wants_csv():
        return sheet(lambda session, page: executions.listed(session, filters, page), wanted)
    with reading() as session:
        listed = executions.listed(session, filters, wanted)
        current = executions.current(session, listed.rows)
    following = next_url(listed, wanted, facts)
    linked = {name: str(facts[name]) for name in LINKED if facts[name]}
    days_in = {"zone": filters.zone} if filters.zone else {}
    return render(
        "executions/index.html",
        "rows",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        current=current,
        sort=wanted.sort,
        following=following,
        columns=COLUMNS,
        fields=execution_filters.fields(filters, days_zone(request.args)),
        ignored=ignored + more,
        chosen=[(name, value) for name, value in facts.items() if value],
        actions=_actions(filters),
        kept={**kept(wanted), **days_in, **linked},
        linked=linked,
        first=wanted.after is None,
    )


def _actions(filters: Filters) -> list[tuple[str, str]]:
    """Return what this visitor may ask for on all that match, with the page that shows it first."""
    if not visitor().may(OPERATE):
        return []
    sent: dict[str, Any] = execution_filters.texts(filters)
    return [
        (label, url_for("bulk.preview", action=str(action), **sent))
        for action, label in ACTIONS
        if filters.status is None or filters.status in ALLOWED[action]
    ]
