"""Forks: choose inputs and version, read the receipt, then a new execution begins."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot import strictjson
from pilot.engine.agents import agents
from pilot.engine.life import executions, forks, receipts
from pilot.engine.life.forks import Fork
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.execution import Execution
from pilot.reports import agents as agent_rows
from pilot.views import (
    OPERATE,
    actor,
    reading,
    redirect_to,
    render,
    route,
    setup,
    signed_in,
    toast,
    visitor,
)
from pilot.views.inputs_form import PREFIX, InputsForm, given, is_complete, written_inputs

bp = Blueprint("forks", __name__)
URL = "/executions/<uuid:execution_id>/fork"
MOST_VERSIONS = 200


@route(bp, URL, allow=OPERATE)
def ask(execution_id: UUID) -> ResponseReturnValue:
    """Inputs and version of the new execution: as they were, until they are changed."""
    return _page(execution_id, _number(request.args.get("version", "")))


def _page(
    execution_id: UUID, number: int | None, problems: list[Issue] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        row = executions.find(session, execution_id)
        executions.still_whole(row)
        schema = _schema(session, row, number)
        versions = agent_rows.versions(session, row.agent_id, size=MOST_VERSIONS)
    sent = request.method == "POST"
    issues = problems or []
    fields = InputsForm.sent(schema, issues) if sent else InputsForm.with_values(schema, row.inputs)
    text = request.form.get("given") if sent else None
    return render(
        "execution/fork.html",
        status=status,
        row=row,
        chosen=number or row.version_number,
        versions=versions,
        form=fields,
        problems=[] if fields.properties else issues,
        given=strictjson.dumps(row.inputs) if text is None else text,
    )


@route(
    bp,
    URL,
    allow=OPERATE,
    methods=("POST",),
    takes=("inputs", f"{PREFIX}*", "given", "version", "seq"),
)
def fork(execution_id: UUID) -> ResponseReturnValue:
    """Show the receipt; sent with its sequence, begin the new execution."""
    number = _number(request.form.get("version", ""))
    seen = _number(request.form.get("seq", ""))
    try:
        asked = Fork(_inputs(execution_id, number), number)
        if seen is None:
            return _receipt(execution_id, asked)
        return _begin(execution_id, asked, seen)
    except InvalidError as error:
        return _page(execution_id, number, error.issues, 422)


def _begin(execution_id: UUID, asked: Fork, seen: int) -> ResponseReturnValue:
    try:
        made = forks.fork(
            execution_id,
            replace(asked, key=request.form.get("request_id")),
            by=actor(),
            user_id=signed_in(),
            sees_all=visitor().sees_all,
            seen_seq=seen,
            setup=setup(),
        )
    except ConflictError as error:
        return _receipt(execution_id, asked, clash=error.message, status=409)
    toast("Forked: this is the new execution.")
    return redirect_to(f"/executions/{made}")


def _receipt(
    execution_id: UUID, asked: Fork, *, clash: str = "", status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        found = forks.plan(session, execution_id, asked, user_id=signed_in(), setup=setup())
        made = receipts.of_fork(session, found)
    hidden = {"given": strictjson.dumps(asked.inputs), "version": asked.version or ""}
    back = f"/executions/{execution_id}/fork"
    return render(
        "execution/receipt.html",
        status=status,
        row=found.source,
        receipt=made,
        clash=clash,
        hidden=hidden,
        back=f"{back}?version={asked.version}" if asked.version else back,
    )


def _inputs(execution_id: UUID, number: int | None) -> dict[str, Any]:
    """Return the inputs that were sent: by field, or as JSON; others stay as they were.

    Raises:
        InvalidError: the JSON is none.
    """
    with reading() as session:
        row = executions.find(session, execution_id)
        schema = _schema(session, row, number)
    if not is_complete():
        return written_inputs(request.form.get("given", "")) or {}
    fields = InputsForm(schema).properties
    kept = {name: value for name, value in row.inputs.items() if name not in fields}
    return kept | given(schema)


def _schema(session: Any, row: Execution, number: int | None) -> dict[str, Any] | None:
    agent = agents.load(session, row.agent_id)
    if number is None and row.version_number is None:
        return None
    try:
        version = agents.version(session, agent, number or row.version_number or 0)
    except NotFoundError:
        return None
    schema: dict[str, Any] | None = version.inputs_schema
    return schema


def _number(text: str) -> int | None:
    known = text.isascii() and text.isdigit() and len(text) < 9
    return int(text) if known else None
