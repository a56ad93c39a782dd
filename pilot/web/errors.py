"""Every error becomes one of three answers: a page, a fragment for #alert, or problem+json."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog
from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import (
    ClientDisconnected,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    RequestEntityTooLarge,
)

from pilot import db
from pilot.errors import (
    ConflictError,
    ForbiddenError,
    InProgressError,
    InvalidError,
    Issue,
    PilotError,
    RateLimitedError,
    StepError,
)
from pilot.redaction import redact
from pilot.views import (
    is_hook,
    json_answer,
    render,
    request_id,
    visitor,
    wants_fragment,
    wants_json,
)
from pilot.views.ways import present_page
from pilot.web.security import UNSAFE, CrossSiteError, record_denial, sign_in_url

log = structlog.get_logger()


@dataclass(frozen=True)
class Problem:
    """What an error answer says; `advice` is what the reader can do."""

    status: int
    code: str
    title: str
    advice: str
    message: str = ""
    issues: tuple[Issue, ...] = ()
    present: Any = None  # what holds now, for who was late
    retry_after_s: int | None = None
    allowed: tuple[str, ...] = ()  # methods, where another one was used
    way: tuple[str, str] | None = None  # on: the words of a link, and where it leads


PAGE = "errors/error.html"
RELOAD = "Reload the page and try again."
KNOWN: dict[int, tuple[str, str, str]] = {
    400: ("bad_request", "This request makes no sense", RELOAD),
    401: (
        "unauthorized",
        "Please sign in",
        "Sign in in a new tab, then go back here to the form: your browser kept what you typed.",
    ),
    403: ("forbidden", "You may not do this", "Ask an administrator for a role that allows it."),
    404: (
        "not_found",
        "There is nothing here",
        "It never was, it was deleted, or it belongs to somebody else. Check the address.",
    ),
    405: (
        "method_not_allowed",
        "Not this way",
        "Use the buttons of the page, or a method that it allows.",
    ),
    408: (
        "timeout",
        "The request did not come whole",
        "It stopped on its way, and nothing of it was saved. Send it again.",
    ),
    409: ("conflict", "Somebody was faster", "Look how it is now before you try again."),
    410: ("gone", "This is over", "The link or deadline has passed. Ask for a new one."),
    412: ("stale", "It changed meanwhile", "Read it again, then change what holds now."),
    413: ("too_large", "Too much at once", "Send less than 10 MB and 1,000 fields."),
    415: ("unsupported_media_type", "Wrong kind of content", "Send the content type asked for."),
    422: ("invalid", "This cannot be accepted", "Change what is listed and send it again."),
    428: (
        "precondition",
        "Say what you changed",
        "Send the ETag that you read in the header If-Match.",
    ),
    429: ("rate_limited", "Too many requests", "Wait a moment and try again."),
    500: (
        "internal",
        "Something failed here",
        "Nothing of this request was saved. Try again; give the error id to whoever runs this.",
    ),
    502: ("upstream", "Another server failed", "Try again in a moment."),
    503: (
        "unavailable",
        "Not available right now",
        "If it lasts, whoever runs Pilot finds the cause with pilot doctor.",
    ),
}
UNSIGNED = (
    "Sign in, or send an API token that holds (Authorization: Bearer plt_...): none came, or it is "
    "unknown, expired or revoked, or its owner is switched off. New ones: Account, or pilot token "
    "create."
)
TOO_LARGE = RequestEntityTooLarge.description  # what it says where no other limit is named
CROSS_SITE = (
    "Go back: your browser kept what you typed. Send it again; if it is refused again, copy what "
    "you typed and reload that page."
)


def problem(status: int, message: str = "") -> Problem:
    """Return what a page says for a status; unknown 4xx read as 400, unknown 5xx as 500."""
    known = status if status in KNOWN else 400 if status < 500 else 500
    code, title, advice = KNOWN[known]
    return Problem(status if status >= 400 else 500, code, title, advice, message)


def _from_pilot(error: PilotError) -> Problem:
    status = 502 if isinstance(error, StepError) else error.status
    base = problem(status, error.message)
    issues = tuple(error.issues) if isinstance(error, InvalidError) else ()
    retry = error.retry_after_s if isinstance(error, RateLimitedError | InProgressError) else None
    message = "" if issues or status == 500 else error.message
    present = error.present if isinstance(error, ConflictError) else None
    return Problem(status, error.code, base.title, base.advice, message, issues, present, retry)


def _from_http(error: HTTPException) -> Problem:
    found = problem(error.code or 500)
    if isinstance(error, ClientDisconnected):  # or cut, as it came too slowly
        return problem(408)
    if isinstance(error, MethodNotAllowed):
        return replace(found, allowed=tuple(sorted(error.valid_methods or ())))
    if isinstance(error, CrossSiteError | CSRFError):
        title = "This form was not sent from here"
        return Problem(403, "cross_site", title, CROSS_SITE)
    if isinstance(error, RequestEntityTooLarge) and error.description != TOO_LARGE:
        return replace(found, advice=error.description or found.advice)
    # The limiter counts by the minute; its own header would replace other errors' waiting times.
    return replace(found, retry_after_s=60) if found.status == 429 else found


def answer(found: Problem) -> Response:
    """Return the answer in the form the request asked for."""
    error_id, found = request_id(), _with_way(_without_secrets(found))
    if wants_json():
        response = _problem_json(found, error_id)
    elif wants_fragment():
        response = render(PAGE, "fragment", status=found.status, problem=found, error_id=error_id)
        response.headers["HX-Retarget"] = "#alert"
        response.headers["HX-Reswap"] = "innerHTML"
        response.headers["HX-Push-Url"] = "false"  # the page still shows what its URL says
    else:
        response = render(PAGE, status=found.status, problem=found, error_id=error_id)
    if found.allowed:
        response.headers["Allow"] = ", ".join(found.allowed)
    if found.retry_after_s is not None:
        response.headers["Retry-After"] = str(found.retry_after_s)
    elif found.status == 503:
        response.headers["Retry-After"] = "5"
    return response


def _with_way(found: Problem) -> Problem:
    """Return the same problem; who has to look at something first is led there."""
    if found.status == 401:
        return replace(found, way=("Sign in", sign_in_url()))
    page = present_page() if found.status == 409 else "/"
    return replace(found, way=("See how it is now", page)) if page != "/" else found


def _without_secrets(found: Problem) -> Problem:
    """Return the same problem; what it quotes may hold what must not be shown."""
    issues = tuple(
        replace(
            one, message=redact(one.message), expected=redact(one.expected), got=redact(one.got)
        )
        for one in found.issues
    )
    return replace(found, message=redact(found.message), issues=issues)


def _problem_json(found: Problem, error_id: str) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": found.title,
        "status": found.status,
        "code": found.code,
        "detail": found.message or found.advice,
        "request_id": error_id,
    }
    if found.present is not None:
        body["present"] = found.present
    if found.issues:
        body["errors"] = [asdict(issue) for issue in found.issues]
    response = json_answer(body, status=found.status)
    response.mimetype = "application/problem+json"
    if found.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _ask_to_sign_in() -> ResponseReturnValue:
    if wants_json():
        return answer(problem(401, UNSIGNED))
    if wants_fragment():
        return Response(status=401, headers={"HX-Redirect": sign_in_url()})
    if request.method in UNSAFE:
        return answer(problem(401))  # no redirect: what was typed is one step back
    return redirect(sign_in_url(), code=303)


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, PilotError):
        return _from_pilot(error)
    if isinstance(error, ParseException):  # of the server, as the body was read: malformed chunks
        return problem(400)
    return _from_http(error) if isinstance(error, HTTPException) else problem(500)


def _last_resort(error: InternalServerError) -> Response:
    """Answer without a template: Flask comes here only when our own error page failed."""
    log.error("error_page_failed", endpoint=request.endpoint, exc_info=error.original_exception)
    text = f"Something failed here. Error id {request_id()}\n"
    return Response(text, status=500, mimetype="text/plain")


def on_error(error: Exception) -> ResponseReturnValue:
    """Answer any error of a request and log what its reader must not see."""
    if isinstance(error, HTTPException) and (error.code or 500) < 400:
        return error  # a redirect
    if isinstance(error, InternalServerError) and error.original_exception is not None:
        return _last_resort(error)
    if isinstance(error, OperationalError | InterfaceError):
        error = db.unavailable(error)
    found = _problem_of(error)
    if isinstance(error, ForbiddenError) and visitor().is_authenticated:
        record_denial()
    if found.status == 401 and not is_hook():
        return _ask_to_sign_in()
    if found.status >= 500:
        log.error("request_failed", endpoint=request.endpoint, exc_info=error)
    return answer(found)


def install(app: Flask) -> None:
    """Answer every error of `app` here."""
    app.register_error_handler(Exception, on_error)
