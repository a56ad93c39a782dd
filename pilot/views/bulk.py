"""One action for all executions that match: what it would meet, then how far it is."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.engine.life import bulk
from pilot.engine.life.bulk import Action
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.reports import bulk as report
from pilot.reports import executions
from pilot.reports.executions import Filters
from pilot.views import (
    OPERATE,
    VIEW,
    actor,
    execution_filters,
    reading,
    redirect_to,
    render,
    route,
    signed_in,
    visitor,
)
from pilot.views.lists import list_args, next_url

bp = Blueprint("bulk", __name__)
URL = "/executions/bulk"
VERBS = {"cancel": "Cancel", "pause": "Pause", "resume": "Resume", "retry": "Retry"}
UNSURE = "Tick the box: a cancelled execution cannot be resumed."
CHANGED = "This form does not hold any more: begin with the list of executions."


@route(bp, URL, allow=VIEW, twin=True)
def index() -> ResponseReturnValue:
    """What was asked for on many, the newest first."""
    wanted, ignored = list_args(report.SORTS, "-asked", {}, ())
    with reading() as session:
        listed = report.listed(session, wanted)
    following = next_url(listed, wanted, {})
    return render(
        "bulk/list.html",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        verbs=VERBS,
        sort=wanted.sort,
        ignored=ignored,
        following=following,
        first=wanted.after is None,
    )


@route(bp, f"{URL}/preview", allow=OPERATE, twin=True)
def preview() -> ResponseReturnValue:
    """How many match, which of them it can be done with, and why not with the others."""
    return _preview(*_asked(request.args))


@route(
    bp,
    URL,
    allow=OPERATE,
    methods=("POST",),
    takes=("action", "as_of", "previewed", "sure", *execution_filters.NAMES),
)
def begin() -> ResponseReturnValue:
    """Do it with all that match, if these are not more than were shown."""
    action, filters = _asked(request.form)
    if action is Action.CANCEL and request.form.get("sure") != "y":
        return _preview(action, filters, clash=UNSURE, status=422)
    asked = bulk.Asked(
        action,
        partial(executions.matching, filters=filters),
        filters.chosen(),
        _moment(request.form.get("as_of", "")),
        _count(request.form.get("previewed", "")),
    )
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "sees_all": visitor().sees_all}
    try:
        made = bulk.begin(asked, **who, key=request.form.get("request_id"))
    except ConflictError as error:
        return _preview(action, filters, clash=error.message, status=409)
    return redirect_to(f"{URL}/{made}")


@route(bp, f"{URL}/<uuid:bulk_id>", allow=VIEW, twin=True)
def shown(bulk_id: UUID) -> ResponseReturnValue:
    """How far it is: done, skipped and why, failed."""
    with reading() as session:
        found = report.shown(session, bulk_id)
    return render(
        "bulk/index.html",
        "live_part",
        twin=found.facts,
        shown=found,
        verb=VERBS[found.row.action],
        most=report.MOST_GROUPS,
        filters=execution_filters.in_words(found.row.filters),
    )


def _preview(
    action: Action, filters: Filters, *, clash: str = "", status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        found = report.preview(session, action, partial(executions.matching, filters=filters))
    return render(
        "bulk/preview.html",
        status=status,
        twin=found.facts,
        found=found,
        verb=VERBS[action],
        most=bulk.MOST,
        clash=clash,
        filters=execution_filters.in_words(filters.chosen()),
        sent=execution_filters.texts(filters),
    )


def _asked(args: Mapping[str, str]) -> tuple[Action, Filters]:
    """Return which action on which executions.

    Raises:
        InvalidError: no such action, or a filter without which more would match than was meant.
    """
    filters, ignored = execution_filters.read(args)
    issues = [Issue("filter", f"/{name}", f"{one} is no known value.") for name, one in ignored]
    if args.get("action") not in VERBS:
        issues.append(Issue("action", "/action", "Choose cancel, pause, resume or retry."))
    if issues:
        raise InvalidError(issues)
    return Action(args["action"]), filters


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidError([Issue("as_of", "/as_of", CHANGED)])
    return found


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise InvalidError([Issue("previewed", "/previewed", CHANGED)])
    return int(text)
