"""Forms that agents wait for: the page on which a person who is named fills one in."""

from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.engine import links
from pilot.engine.waits import forms
from pilot.errors import InvalidError
from pilot.reports import approvals as rows
from pilot.reports.approvals import Shown
from pilot.views import (
    VIEW,
    actor,
    reading,
    redirect_to,
    render,
    route,
    signed_in,
    toast,
    visitor,
)
from pilot.views.inputs_form import PREFIX, InputsForm, given

bp = Blueprint("forms", __name__)
ON_TIMEOUT = {
    "fail": "The step fails.",
    "continue": "The execution goes on without values.",
    "branch": "These steps run, and the execution goes on without values:",
}


@route(bp, "/forms/<uuid:form_id>", allow=VIEW, twin=True)
def form(form_id: UUID) -> ResponseReturnValue:
    """What is asked for."""
    return _page(form_id)


@route(bp, "/forms/links/<token>", allow=VIEW)
def linked(token: str) -> ResponseReturnValue:
    """The form that the link of a mail leads to; looking submits nothing."""
    with reading() as session:
        form_id = links.approval_of(session, token, signed_in())
    return _page(form_id, link=token)


@route(
    bp,
    "/forms/<uuid:form_id>",
    allow=VIEW,
    methods=("POST",),
    takes=("inputs", f"{PREFIX}*", "link"),
)
def submit(form_id: UUID) -> ResponseReturnValue:
    """Take the visitor's values; who is named may, the engine checks that again."""
    with reading() as session:
        schema = forms.fields(rows.shown(session, form_id, signed_in()).row)
    link = request.form.get("link", "")
    try:
        forms.submit(
            form_id,
            given(schema),
            by=actor(),
            user_id=signed_in(),
            key=request.form.get("request_id"),
            link=link or None,
        )
    except InvalidError as error:
        sent = InputsForm.sent(schema, error.issues)
        return _page(form_id, sent, link=link, status=422)
    toast("Submitted: the agent goes on.")
    return redirect_to(f"/forms/{form_id}")


def _page(
    form_id: UUID, form: InputsForm | None = None, *, link: str = "", status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        shown = rows.shown(session, form_id, signed_in())
    schema = forms.fields(shown.row)
    return render(
        "forms/form.html",
        status=status,
        twin=lambda: _twin(shown, schema),
        shown=shown,
        row=shown.row,
        form=form or InputsForm.with_values(schema, {}),
        link=link,
        on_timeout=ON_TIMEOUT[shown.row.on_timeout],
        owns=shown.row.owner_id == signed_in() or visitor().sees_all,
    )


def _twin(shown: Shown, schema: dict[str, Any]) -> dict[str, Any]:
    row = shown.row
    return {
        "id": row.id,
        "execution_id": row.execution_id,
        "agent_name": shown.facts["agent_name"],
        "step": row.path,
        "title": row.title,
        "status": shown.status,
        "unmet": shown.unmet.words if shown.unmet else None,
        "fields": schema,
        "requested_at": row.requested_at,
        "expires_at": row.expires_at,
        "decided_at": row.decided_at,
    }
