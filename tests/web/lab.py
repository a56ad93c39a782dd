"""A page of every kind beside the real ones, so that what holds for all pages can be tested."""

from flask import Blueprint, Response, request

from pilot.errors import (
    ConflictError,
    ErrorClass,
    ForbiddenError,
    GoneError,
    InvalidError,
    Issue,
    NotFoundError,
    RateLimitedError,
    StepError,
    UnavailableError,
)
from pilot.views import (
    OPERATE,
    PUBLIC,
    SIGNED_IN,
    end_session,
    redirect_to,
    render,
    route,
    start_session,
    toast,
)

SECRET = "psycopg says: relation secret_table does not exist"
ISSUE = Issue("missing", "/inputs/report", "The input report has no value.", expected="a text")
ERRORS = {
    "not_found": (NotFoundError("No such agent."), 404),
    "forbidden": (ForbiddenError("Only its owner may."), 403),
    "conflict": (ConflictError("Decided by Ada at 14:05."), 409),
    "gone": (GoneError("The deadline was 14:05."), 410),
    "invalid": (InvalidError([ISSUE]), 422),
    "rate_limited": (RateLimitedError("Six times a minute is too often.", 30), 429),
    "step": (StepError(ErrorClass.NETWORK, "The mail server is away."), 502),
    "unavailable": (UnavailableError("The database does not answer."), 503),
}

lab = Blueprint("lab", __name__, url_prefix="/lab")


@route(lab, "/error/<name>", allow=PUBLIC, twin=True)
def error(name):
    if name in ERRORS:
        raise ERRORS[name][0]
    raise RuntimeError(SECRET)


@route(lab, "/save", allow=OPERATE, methods=("GET", "POST"), takes=("go",))
def save():
    toast("Saved.")
    return redirect_to("/lab/save") if request.form.get("go") else Response("saved")


@route(lab, "/form", allow=PUBLIC, methods=("POST",), takes=("*",))
def form_body():
    return {"got": len(request.form)}


@route(lab, "/page", allow=SIGNED_IN, twin=True)
def page():
    toast("Three settings saved.")
    return render("lab.html", "rows", twin=lambda: {"rows": [1]}, rows=[1])


@route(lab, "/shadow", allow=PUBLIC)
def shadow():
    return render("lab.html", tabs=[])


@route(lab, "/stream", allow=PUBLIC)
def stream():
    return Response(iter(["data: x\n\n"]), mimetype="text/event-stream")


@route(lab, "/in", allow=PUBLIC)
def enter():
    return start_session(Response("in"), "token-of-the-session")


@route(lab, "/out", allow=PUBLIC)
def leave():
    return end_session(Response("out"))


TEMPLATE = """{% extends "base.html" %}{% block title %}Lab{% endblock %}
{% block main %}<h1>Lab</h1>{% block rows %}{{ badge("step", "failed") }}{{ rows|length }} rows
<button hx-get="/lab/error/conflict" {{ htmx_nonce() }}>Ask</button>
<button hx-post="/lab/save" hx-target="#said" {{ htmx_nonce() }}>Save</button><p id="said"></p>
{% endblock %}{% endblock %}"""
