"""What guards every request and every answer: permission, origin, CSRF, CSP, headers, caches."""

from urllib.parse import quote

import structlog
from flask import Flask, Response, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import Forbidden, Unauthorized

from pilot import audit, db
from pilot.audit import Event
from pilot.errors import ForbiddenError, UnavailableError
from pilot.views import (
    PERMISSIONS,
    PUBLIC,
    SCOPES,
    Level,
    Visitor,
    actor,
    is_api,
    is_hook,
    signed_in,
    visitor,
    wants_fragment,
)
from pilot.views.ways import came_from, is_here, safe_path
from pilot.web.form_fields import refuse_unknown
from pilot.web.freshness import confirmation
from pilot.web.requests import PilotRequest, refuse_json, refuse_nul

log = structlog.get_logger()

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx"
)
YEAR_S = 365 * 24 * 3600


class CrossSiteError(Forbidden):
    """A form that was not sent from a page of this server, or from one that is too old."""

    description = "This form was not sent from a page of this session."


def check_permission() -> None:
    """Let a request pass only with the level that its route declares.

    Raises:
        Unauthorized: nobody is signed in.
        Forbidden: the roles of the visitor do not include the level.
    """
    if request.endpoint is None:
        return  # no such page: 404 or 405 follows
    level = PERMISSIONS.get(request.endpoint)
    if level is PUBLIC:
        return
    who = visitor()
    outage = _request().outage
    if outage:
        raise outage
    if not who.is_authenticated:
        raise Unauthorized
    if not allowed(who, level):
        record_denial()
        raise Forbidden
    scope = SCOPES.get(request.endpoint)
    if scope is not None and (who.token is None or scope not in who.token.scopes):
        raise ForbiddenError(f"This token lacks the scope {scope}: make one that has it.")


def allowed(who: Visitor, level: Level | None) -> bool:
    """Whether a visitor may use what asks for a level; no level and a fault are a no."""
    try:
        return level is not None and who.may(level)
    except Exception:  # a fault in the check must not open the door
        log.exception("permission_check_failed", endpoint=request.endpoint)
        return False


def record_denial() -> None:
    """Put into the audit trail that the signed-in person was refused.

    The refusal stands without it: a database that is away is logged.
    """
    try:
        _append_denial()
    except UnavailableError:
        log.warning("denial_not_recorded", endpoint=request.endpoint)


def _append_denial() -> None:
    with db.transaction("web.record_denial", signed_in()) as session:
        audit.record(
            session,
            Event.SECURITY_UNAUTHORIZED_ACCESS,
            actor=actor(),
            about=("route", request.endpoint),
            details={"method": request.method},
        )


def check_origin() -> None:
    """Refuse unsafe requests that a page of another origin sent.

    Raises:
        CrossSiteError: 403.
    """
    if request.method not in UNSAFE:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in {None, "same-origin", "none"} or (origin is not None and not is_here(origin)):
        raise CrossSiteError


def _request() -> PilotRequest:
    current = request._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001
    assert isinstance(current, PilotRequest)
    return current


def nonce() -> str:
    """Return the nonce of the present answer, for `nonce=` and `hx-nonce=`."""
    return _request().nonce


def protect_answer(response: Response, *, https: bool) -> Response:
    """Set the security and cache headers of any answer: pages, errors, streams, static files."""
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY.format(nonce=nonce())
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["X-Request-Id"] = _request().id
    if https:
        headers["Strict-Transport-Security"] = f"max-age={YEAR_S}"
    headers["Cache-Control"] = _cache_rule(response)
    if response.mimetype == "text/html":
        response.vary.add("HX-Request-Type")
    return response


def _cache_rule(response: Response) -> str:
    if request.endpoint == "static" and response.status_code in {200, 304}:
        hashed = "v" in request.args
        return f"public, max-age={YEAR_S}, immutable" if hashed else "no-cache"
    if response.mimetype == "text/event-stream" or wants_fragment() or request.method in UNSAFE:
        return "no-store"
    return "private, no-cache"


def sign_in_url() -> str:
    """Return where an anonymous visitor goes, with the way back: of a POST to its form."""
    back = safe_path(request.full_path.rstrip("?")) if request.method == "GET" else came_from()
    return "/sign-in" if back == "/" else "/sign-in?next=" + quote(back, safe="/")


def install(app: Flask, *, https: bool) -> None:
    """Guard every request of `app` and protect every answer."""
    # The token lives as long as the session: a form left open over lunch can still be sent.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    app.config["WTF_CSRF_SSL_STRICT"] = False  # `check_origin` does it
    csrf = CSRFProtect(app)
    PERMISSIONS["static"] = PUBLIC

    def guard() -> Response | None:
        check_permission()
        refuse_nul(request)
        if not is_api() and not is_hook():  # no cookie, no page of another origin that could use it
            check_origin()
            csrf.protect(apply_exemptions=True)
            refuse_json(request)
            if request.method in UNSAFE and request.endpoint is not None:
                sent = request.form.keys() | request.files.keys()
                refuse_unknown(request.endpoint, request.view_args or {}, sent)
                return confirmation()
        return None

    app.before_request(guard)
    app.after_request(lambda response: protect_answer(response, https=https))
