"""Loads the demo: local data and agents that run at once."""

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from pilot.engine.demo import loading
from pilot.views import ADMIN, actor, redirect_to, route, signed_in, toast

bp = Blueprint("demo", __name__)


@route(bp, "/demo", allow=ADMIN, methods=("POST",), takes=())
def load() -> ResponseReturnValue:
    """Make what is missing of the demo and say what was made."""
    loaded = loading.load(data=current_app.config["DATA"], by=actor(), user_id=signed_in())
    made = f"{len(loaded.agents)} agents and {len(loaded.files)} files made"
    if loaded.missing:
        made += f"; your own tables do not fit {', '.join(loaded.missing)}"
    switch = " Run pilot steps: on." if loaded.switched_on else ""
    toast(f"Demo loaded: {made}.{switch}")
    return redirect_to("/agents")
