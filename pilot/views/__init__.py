"""The kit of every page: who may, who asks, the answer as page, fragment or JSON twin."""

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    get_flashed_messages,
    redirect,
    request,
    session,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType
from wtforms import Form
from wtforms.form import BaseForm

from pilot import db, strictjson
from pilot.audit import Actor
from pilot.engine.life import preflight
from pilot.engine.people import levels, users
from pilot.engine.people.api_tokens import TokenUser
from pilot.engine.people.levels import ADMIN as ADMIN
from pilot.engine.people.levels import DECIDE as DECIDE
from pilot.engine.people.levels import OPERATE as OPERATE
from pilot.engine.people.levels import PUBLIC as PUBLIC
from pilot.engine.people.levels import SIGNED_IN as SIGNED_IN
from pilot.engine.people.levels import VIEW as VIEW
from pilot.engine.people.levels import Level as Level
from pilot.errors import Issue

View = Callable[..., ResponseReturnValue]


THEMES = ("system", "light", "dark")
UTC = ZoneInfo("UTC")

# Marks in a User-Agent, the most special first: each browser names the ones it imitates too.
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)

SCOPES: dict[str, str] = {}  # endpoint of the API -> what a token needs for it
# A field that a POST may send, by name (`input-*`: names that begin so), all of a form, or what a
# function of the path's values returns.
Takes = tuple[str | type[BaseForm] | Callable[..., Collection[str]], ...]
TAKES: dict[str, Takes] = {}  # endpoint -> its fields, filled by `route`

CONFIRMATION = "confirm_password"  # a field of each form that asks for the password again
FRESH: set[str] = set()  # the endpoints of those forms

PERMISSIONS: dict[str, Level] = {}  # endpoint -> level, filled by `route` while pages are imported


@dataclass(frozen=True)
class Visitor:
    """Who asks: a signed-in person, or nobody (`id` is None)."""

    id: UUID | None = None
    name: str = ""
    email: str = ""
    roles: frozenset[str] = frozenset()
    zone: str | None = None
    token: TokenUser | None = None  # of a program that acts for the person
    fresh: bool = False  # their password was given within 10 minutes
    is_active: bool = True  # this and the properties below are what Flask-Login asks for

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is signed in."""
        return self.id is not None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is signed in."""
        return self.id is None

    def get_id(self) -> str | None:
        """Return the id as text."""
        return str(self.id) if self.id else None

    @property
    def sees_all(self) -> bool:
        """Whether rows of all owners are visible: only for an administrator's own web requests."""
        return self.token is None and "admin" in self.roles

    def may(self, level: Level) -> bool:
        """Return whether this visitor holds a role that includes `level`."""
        if level is PUBLIC:
            return True
        if level is SIGNED_IN:
            return self.is_authenticated
        return levels.include(self.roles, level)


def visitor() -> Visitor:
    """Return who asks in this request; rows are read once per request."""
    return cast("Visitor", current_user._get_current_object())  # noqa: SLF001 - the proxy's own way


def signed_in() -> UUID:
    """Return the id of the signed-in person; only for routes that are not PUBLIC."""
    user_id = visitor().id
    if user_id is None:
        raise LookupError("a PUBLIC route asked for the signed-in person")
    return user_id


def zone() -> ZoneInfo:
    """Return the zone times are shown in: the person's, else the browser's, else UTC."""
    for name in (visitor().zone, request.cookies.get("pilot-zone")):
        if name and name != "UTC":
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue  # a cookie may hold anything
    return UTC


def request_id() -> str:
    """Return the id of this request: in its log lines, audit entries and error pages."""
    return str(cast("Any", request).id)


def actor() -> Actor:
    """Return the signed-in person as the actor of audit entries."""
    token = visitor().token
    label = token.label if token is not None else None
    return Actor(f"user:{signed_in()}", request.remote_addr, request_id(), label)


def origin() -> users.Origin:
    """Return where this request comes from: its address and the browser in words."""
    agent = request.user_agent.string
    names = [name for mark, name in BROWSERS if mark in agent][:1] or [agent[:40]]
    systems = [name for mark, name in SYSTEMS if mark in agent][:1]
    return users.Origin(request.remote_addr or "", " on ".join(names + systems), request_id())


def show_issues(form: Form, issues: Iterable[Issue]) -> None:
    """Put what an operation refused beside the fields of a form, the rest above it, with places."""
    for issue in (one for one in issues if one.severity == "error"):
        name, *inner = issue.path.split("/")[1:] or [""]
        if name in form:
            form[name].errors = [*form[name].errors, issue.message]
        else:
            place = f"{issue.path}: " if inner else ""
            form.form_errors.append(place + issue.message)


def reading() -> AbstractContextManager[Session]:
    """Open a session for a page's SELECTs under the visitor's row security."""
    who = visitor()
    return db.reading(who.id, sees_all=who.sees_all)


def setup() -> preflight.Setup:
    """Return what the installation offers to executions."""
    config = current_app.config
    return preflight.Setup(config["DATA"], has_models=config["HAS_MODELS"])


def permit(endpoint: str, level: Level) -> None:
    """Declare who may use an endpoint."""
    if PERMISSIONS.setdefault(endpoint, level) is not level:
        raise ValueError(f"{endpoint} has two permissions")


def route(  # noqa: PLR0913 - one keyword for each thing that a route declares
    bp: Blueprint,
    rule: str,
    *,
    allow: Level,
    methods: tuple[str, ...] = ("GET",),
    twin: bool = False,
    sheet: bool = False,
    takes: Takes | None = None,
    fresh: bool = False,
) -> Callable[[View], View]:
    """Register a view with its permission; `twin` adds the same URL with `.json` at its end.

    A view with a twin must call `render(..., twin=...)`; with `sheet`, for `.csv`, one of lists,
    it answers `csv_answer` where `wants_csv`. `takes` are the fields of a POST: a
    request with others is refused before the view runs (pilot.web.form_fields).
    `fresh` asks for the password before, if it was given long ago (pilot.web.freshness).

    Raises:
        ValueError: a POST that does not say which fields it takes.
    """
    if "POST" in methods and takes is None:
        raise ValueError(f"{rule} takes a form: say which fields, `takes=()` for a button alone")

    def register(view: View) -> View:
        name = view.__name__
        endpoints = [(name, rule)]
        if twin:
            endpoints.append((f"{name}_json", "/index.json" if rule == "/" else f"{rule}.json"))
        if sheet:
            endpoints.append((f"{name}_csv", f"{rule}.csv"))
        for endpoint, url in endpoints:
            key = f"{bp.name}.{endpoint}"
            permit(key, allow)
            TAKES[key] = (takes or ()) + ((CONFIRMATION,) if fresh else ())
            FRESH.update([key] if fresh else [])
            bp.add_url_rule(url, endpoint, view, methods=list(methods))
        return view

    return register


def wants_fragment() -> bool:
    """Return whether htmx asks for a part of the page (its history restore asks for all)."""
    return request.headers.get("HX-Request-Type") == "partial"


def is_api() -> bool:
    """Return whether a program asks: with a token, never with a cookie."""
    return request.path.startswith("/api/v")


def refuse_packed() -> None:
    """Refuse a body that would have to be unpacked.

    Raises:
        UnsupportedMediaType: 415.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType


def is_hook() -> bool:
    """Return whether a program sends something with neither a person nor a token of its own.

    That is a signed request, or JSON to a link whose token is in its address.
    """
    to_link = request.path.startswith("/resume/") and request.method == "POST"
    return request.path.startswith("/hooks/") or (to_link and request.is_json)


def wants_json() -> bool:
    """Return whether the answer is JSON: of the API, of a webhook, or of a `.json` twin."""
    return request.path.endswith(".json") or is_api() or is_hook()


def render(
    template: str,
    block: str | None = None,
    *,
    status: int = 200,
    twin: Callable[[], Any] | None = None,
    **context: Any,
) -> Response:
    """Answer with the page, with one block of it for htmx, or with its JSON twin.

    Args:
        template: file below templates/.
        block: the block of that same template which htmx gets alone.
        status: HTTP status, such as 422 for a form with errors.
        twin: returns what `.json` answers; called only when asked for.
        context: what the template sees.
    """
    if twin and wants_json():
        return json_answer(twin(), status=status)
    shadowed = context.keys() & current_app.config["MACROS"]
    if shadowed:
        raise ValueError(f"rename {sorted(shadowed)}: macros have these names")
    if block and wants_fragment():
        text = block_text(template, block, **context) + _toasts()
    else:
        current_app.update_template_context(context)
        text = current_app.jinja_env.get_template(template).render(context)
    response = Response(text, status=status, mimetype="text/html")
    if twin:
        response.headers["Link"] = f'<{_twin_url()}>; rel="alternate"; type="application/json"'
    return response


def block_text(template: str, block: str, **context: Any) -> str:
    """Return one block of a page as text: what fragments and streams send."""
    current_app.update_template_context(context)
    page = current_app.jinja_env.get_template(template)
    return "".join(page.blocks[block](page.new_context(context)))


def _twin_url() -> str:
    path = "/index" if request.path == "/" else request.path
    query = quote(request.query_string, safe="=&%+,:-._~")
    return quote(f"{path}.json") + (f"?{query}" if query else "")


def _toasts() -> str:
    """Return the waiting toasts as an extra part of a fragment."""
    waiting = get_flashed_messages(with_categories=True)
    if not waiting:
        return ""
    macro = cast("Callable[..., str]", current_app.jinja_env.globals["toast_partial"])
    return str(macro(waiting))


def json_answer(value: Any, *, status: int = 200) -> Response:
    """Answer with JSON; see `strictjson.plain` for how values are written."""
    text = strictjson.dumps(strictjson.plain(value))
    return Response(text + "\n", status=status, mimetype="application/json")


def redirect_to(url: str) -> Response:
    """Lead the browser to a page after a POST: 303, or `HX-Redirect` for htmx."""
    if wants_fragment():
        return Response(status=200, headers={"HX-Redirect": url})
    return cast("Response", redirect(url, code=303))


def toast(message: str, *, undo_url: str | None = None) -> None:
    """Show a short confirmation on the next page or fragment; `undo_url` takes a POST.

    Never for errors: those stay on the page.
    """
    flash(message, undo_url or "")


def start_session(response: Response, token: str) -> Response:
    """Give the browser its sign-in cookie and forget what it was before (CSRF token, toasts)."""
    session.clear()
    name = current_app.config["SIGN_IN_COOKIE"]
    secure = name.startswith("__Host-")
    response.set_cookie(name, token, httponly=True, secure=secure, samesite="Lax")
    return response


def end_session(response: Response) -> Response:
    """Take the sign-in cookie back and clear what the browser kept."""
    session.clear()
    name = current_app.config["SIGN_IN_COOKIE"]
    response.delete_cookie(name, secure=name.startswith("__Host-"), httponly=True, samesite="Lax")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
