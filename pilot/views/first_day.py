"""The first 24 hours: executions, failures, cost, drafts, each number beside its rows."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from pilot.reports import first_day
from pilot.views import VIEW, reading, render, route, signed_in

bp = Blueprint("first_day", __name__)


@route(bp, "/first-day", allow=VIEW, twin=True)
def index() -> ResponseReturnValue:
    """What the 24 hours after the first execution brought."""
    with reading() as session:
        found = first_day.first_day(session)
    return render(
        "first_day/index.html", twin=lambda: first_day.facts(found), found=found, me=signed_in()
    )
