"""Moving an execution to another version of its workflow: the receipt, then it goes on."""

from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from pilot.engine.agents import access
from pilot.engine.life import executions, moving, receipts
from pilot.errors import ConflictError
from pilot.reports import agents as agent_rows
from pilot.views import (
    OPERATE,
    actor,
    reading,
    redirect_to,
    render,
    route,
    signed_in,
    toast,
    visitor,
)

bp = Blueprint("migrate", __name__)
URL = "/executions/<uuid:execution_id>/migrate"
MOST_VERSIONS = 200


@route(bp, URL, allow=OPERATE)
def ask(execution_id: UUID) -> ResponseReturnValue:
    """What a move to `?version=`, or to the newest, reuses and what it would run."""
    return _receipt(execution_id, _number(request.args.get("version", "")))


@route(bp, URL, allow=OPERATE, methods=("POST",), takes=("version", "seq", "repeat"))
def migrate(execution_id: UUID) -> ResponseReturnValue:
    """Let that version take over, if the receipt still holds."""
    number = _number(request.form.get("version", ""))
    repeat = request.form.get("repeat") == "y"
    try:
        moving.move(
            execution_id,
            moving.Move(number, repeat, request.form.get("request_id")),
            by=actor(),
            user_id=signed_in(),
            sees_all=visitor().sees_all,
            seen_seq=_number(request.form.get("seq", "")),
        )
    except ConflictError as error:
        return _receipt(execution_id, number, clash=error.message, status=409)
    toast("Another version took over: it goes on.")
    return redirect_to(f"/executions/{execution_id}")


def _receipt(
    execution_id: UUID, number: int | None, *, clash: str = "", status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        row = executions.find(session, execution_id)
        access.act_as_owner(session, row.agent_id, row.owner_id, signed_in())
        versions = agent_rows.versions(session, row.agent_id, size=MOST_VERSIONS)
        try:
            found = moving.plan(session, row, number)
        except ConflictError as error:
            return render(
                "execution/misfits.html",
                status=409,
                row=row,
                said=error.message,
                misfits=(error.present or {}).get("misfits", []),
                versions=_others(versions, row.version_number, number),
            )
        made = receipts.of_move(session, found)
    return render(
        "execution/receipt.html",
        status=status,
        row=row,
        receipt=made,
        clash=clash,
        hidden={"version": made.version},
        back="",
    )


def _others(
    versions: list[dict[str, object]], runs: int | None, tried: int | None
) -> list[dict[str, object]]:
    """Return the versions that may fit instead."""
    return [one for one in versions if one["number"] not in {runs, tried}][:5]


def _number(text: str) -> int | None:
    known = text.isascii() and text.isdigit() and len(text) < 18
    return int(text) if known else None
