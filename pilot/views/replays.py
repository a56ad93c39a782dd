"""Past executions as tests: choose version and model, and see what differs."""

from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.engine.life import executions, replays
from pilot.engine.providers import model_catalogue
from pilot.errors import InvalidError, Issue
from pilot.reports import agents as agent_rows
from pilot.reports import replays as report
from pilot.views import (
    OPERATE,
    VIEW,
    actor,
    reading,
    redirect_to,
    render,
    route,
    setup,
    signed_in,
    visitor,
)

bp = Blueprint("replays", __name__)
URL = "/executions/<uuid:execution_id>/replay"
MOST_VERSIONS = 200
MOST_SHOWN = 200  # differences; the twin has all


@route(bp, URL, allow=OPERATE)
def ask(execution_id: UUID) -> ResponseReturnValue:
    """Version and model: the newest, and nobody."""
    return _page(execution_id)


@route(bp, URL, allow=OPERATE, methods=("POST",), takes=("version", "model"))
def begin(execution_id: UUID) -> ResponseReturnValue:
    """Run it again offline."""
    text = request.form.get("version", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
    asked = replays.Asked(number, request.form.get("model") or None)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "setup": setup()}
    try:
        made = replays.begin(execution_id, asked, sees_all=visitor().sees_all, **who)
    except InvalidError as error:
        return _page(execution_id, asked, error.issues, 422)
    return redirect_to(f"/replays/{made}")


@route(bp, "/replays/<uuid:replay_id>", allow=VIEW, twin=True)
def index(replay_id: UUID) -> ResponseReturnValue:
    """A replay beside what it replays."""
    with reading() as session:
        shown = report.shown(session, replay_id)
    return render(
        "replay/index.html",
        "live_part",
        twin=lambda: report.facts(shown),
        shown=shown,
        most=MOST_SHOWN,
    )


def _page(
    execution_id: UUID,
    asked: replays.Asked | None = None,
    problems: list[Issue] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        row = executions.find(session, execution_id)
        versions = agent_rows.versions(session, row.agent_id, size=MOST_VERSIONS)
        known = model_catalogue.entries(session).values()
        models = [one for one in known if one.skipped is None]
    return render(
        "replay/ask.html",
        status=status,
        row=row,
        versions=versions,
        models=models,
        chosen=asked or replays.Asked(),
        problems=problems or [],
    )
