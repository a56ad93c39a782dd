"""What simulations show: ways taken, where outputs come from, what it takes at worst."""

from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue

from pilot import money
from pilot.engine.life.worst_case import Bounds
from pilot.reports import simulations as report
from pilot.views import VIEW, reading, render, route

bp = Blueprint("simulation", __name__)
WAYS = {
    "then": "then",
    "else": "else",
    "default": "no case matches",
    "on_error": "its error branch",
    "on_timeout": "nothing comes in time",
    "rejected": "somebody refuses",
}


@route(bp, "/simulations/<uuid:simulation_id>", allow=VIEW, twin=True)
def index(simulation_id: UUID) -> ResponseReturnValue:
    """The simulations that were started together, as they stand."""
    with reading() as session:
        shown = report.shown(session, simulation_id)
    bounds = [("With as many items as here", shown.here), ("With as many as may be", shown.most)]
    return render(
        "simulation/index.html",
        "live_part",
        twin=lambda: report.facts(shown),
        shown=shown,
        way_words=way_words,
        bounds=[(title, one, cost_words(one)) for title, one in bounds],
    )


def way_words(name: str) -> str:
    """Return a way in words."""
    if name.startswith("case") and name[4:].isdigit():
        return f"case {int(name[4:]) + 1}"
    return WAYS.get(name, name)


def cost_words(one: Bounds) -> str:
    """Return what it costs at most, in words."""
    if one.unpriced:
        return "unknown: no model with a price can be asked"
    return money.usd(one.usd)
