"""The one place where a browser's cookie becomes a `Visitor`, and its choices are read."""

import hashlib
from typing import Any, cast

from flask import Flask, Request, request
from flask_login import LoginManager

from pilot.engine.people import api_tokens, users
from pilot.errors import UnavailableError
from pilot.views import THEMES, Visitor, is_api, is_hook
from pilot.web.requests import PilotRequest


def cookie_names(secret_key: str, *, https: bool) -> tuple[str, str]:
    """Return the names of the sign-in cookie and of the page cookie (CSRF, toasts).

    Cookies ignore the port, so two instances on one host need names of their own.
    """
    instance = hashlib.sha256(secret_key.encode()).hexdigest()[:8]
    prefix = "__Host-" if https else ""
    return f"{prefix}pilot-session-{instance}", f"{prefix}pilot-page-{instance}"


def install(app: Flask) -> None:
    """Let Flask-Login ask for the visitor of a request."""
    login: Any = LoginManager()  # type: ignore[no-untyped-call]
    # Not `init_app`: its cookie refresh opens the page cookie on every answer, so that static files
    # would vary by cookie and leave the browser's cache with each change of one.
    cast("Any", app).login_manager = login
    login.anonymous_user = Visitor
    login.session_protection = None  # the row in PostgreSQL is the session

    @login.request_loader  # type: ignore[untyped-decorator]
    def load(current: Request) -> Visitor | None:
        try:
            if is_hook():
                return None
            if is_api():
                return _of_token(current)
            token = current.cookies.get(app.config["SIGN_IN_COOKIE"])
            user = users.session_user(token) if token else None
        except UnavailableError as error:
            # Kept for `check_permission`: the 503 page itself must need no database.
            if isinstance(current, PilotRequest):
                current.outage = error
            return None
        if user is None:
            return None
        roles = frozenset(user.roles)
        return Visitor(user.id, user.name, user.email, roles, user.zone, fresh=user.fresh)


def _of_token(current: Request) -> Visitor | None:
    """Return the person whose token the request has in its header."""
    kind, _, text = current.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    token = api_tokens.user(text.strip(), current.remote_addr or "")
    if token is None:
        return None
    owner = token.owner
    roles = frozenset(owner.roles)
    return Visitor(owner.id, owner.name, owner.email, roles, owner.zone, token)


def theme() -> str:
    """Return system, light or dark: the browser's choice."""
    chosen = request.cookies.get("pilot-theme", "system")
    return chosen if chosen in THEMES else "system"
