"""What a browser chooses for itself: the theme, kept in a cookie."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.views import PUBLIC, THEMES, redirect_to, route
from pilot.views.ways import came_from

bp = Blueprint("interface", __name__, url_prefix="/interface")

YEAR_S = 365 * 24 * 3600


@route(bp, "/theme", allow=PUBLIC, methods=("POST",), takes=("theme",))
def theme() -> ResponseReturnValue:
    """Keep the chosen theme and go back to the page the form stood on."""
    response = redirect_to(came_from())
    chosen = request.form.get("theme", "")
    if chosen in THEMES:
        response.set_cookie("pilot-theme", chosen, max_age=YEAR_S, samesite="Lax")
    return response
