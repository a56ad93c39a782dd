"""The steps that show and send what was found: table, approval, mail."""

from typing import Any

from pilot.engine.planner.request import Request
from pilot.engine.planner.wordings import plain

Step = dict[str, Any]
DEFAULT_EMPTY = "There are none."
SOME = "len(steps.rows.output) > 0"
NO_ROWS = "len(steps.rows.output) == 0"


def steps(request: Request, inputs: dict[str, Any], title: str) -> list[Step]:
    """Return the steps after the rows; `title` is a template and the subject if none is given."""
    table = _table(request)
    if not request.mails:
        return [table]
    totals = _totals(request)
    approval = _approval(request, title)
    sends = _sends(request, inputs, title, approved=bool(approval))
    return [*([table] if _shows_rows(request) else []), *totals, *approval, *sends]


def _empty_text(request: Request) -> str:
    return plain(request.empty) if request.empty else DEFAULT_EMPTY


def _shows_rows(request: Request) -> bool:
    return request.shows_table or not request.measures


def _table(request: Request) -> Step:
    config = {"columns": _columns(request), "format": "html", "empty": _empty_text(request)}
    return {
        "id": "table", "name": "Make a table", "type": "transform", "input": "steps.rows.output",
        "operation": "render_table", "config": config,
    }  # fmt: skip


def _columns(request: Request) -> list[str]:
    grouped = [one for one in request.measures if one.by is not None]
    if grouped:
        by = [one.by.name for one in grouped if one.by]
        names = [measure_name(one.op, one.column.name if one.column else None) for one in grouped]
        return list(dict.fromkeys([*by, *names]))
    if request.search is not None:
        return list(request.target_map) or request.columns or ["from", "subject", "date"]
    return request.columns or [one.name for one in request.sample.columns]


def measure_name(op: str, column: str | None) -> str:
    """Return how a measured column is called."""
    words = {"sum": "Total", "avg": "Average", "min": "Smallest", "max": "Largest"}
    return "Count" if column is None else f"{words[op]} {column}"


def _totals(request: Request) -> list[Step]:
    """Return a step for each number over all rows, but the count, which needs none."""
    return [
        {
            "id": f"total_{number}", "name": measure_name(one.op, one.column.name),
            "type": "transform", "input": "steps.rows.output", "operation": "reduce",
            "config": {"op": one.op, "field": one.column.name},
        }
        for number, one in enumerate(request.measures, 1)
        if one.by is None and one.column is not None
    ]  # fmt: skip


def _body(request: Request) -> str:
    lines = []
    for number, one in enumerate(request.measures, 1):
        if one.by is None:
            name = plain(measure_name(one.op, one.column.name if one.column else None))
            value = f"steps.total_{number}.output" if one.column else "len(steps.rows.output)"
            lines.append(f"<p>{name}: {{{{{value}}}}}</p>")
    table = "{{steps.table.output.text}}" if _shows_rows(request) else ""
    return "".join(lines) + table


def _approval(request: Request, title: str) -> list[Step]:
    if not request.approvers:
        return []
    step: Step = {
        "id": "approve", "name": "Ask before sending", "type": "human_approval",
        "title": f"Send this mail? {title}"[:200],
        "context": {"rows": "{{steps.rows.output}}"},
        "approvers": list(dict.fromkeys(request.approvers)),
    }  # fmt: skip
    if len(step["approvers"]) > 1:
        step["rule"] = "all"
    return [{**step, "execute_if": SOME} if request.empty is None else step]


def _sends(request: Request, inputs: dict[str, Any], title: str, *, approved: bool) -> list[Step]:
    recipients = _recipient_lists(request, inputs)
    subject = plain(request.subject) if request.subject else title
    found: list[Step] = []
    for number, to in enumerate(recipients):
        name = "send" if len(recipients) == 1 else f"send_{number + 1}"
        params: dict[str, Any] = {"to": to, "subject": subject, "html": _body(request)}
        params |= {role: list(people) for role, people in _copies(request).items() if people}
        step: Step = {
            "id": name, "name": "Send the mail", "type": "action", "plugin": "mail",
            "action": "send", "params": params,
        }  # fmt: skip
        before = [*(["approve"] if approved else []), *(one["id"] for one in found[-1:])]
        if before:
            step["dependencies"] = before
        if request.empty is None or request.empty_to:
            step["execute_if"] = SOME
        found.append(step)
    return [*found, *_send_empty(request, subject, found[-1]["id"])]


def _copies(request: Request) -> dict[str, list[str]]:
    return {"cc": request.cc, "bcc": request.bcc}


def _send_empty(request: Request, subject: str, after: str) -> list[Step]:
    """Return the mail to others when there are no rows."""
    if not request.empty_to:
        return []
    params = {"to": list(request.empty_to), "subject": subject, "text": _empty_text(request)}
    return [
        {
            "id": "send_none", "name": "Say that there is none", "type": "action",
            "plugin": "mail", "action": "send", "params": params, "execute_if": NO_ROWS,
            "dependencies": [after],
        }
    ]  # fmt: skip


def _recipient_lists(request: Request, inputs: dict[str, Any]) -> list[Any]:
    """Make the inputs for recipients; return the `to` of each mail."""
    known = _distinct(request.to)
    if request.separate and len(known) > 1:
        for number, address in enumerate(known, 1):
            inputs[f"to_{number}"] = {
                "type": "string", "format": "email", "title": f"Recipient {number}",
                "default": address, "x-widget": "email",
            }  # fmt: skip
        return [[f"{{{{inputs.to_{number}}}}}"] for number in range(1, len(known) + 1)]
    asked = request.asked_to if not known else None
    inputs["to"] = {
        "type": "array", "items": {"type": "string", "format": "email"}, "minItems": 1,
        "maxItems": 100, "title": f"Recipients: {asked}"[:120] if asked else "Recipients",
        "description": "One e-mail address per line.", "x-widget": "textarea",
    }  # fmt: skip
    if known:
        inputs["to"]["default"] = known
    elif request.count_to:
        inputs["to"]["minItems"] = request.count_to
    return ["{{unique(inputs.to)}}" if request.unique_recipients else "{{inputs.to}}"]


def _distinct(addresses: list[str]) -> list[str]:
    kept: dict[str, str] = {}
    for one in addresses:
        kept.setdefault(one.casefold(), one)
    return list(kept.values())
