"""From a goal to an agent: the goal box, the draft with its questions and issues, save."""

from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from pilot.engine.demo import loading
from pilot.engine.editor import display
from pilot.engine.generation import drafts, stages, surroundings, thumbs
from pilot.engine.life.forecast import forecast
from pilot.errors import InvalidError, Issue
from pilot.models.generation import Generation
from pilot.reports import generations, standing
from pilot.views import (
    OPERATE,
    actor,
    block_text,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
)
from pilot.views.streams import Stream, partials
from pilot.views.ways import safe_path

bp = Blueprint("generate", __name__)

PAGE = "generate/draft.html"


class GoalForm(FlaskForm):  # type: ignore[misc]
    """What the agent shall do."""

    goal = TextAreaField(
        "Goal", [InputRequired("Say what the agent shall do.")], render_kw={"rows": 5}
    )


class SaveForm(FlaskForm):  # type: ignore[misc]
    """How the agent is called."""

    name = StringField("Name", [InputRequired("Give the agent a name.")])


@route(bp, "/agents/new", allow=OPERATE)
def new() -> ResponseReturnValue:
    """The goal box, with examples and what the planner can use."""
    return _goal_page(GoalForm(formdata=None, goal=request.args.get("goal", "")))


@route(bp, "/agents/new", allow=OPERATE, methods=("POST",), takes=(GoalForm,))
def begin() -> ResponseReturnValue:
    """Keep the goal, draft it and lead to the draft."""
    form = GoalForm()
    try:
        made = drafts.begin(
            form.goal.data or "",
            data=current_app.config["DATA"],
            by=actor(),
            user_id=signed_in(),
            key=request.form.get("request_id"),
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _goal_page(form, status=422)
    return redirect_to(f"/generations/{made}")


def _goal_page(form: GoalForm, *, status: int = 200) -> ResponseReturnValue:
    known = surroundings.known_actions(current_app.config["DATA"], signed_in())
    return render(
        "generate/new.html",
        status=status,
        form=form,
        examples=list(loading.GOALS.values()),
        tables=list(known.samples.values()),
        actions=list(known.actions.values()),
    )


@route(bp, "/generations/<uuid:generation_id>", allow=OPERATE, twin=True)
def draft(generation_id: UUID) -> ResponseReturnValue:
    """The draft: questions, issues, graph, steps, text."""
    return _draft_page(generation_id)


@route(
    bp,
    "/generations/<uuid:generation_id>/goal",
    allow=OPERATE,
    methods=("POST",),
    takes=(GoalForm,),
)
def restate(generation_id: UUID) -> ResponseReturnValue:
    """Say the goal in other words."""
    form = GoalForm()
    try:
        drafts.restate(
            generation_id,
            form.goal.data or "",
            data=current_app.config["DATA"],
            by=actor(),
            user_id=signed_in(),
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _draft_page(generation_id, goal=form, status=422)
    return redirect_to(f"/generations/{generation_id}")


@route(
    bp,
    "/generations/<uuid:generation_id>/answers",
    allow=OPERATE,
    methods=("POST",),
    takes=("answer-*",),
)
def answer(generation_id: UUID) -> ResponseReturnValue:
    """Answer the draft's questions."""
    with reading() as session:
        asked = drafts.load(session, generation_id).questions
    given = {one["id"]: _given(one) for one in asked}
    drafts.answer(
        generation_id, given, data=current_app.config["DATA"], by=actor(), user_id=signed_in()
    )
    return redirect_to(f"/generations/{generation_id}")


def _given(question: dict[str, Any]) -> str | list[str]:
    name = f"answer-{question['id']}"
    if question["kind"] == "multiselect":
        return request.form.getlist(name)
    return request.form.get(name, "").strip()


@route(
    bp, "/generations/<uuid:generation_id>/text", allow=OPERATE, methods=("POST",), takes=("text",)
)
def edit(generation_id: UUID) -> ResponseReturnValue:
    """Keep and check the text of the workflow."""
    text = request.form.get("text", "")
    try:
        issues = drafts.edit(
            generation_id, text, data=current_app.config["DATA"], user_id=signed_in()
        )
    except InvalidError as error:
        return _draft_page(generation_id, text=text, problems=error.issues, status=422)
    wrong = sum(issue.severity == "error" for issue in issues)
    toast(f"Kept. {wrong} to mend before it can be saved." if wrong else "Kept. It can be saved.")
    return redirect_to(f"/generations/{generation_id}#text")


@route(
    bp,
    "/generations/<uuid:generation_id>/fix",
    allow=OPERATE,
    methods=("POST",),
    takes=("code", "path"),
)
def fix(generation_id: UUID) -> ResponseReturnValue:
    """Apply the fix of one issue."""
    code, path = request.form.get("code", ""), request.form.get("path", "")
    try:
        drafts.fix(generation_id, code, path, data=current_app.config["DATA"], user_id=signed_in())
    except InvalidError as error:
        return _draft_page(generation_id, problems=error.issues, status=422)
    toast("Fixed.")
    return redirect_to(f"/generations/{generation_id}")


@route(
    bp,
    "/generations/<uuid:generation_id>/save",
    allow=OPERATE,
    methods=("POST",),
    takes=(SaveForm,),
)
def save(generation_id: UUID) -> ResponseReturnValue:
    """Save the draft as an agent with version 1."""
    form = SaveForm()
    try:
        saved = drafts.accept(
            generation_id,
            form.name.data or "",
            data=current_app.config["DATA"],
            by=actor(),
            user_id=signed_in(),
        )
    except InvalidError as error:
        show_issues(form, [one for one in error.issues if one.path == "/name"])
        problems = [one for one in error.issues if one.path != "/name"]
        return _draft_page(generation_id, name=form, problems=problems, status=422)
    toast(f"Saved as version {saved.number}.")
    return redirect_to(f"/agents/{saved.agent_id}")


@route(
    bp,
    "/generations/<uuid:generation_id>/thumb",
    allow=OPERATE,
    methods=("POST",),
    takes=("next", "thumb", "reason"),
)
def thumb(generation_id: UUID) -> ResponseReturnValue:
    """Keep what its owner thinks of the workflow, and lead back to where it was said."""
    sent = request.form
    try:
        thumbs.give(
            generation_id, sent.get("thumb", ""), sent.get("reason", ""), user_id=signed_in()
        )
    except InvalidError as error:
        return _draft_page(generation_id, problems=error.issues, status=422)
    toast("Thank you: it is counted with the generator that drafted it.")
    return redirect_to(safe_path(sent.get("next") or f"/generations/{generation_id}"))


def _draft_page(
    generation_id: UUID,
    *,
    goal: GoalForm | None = None,
    name: SaveForm | None = None,
    text: str | None = None,
    problems: list[Issue] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    facts = _facts(generation_id)
    row = facts["row"]
    facts["goal_form"] = goal or facts["goal_form"]
    facts["save_form"] = name or facts["save_form"]
    facts["text"] = row.text if text is None else text
    facts["problems"] = problems or []
    return render(PAGE, status=status, twin=lambda: _twin(facts), **facts)


def _facts(generation_id: UUID) -> dict[str, Any]:
    """Return what the page shows; the stream sends the same."""
    with reading() as session:
        row = drafts.load(session, generation_id)
        tried = generations.ways(stages.events(session, generation_id))
        expected = forecast(session, row.document)
    issues = [Issue(**one) for one in row.issues]
    known = surroundings.known_actions(current_app.config["DATA"], row.owner_id)
    lines = display.lines(row.document, known)
    return {
        "row": row,
        "tried": tried,
        "how": generations.how(row),
        "now_says": generations.now_says(row, tried),
        "goal_form": GoalForm(formdata=None, goal=row.goal),
        "save_form": SaveForm(formdata=None, name=_name(row)),
        "text": row.text,
        "problems": [],
        "issues": issues,
        "expected": expected,
        "wrong": sum(one.severity == "error" for one in issues),
        "called": _called(row.document, lines),
        "links": {line.id: f"#step-{line.id}" for line in lines},
        "lines": [(line, [one for one in issues if _at(one, line.path)]) for line in lines],
        "elsewhere": [one for one in issues if not one.path.startswith("/steps/")],
    }


@route(bp, "/generations/<uuid:generation_id>/stream", allow=OPERATE)
def stream(generation_id: UUID) -> ResponseReturnValue:
    """The draft while models are asked, again and again, until they have answered."""
    with reading() as session:
        drafts.load(session, generation_id)
    return Stream(generation_id, standing.generations, partial(_parts, generation_id)).response()


def _parts(generation_id: UUID, speak: bool) -> str:  # noqa: FBT001 - what every stream is told
    facts = _facts(generation_id)
    parts = [("draft", block_text(PAGE, "draft_part", **facts))]
    if speak:
        parts.append(("said", block_text(PAGE, "said_part", **facts)))
    return partials(parts)


def _at(issue: Issue, path: str) -> bool:
    """Say whether an issue belongs to the step itself, not to a step inside it."""
    rest = issue.path.removeprefix(path)
    inside = any(part.isdecimal() for part in rest.split("/")[2:3])
    return issue.path.startswith(path) and rest[:1] in {"", "/"} and not inside


def _called(document: Any, lines: list[display.Line]) -> dict[str, str]:
    """Return what steps and inputs are called, by how a clause names them."""
    schema = document.get("inputs") if isinstance(document, dict) else None
    inputs = schema.get("properties") if isinstance(schema, dict) else None
    titles = {
        f"inputs.{name}": f"the input {one['title']}"
        for name, one in (inputs.items() if isinstance(inputs, dict) else ())
        if isinstance(one, dict) and isinstance(one.get("title"), str)
    }
    return titles | {line.id: line.name for line in lines}


def _name(row: Generation) -> str:
    name = row.document.get("name") if isinstance(row.document, dict) else None
    return name[:120] if isinstance(name, str) and name.strip() else row.goal[:60]


def _twin(facts: dict[str, Any]) -> dict[str, Any]:
    row, expected = facts["row"], facts["expected"]
    return {
        "id": row.id,
        "goal": row.goal,
        "answers": row.answers,
        "generator": row.generator,
        "outcome": row.outcome,
        "refusal": row.refusal,
        "questions": row.questions,
        "clauses": row.clauses,
        "issues": row.issues,
        "confidence": row.confidence,
        "tokens": row.tokens,
        "cost": row.cost_usd,
        "wasted": row.wasted_usd,
        "fallback_reason": row.fallback_reason,
        "stage": row.stage,
        "failure": row.failure,
        "ways": [asdict(one) for one in facts["tried"]],
        "forecast": None if expected is None else asdict(expected),
        "duration_ms": row.duration_ms,
        "document": row.document,
        "text": row.text,
        "agent_id": row.agent_id,
        "thumb": row.thumb,
        "thumb_reason": row.thumb_reason,
        "created_at": row.created_at,
    }
