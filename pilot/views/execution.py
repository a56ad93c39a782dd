"""One execution: head, graph, timeline, step detail, what a person may do now; live over SSE."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from pilot import db, strictjson
from pilot.engine.agents import access
from pilot.engine.language import wording
from pilot.engine.life import executions, receipts, replays, retrying
from pilot.engine.providers import budgets
from pilot.engine.status import (
    ANSWERABLE,
    CANCELLABLE,
    MOVABLE,
    PAUSABLE,
    RAISABLE,
    REPEATABLE,
    RESUMABLE,
    RETRYABLE,
)
from pilot.errors import BadJsonError, ConflictError, InvalidError, Issue
from pilot.models.execution import Execution
from pilot.reports import audit, execution, standing, triggers
from pilot.reports.execution import SHOWN_EVENTS, Shown
from pilot.reports.execution_steps import Step
from pilot.reports.timeline import axis
from pilot.views import (
    OPERATE,
    VIEW,
    actor,
    block_text,
    downloads,
    json_answer,
    reading,
    redirect_to,
    render,
    route,
    signed_in,
    toast,
    visitor,
    zone,
)
from pilot.views.lists import part
from pilot.views.streams import Stream, partials

bp = Blueprint("execution", __name__)

URL = "/executions/<uuid:execution_id>"

PAGE = "execution/index.html"
TABS = (
    ("step", "Step"),
    ("data", "Input and output"),
    ("events", "Events"),
    ("audit", "Audit"),
    ("settings", "Settings"),
)
SAYINGS = {"happened": "It happened", "run": "It did not: run it", "skip": "Skip it"}


EFFECTS = {
    None: "none",
    "pure": "none outside",
    "keyed": "sent with its key: the receiver takes it once",
    "probe": "asked first whether it happened",
    "once": "at most once: never repeated by itself",
}


@route(bp, URL, allow=VIEW, twin=True)
def index(execution_id: UUID) -> ResponseReturnValue:
    """The execution as it stands."""
    return _page(execution_id)


def context(execution_id: UUID, tab: str = "step") -> dict[str, Any]:
    """Return what the page shows; the stream sends its live part again."""
    with reading() as session:
        shown = execution.shown(session, execution_id, request.args.get("step"))
        fired = triggers.of_execution(session, execution_id)
        may_run = visitor().may(OPERATE) and _may_run(session, shown.row)
        after = _after()
        events = execution.events(session, execution_id, after) if tab == "events" else []
        records = (
            audit.of_execution(session, execution_id, after, SHOWN_EVENTS) if tab == "audit" else []
        )
    drawn = axis(shown, db.now())
    steps = [
        {
            "id": f"row-{number}",
            "url": f"?step={step.path}#detail",
            "name": step.name,
            "depth": step.depth,
            "action": wording.kind(step.written or {"type": step.type}),
            "status": step.word,
            "detail": _waiting(step),
            "attempts": step.rounds.number if step.rounds else len(step.attempts),
            "duration_ms": step.duration_ms,
            "bars": drawn.bars[step.path],
            "selected": request.args.get("step") == step.path,
        }
        for number, step in enumerate(shown.steps)
    ]
    chosen = next((number for number, one in enumerate(steps) if one["selected"]), None)
    return {
        "shown": shown,
        "row": shown.row,
        "fired": fired,
        "steps": part(steps, chosen),
        "scale_ms": drawn.scale_ms,
        "cuts": drawn.cuts,
        "looks": {step.id: step.word for step in shown.steps},
        "links": {step.id: f"?step={step.path}#detail" for step in shown.steps},
        "unknown": [step for step in shown.steps if step.status == "unknown"],
        "actions": _actions(shown, may=may_run),
        "typed": {},
        "sayings": SAYINGS,
        "effect_words": EFFECTS,
        "events": events,
        "records": records,
        "after": after,
        "most": SHOWN_EVENTS,
        "step": next((one for one in shown.steps if one.path == request.args.get("step")), None),
        "step_id": (request.args.get("step") or "").rpartition("/")[2],
    }


def _may_run(session: Session, row: Execution) -> bool:
    """Whether this visitor's presses count here: it is theirs, shared to run, or they see all."""
    return visitor().sees_all or access.may_run(session, row.agent_id, row.owner_id, signed_in())


def _actions(shown: Shown, *, may: bool) -> dict[str, bool]:
    """Return which actions this visitor may take now; the engine's sets decide, not the page."""
    status = shown.row.status
    open_questions = any(step.status == "unknown" for step in shown.steps)
    whole = shown.row.pruned_at is None and shown.row.compensation != "begun"
    asked = shown.row.cancel_requested_at is not None or shown.row.pause_requested_at is not None
    return {
        "pause": may and status in PAUSABLE and not asked,
        "resume": may and status in RESUMABLE and not open_questions,
        "retry": may and status in RETRYABLE and whole,
        "repeat": may and status in REPEATABLE and whole and not open_questions,
        "fork": may and whole and shown.row.runs_reason != "inline",
        "replay": may and replays.may_replay(shown.row),
        "migrate": may and status in MOVABLE and whole and not open_questions and shown.is_older,
        "budget": may and status in RAISABLE and shown.row.budget_usd is not None,
        "cancel": may and status in CANCELLABLE and shown.row.cancel_requested_at is None,
        "answer": may and status in ANSWERABLE,
    }


def _waiting(step: Step) -> str:
    if step.rounds is not None:
        return step.rounds.words
    if step.status == "skipped" and step.attempts and step.attempts[-1].notes:
        return step.attempts[-1].notes[0]
    return ""


def _page(
    execution_id: UUID,
    *,
    problems: list[Issue] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    tab = request.args.get("tab", "step")
    facts = context(execution_id, tab) | ({"typed": typed} if typed else {})
    shown: Shown = facts["shown"]
    return render(
        PAGE,
        "live_part",
        status=status,
        twin=lambda: execution.facts(shown),
        tab=tab if tab in dict(TABS) else "step",
        tab_links=[(name, text, f"?tab={name}") for name, text in TABS],
        problems=problems or [],
        **facts,
    )


@route(bp, f"{URL}/stream", allow=VIEW)
def stream(execution_id: UUID) -> ResponseReturnValue:
    """The page's live parts, again and again, until the execution is final.

    Each message's id is the event number that it shows, so a reconnect goes on from the database.
    """
    with reading() as session:
        executions.find(session, execution_id)
    parts = partial(_parts, execution_id)
    # Forms are their reader's own; who has none sees what others like them see.
    kind = (
        None
        if visitor().may(OPERATE)
        else (zone().key, request.args.get("step"), request.args.get("from"))
    )
    return Stream(execution_id, standing.executions, parts, kind=kind).response()


def _parts(execution_id: UUID, speak: bool) -> str:  # noqa: FBT001 - what every stream is told
    facts = context(execution_id)
    parts = [("execution", block_text(PAGE, "live_part", **facts))]
    if facts["step"] is not None:
        parts.append(("step", block_text(PAGE, "step_part", **facts)))
    if speak:
        parts.append(("said", block_text(PAGE, "said_part", **facts)))
    return partials(parts)


@route(bp, f"{URL}/events", allow=VIEW)
def events(execution_id: UUID) -> ResponseReturnValue:
    """The lines of the timeline after `?after=`, as JSON."""
    with reading() as session:
        executions.find(session, execution_id)
        return json_answer({"items": execution.events(session, execution_id, _after())})


def _after() -> int:
    """Return the line after which the shown ones begin."""
    after = request.args.get("after", "0")
    return int(after) if after.isascii() and after.isdigit() and len(after) < 18 else 0


@route(bp, f"{URL}/output", allow=VIEW)
def output(execution_id: UUID) -> ResponseReturnValue:
    """The whole output of the execution, as a file."""
    return downloads.output(execution_id)


@route(bp, f"{URL}/outputs/<path:path>", allow=VIEW)
def step_output(execution_id: UUID, path: str) -> ResponseReturnValue:
    """The whole output of a step, as a file: of `?attempt=`, or of the newest one."""
    number = request.args.get("attempt", "")
    known = number.isascii() and number.isdigit() and len(number) < 9
    return downloads.output(execution_id, path, int(number) if known else None)


def _who() -> dict[str, Any]:
    """Return who acts, and the form's own key: pressed twice it acts once."""
    return {
        "by": actor(),
        "user_id": signed_in(),
        "sees_all": visitor().sees_all,
        "key": request.form.get("request_id"),
    }


@route(bp, f"{URL}/pause", allow=OPERATE, methods=("POST",), takes=())
def pause(execution_id: UUID) -> ResponseReturnValue:
    """Pause at the next step."""
    executions.pause(execution_id, **_who())
    toast("Asked to pause: it stops before the next step.")
    return redirect_to(f"/executions/{execution_id}")


@route(bp, f"{URL}/cancel", allow=OPERATE)
def ask_cancel(execution_id: UUID) -> ResponseReturnValue:
    """Say what a cancel means, and ask."""
    return render("execution/cancel.html", **context(execution_id))


@route(bp, f"{URL}/cancel", allow=OPERATE, methods=("POST",), takes=())
def cancel(execution_id: UUID) -> ResponseReturnValue:
    """Cancel; what has happened outside stays."""
    executions.cancel(execution_id, **_who())
    toast("Cancelled: nothing new starts.")
    return redirect_to(f"/executions/{execution_id}")


@route(bp, f"{URL}/resume", allow=OPERATE)
def ask_resume(execution_id: UUID) -> ResponseReturnValue:
    """What a resume reuses and what it would run, before anything does."""
    return _receipt(execution_id, "resume")


@route(bp, f"{URL}/retry", allow=OPERATE)
def ask_retry(execution_id: UUID) -> ResponseReturnValue:
    """What a retry, from `?step=` or of all that failed, reuses and what it would run."""
    return _receipt(execution_id, "retry", request.args.get("step"))


def _receipt(
    execution_id: UUID,
    kind: str,
    step: str | None = None,
    *,
    clash: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        row = executions.find(session, execution_id)
        made = receipts.receipt(session, execution_id, kind, step)
    return render(
        "execution/receipt.html",
        status=status,
        row=row,
        receipt=made,
        clash=clash,
        hidden={"step": step} if step else {},
        back="",
    )


@route(bp, f"{URL}/resume", allow=OPERATE, methods=("POST",), takes=("seq",))
def resume(execution_id: UUID) -> ResponseReturnValue:
    """Resume, if the receipt still holds."""
    return _go_on(execution_id, "resume", executions.resume, "Resumed.")


@route(bp, f"{URL}/retry", allow=OPERATE, methods=("POST",), takes=("seq", "step", "repeat"))
def retry(execution_id: UUID) -> ResponseReturnValue:
    """Run the failed steps, or one and what follows from it, again, if the receipt still holds."""
    step = request.form.get("step")
    if not step:
        return _go_on(execution_id, "retry", retrying.failed, "The failed steps run again.")
    repeat = request.form.get("repeat") == "y"
    act = partial(retrying.from_step, path=step, repeat_effects=repeat)
    return _go_on(execution_id, "retry", act, "It runs again from that step.", step)


@route(bp, f"{URL}/budget", allow=OPERATE, methods=("POST",), takes=("usd", "tokens"))
def raise_budget(execution_id: UUID) -> ResponseReturnValue:
    """Give it a higher limit; one that waits for it goes on."""
    texts = {name: request.form.get(name, "").strip() for name in ("usd", "tokens")}
    try:
        limit = budgets.read(texts["usd"], texts["tokens"])
        executions.raise_budget(execution_id, limit, **_who())
    except InvalidError as error:
        return _page(execution_id, problems=error.issues, typed=texts, status=422)
    toast("The budget is raised.")
    return redirect_to(f"/executions/{execution_id}")


def _go_on(
    execution_id: UUID, kind: str, act: Callable[..., None], done: str, step: str | None = None
) -> ResponseReturnValue:
    text = request.form.get("seq", "")
    seen = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None
    try:
        act(execution_id, seen_seq=seen, **_who())
    except ConflictError as error:
        try:
            return _receipt(execution_id, kind, step, clash=error.message, status=409)
        except ConflictError:
            raise error from None
    toast(done)
    return redirect_to(f"/executions/{execution_id}")


@route(bp, f"{URL}/answer", allow=OPERATE, methods=("POST",), takes=("path", "said", "result"))
def answer(execution_id: UUID) -> ResponseReturnValue:
    """Say what became of a step whose outcome nobody knows."""
    said, text = request.form.get("said", ""), request.form.get("result", "").strip()
    try:
        result = strictjson.loads(text) if text and said == "happened" else None
        executions.answer(
            execution_id,
            request.form.get("path", ""),
            said,
            result=result,
            **_who(),
        )
    except BadJsonError as error:
        issue = Issue(
            "E_JSON", "/result", f"The result is not JSON: {error.message}", got=text[:80]
        )
        return _page(execution_id, problems=[issue], status=422)
    except InvalidError as error:
        return _page(execution_id, problems=error.issues, status=422)
    toast(f"Recorded: {SAYINGS[said].lower()}.")
    return redirect_to(f"/executions/{execution_id}")
