"""Approvals: what waits for a decision, and the page on which it is made."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, TextAreaField
from wtforms.validators import InputRequired

from pilot import db, strictjson
from pilot.engine import links
from pilot.engine.approvals import amending, approvals, delegating
from pilot.engine.language import wording
from pilot.engine.notices import outbox
from pilot.errors import BadJsonError, ConflictError, InvalidError
from pilot.models.approval import Approval
from pilot.reports import approvals as rows
from pilot.reports.approvals import SORTS, TABS, Shown
from pilot.views import (
    ADMIN,
    OPERATE,
    VIEW,
    Visitor,
    actor,
    downloads,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
    visitor,
)
from pilot.views.lists import kept, list_args, next_url, sheet, wants_csv

bp = Blueprint("approvals", __name__)

NAV = ("Work", "Approvals", 40, VIEW)

WORDS = {"mine": "For me", "all": "All open", "decided": "Decided"}
COLUMNS = (
    {"label": "What"},
    {"label": "Status"},
    {"label": "Agent"},
    {"label": "Asked", "sort": "asked"},
    {"label": "Deadline", "sort": "deadline"},
    {"label": "Given", "number": True, "help": "Approvals given, of those needed."},
    {"label": "Decided"},
)
DECISIONS: dict[str, approvals.Decision] = {"approve": "approved", "reject": "rejected"}
ON_TIMEOUT = {
    "reject": "It counts as rejected.",
    "approve": "It counts as approved: the above happens.",
    "fail": "The step fails; the above does not happen.",
    "escalate": "Others are asked instead, and votes begin anew:",
    "branch": "The above does not happen. These steps run, and the execution goes on:",
}
ABOUT = {
    "pending": "This would happen",
    "approved": "This was approved",
    "rejected": "This was rejected",
}
RULES = {
    "any": "one of them is enough",
    "all": "all of them have to approve",
    "majority": "more than half of them",
    "quorum": "so many have to approve",
}
MOST_COLUMNS = 30
MOST_ROWS = 50  # of a table within the payload; all are in the JSON below


def nav_count(who: Visitor) -> int:
    """Return how many approvals wait for the visitor."""
    if who.id is None:
        return 0
    with reading() as session:
        return rows.waiting(session, who.id)


@dataclass(frozen=True)
class Typed:
    """What was typed in place of what would happen, and why it was not taken; by place."""

    texts: dict[str, str]
    wrong: dict[str, str]


NOTHING = Typed({}, {})


class DelegateForm(FlaskForm):  # type: ignore[misc]
    """Who is asked instead."""

    to = EmailField("Their mail address", [InputRequired("Name a person.")])


class DecideForm(FlaskForm):  # type: ignore[misc]
    """The decision, with the hash of what was shown."""

    comment = TextAreaField("Comment", render_kw={"rows": 2})
    seen = HiddenField()
    link = HiddenField()  # the token of the mail that led here


@route(bp, "/approvals", allow=VIEW, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """The approvals of one tab, the next deadline first."""
    tab = request.args.get("tab", "mine")
    ignored = [] if tab in TABS else [("tab", tab)]
    tab = tab if tab in TABS else "mine"
    default = "-asked" if tab == "decided" else "deadline"
    q = request.args.get("q", "").strip()[:200]
    facts = {"tab": tab, "q": q}
    wanted, more = list_args(SORTS, default, facts, facts)
    me = signed_in()
    if wants_csv():
        return sheet(lambda session, page: rows.listed(session, tab, page, me, q), wanted)
    with reading() as session:
        listed = rows.listed(session, tab, wanted, me, q)
    following = next_url(listed, wanted, facts)
    return render(
        "approvals/index.html",
        "rows",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        tab=tab,
        tab_links=[(name, WORDS[name], f"/approvals?tab={name}") for name in TABS],
        sort=wanted.sort,
        kept={"tab": tab, **kept(wanted)},
        following=following,
        columns=COLUMNS,
        ignored=ignored + more,
        q=q,
        fields=[{"name": "q", "label": "Title or what would happen", "kind": "search", "value": q}],
        first=wanted.after is None,
    )


@route(bp, "/approvals/<uuid:approval_id>", allow=VIEW, twin=True)
def approval(approval_id: UUID) -> ResponseReturnValue:
    """What would happen, and the form that decides it."""
    return _page(approval_id)


@route(bp, "/approvals/<uuid:approval_id>/payload", allow=VIEW)
def payload(approval_id: UUID) -> ResponseReturnValue:
    """All that would happen, as a file."""
    return downloads.payload(approval_id)


@route(bp, "/approvals/links/<token>", allow=VIEW)
def linked(token: str) -> ResponseReturnValue:
    """The approval that the link of a mail leads to; looking decides nothing."""
    with reading() as session:
        approval_id = links.approval_of(session, token, signed_in())
    return _page(approval_id, link=token)


@route(
    bp,
    "/approvals/<uuid:approval_id>",
    allow=VIEW,
    methods=("POST",),
    takes=(DecideForm, "decision"),
)
def decide(approval_id: UUID) -> ResponseReturnValue:
    """Record the visitor's decision about exactly what was shown.

    Who is named decides, but never a viewer: the engine checks that again, by name.
    """
    form = DecideForm()
    chosen = request.form.getlist("decision")
    said = DECISIONS.get(chosen[0]) if len(chosen) == 1 else None
    if said is None:
        form.form_errors.append("Choose approve or reject.")
        return _page(approval_id, form, status=422)
    try:
        approvals.decide(
            approval_id,
            said,
            comment=(form.comment.data or "").replace("\0", "\ufffd").strip(),
            seen_hash=form.seen.data or "",
            by=actor(),
            user_id=signed_in(),
            key=request.form.get("request_id"),
            link=form.link.data or None,
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(approval_id, form, status=422)
    except ConflictError as error:
        if not _may_still_decide(approval_id):
            raise
        form.form_errors.append(error.message)
        return _page(approval_id, form, status=409)
    toast("Approved." if said == "approved" else "Rejected.")
    return redirect_to(f"/approvals/{approval_id}")


@route(
    bp,
    "/approvals/<uuid:approval_id>/change",
    allow=VIEW,
    methods=("POST",),
    takes=("place", "value", "seen"),
)
def change(approval_id: UUID) -> ResponseReturnValue:
    """Put other values into what would happen; the engine checks who may, and what fits."""
    typed = dict(zip(request.form.getlist("place"), request.form.getlist("value"), strict=False))
    with reading() as session:
        known = amending.places(rows.shown(session, approval_id, signed_in()).row)
    values, wrong, status = {}, {}, 422
    for place, text in typed.items():
        try:
            values[place] = _read(text.replace("\r\n", "\n"), known.get(place))
        except BadJsonError as error:
            wrong[place] = f"This is no JSON: {error.message}"
    if not wrong:
        try:
            amending.amend(
                approval_id,
                values,
                seen_hash=request.form.get("seen", ""),
                by=actor(),
                user_id=signed_in(),
                key=request.form.get("request_id"),
            )
        except InvalidError as error:
            wrong = {one.path.strip("/").replace("/", "."): one.message for one in error.issues}
        except ConflictError as error:
            if not _may_still_decide(approval_id):
                raise
            wrong, status = {"": error.message}, 409
    if wrong:
        return _page(approval_id, typed=Typed(typed, wrong), status=status)
    toast("Changed. Everybody who decides sees it so now, and votes begin anew.")
    return redirect_to(f"/approvals/{approval_id}")


@route(
    bp,
    "/approvals/<uuid:approval_id>/notices/<uuid:notice_id>/again",
    allow=OPERATE,
    methods=("POST",),
    takes=(),
)
def tell_again(approval_id: UUID, notice_id: UUID) -> ResponseReturnValue:
    """Try a message that was given up for another day."""
    with db.transaction("approval.tell_again", signed_in(), sees_all=visitor().sees_all) as session:
        outbox.replay(session, notice_id, approval_id, by=actor())
    toast("It is tried again.")
    return redirect_to(f"/approvals/{approval_id}")


def _read(text: str, shown: Any) -> Any:
    """Return what was typed in place of a value: text for a text, else JSON."""
    return text if isinstance(shown, str) else strictjson.loads(text)


def _changeable(row: Approval, typed: Typed) -> list[dict[str, Any]]:
    """Return a field for each place that may be changed, with what was typed, and why not."""
    return [
        {
            "place": place,
            "text": typed.texts.get(
                place, value if isinstance(value, str) else strictjson.dumps(value)
            ),
            "json": not isinstance(value, str),
            "wrong": next(
                (why for at, why in typed.wrong.items() if f"{at}.".startswith(f"{place}.")), ""
            ),
        }
        for place, value in amending.places(row).items()
    ]


@route(
    bp,
    "/approvals/<uuid:approval_id>/delegate",
    allow=VIEW,
    methods=("POST",),
    takes=(DelegateForm,),
)
def delegate(approval_id: UUID) -> ResponseReturnValue:
    """Let another person be asked in place of the visitor; the engine checks who may."""
    form = DelegateForm()
    if not form.validate():
        return _page(approval_id, handing=form, status=422)
    key = request.form.get("request_id")
    try:
        delegating.delegate(approval_id, form.to.data, by=actor(), user_id=signed_in(), key=key)
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(approval_id, handing=form, status=422)
    toast(f"{form.to.data.strip()} is asked now.")
    return redirect_to(f"/approvals/{approval_id}")


def _may_still_decide(approval_id: UUID) -> bool:
    with reading() as session:
        shown = rows.shown(session, approval_id, signed_in())
    return shown.may_decide and shown.row.kind != "form"


def _page(
    approval_id: UUID,
    form: DecideForm | None = None,
    *,
    handing: DelegateForm | None = None,
    typed: Typed = NOTHING,
    link: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        shown = rows.shown(session, approval_id, signed_in())
    if shown.row.kind == "form":
        return redirect_to(f"/forms/{approval_id}")
    form = form or DecideForm(formdata=None, link=link)
    form.seen.data = shown.row.payload_hash
    form.comment.flags.required = shown.row.require_comment == "always"
    return render(
        "approvals/approval.html",
        status=status,
        twin=lambda: _twin(shown),
        shown=shown,
        row=shown.row,
        form=form,
        handing=handing or DelegateForm(formdata=None),
        about_it=ABOUT.get(shown.status, "This would have happened"),
        on_timeout=ON_TIMEOUT[_on_timeout(shown)],
        duration=wording.duration,
        then=ON_TIMEOUT[(shown.row.terms or {}).get("then", "reject")],
        rule=RULES[shown.row.rule],
        tables=_tables,
        labels=lambda names: [{"label": name} for name in names],
        most_rows=MOST_ROWS,
        may_decide=shown.may_decide,
        changeable=_changeable(shown.row, typed),
        wrong=typed.wrong,
        owns=shown.row.owner_id == signed_in() or visitor().sees_all,
        may_configure=visitor().may(ADMIN),
    )


def _on_timeout(shown: Shown) -> str:
    """Return what the end of the time means now: after the last level, what then counts."""
    row = shown.row
    if row.on_timeout != "escalate" or shown.levels:
        return row.on_timeout
    return str((row.terms or {})["then"])


def _tables(value: Any) -> list[str] | None:
    """Return the columns of a list of rows, or None for a value that is no table."""
    if not isinstance(value, list) or not all(isinstance(row, dict) and row for row in value):
        return None
    columns = list(dict.fromkeys(name for row in value for name in row))
    return columns if columns and len(columns) <= MOST_COLUMNS else None


def _twin(shown: Shown) -> dict[str, Any]:
    row = shown.row
    return {
        "id": row.id,
        "execution_id": row.execution_id,
        "agent_name": shown.facts["agent_name"],
        "step": row.path,
        "status": shown.status,
        "payload": shown.payload,
        "payload_size_bytes": shown.size_bytes,
        "payload_hash": row.payload_hash,
        "rule": row.rule,
        "needed": row.needed,
        "approved": shown.approved,
        "approved_before": shown.before,
        "unmet": shown.unmet.words if shown.unmet else None,
        "votes": shown.votes,
        "delegations": shown.delegations,
        "edited": row.edited,
        "notices": shown.notices,
        "on_timeout": row.on_timeout,
        "level": row.level,
        "escalation": [{k: one[k] for k in ("approvers", "timeout_s")} for one in shown.levels],
        "requested_at": row.requested_at,
        "expires_at": row.expires_at,
        "decided_at": row.decided_at,
    }
