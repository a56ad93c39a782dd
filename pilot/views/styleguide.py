"""Every part of the page kit in every state: what pages are built from, and their test bed."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange

from pilot import db
from pilot.engine.editor import display, step_facts
from pilot.engine.language import catalogue
from pilot.engine.life.forecast import Forecast
from pilot.engine.providers.budgets import Limits
from pilot.errors import Issue
from pilot.reports.spending import NOTHING
from pilot.views import ADMIN, redirect_to, render, route, toast
from pilot.views.lists import Part

bp = Blueprint("styleguide", __name__, url_prefix="/styleguide")

NAV = ("Help", "Style guide", 90, ADMIN)

HOSTILE = "<script>alert(1)</script>"
ARABIC = "ملخص البريد اليومي"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
EDGE_TEXTS = ("", "0", HOSTILE, ARABIC, LONG)
MONEY = ("0", "0.00026", "0.0001234567", "0.00999999", "0.125", "0.5", "0.999999", "1", "1.005")
MORE_MONEY = ("1234567.891", "-0.5", "0.000000000001")
COUNTS = (None, 0, 1, 999, 1_000, 18_204, 999_949, 999_950, 1_400_000, 10**12, -42)
DURATIONS = (None, 0, 840, 999, 1_000, 12_400, 59_949, 59_950, 72_000, 3_599_999)
MORE_DURATIONS = (11_100_000, 187_200_000, 10**12, -1_500)
AGES_S = (0, 4, 5, 59, 60, 3_599, 3_600, 86_399, 86_400, 604_800, 604_801, -90, -8_000)
RATES = ((0, 0), (8, 12), (0, 20), (8, 250), (250, 250), (1, 100_000))
SIZES = (None, 0, 1, 1_023, 1_024, 262_144, 1_572_864, 10**12)


class ExampleForm(FlaskForm):  # type: ignore[misc]
    """One field of each kind."""

    name = StringField("Name", [InputRequired("Give it a name."), Length(max=80)])
    model = SelectField("Model", choices=[SelectChoice("cheap"), SelectChoice("strong")])
    limit = IntegerField(
        "Steps", [InputRequired("Say how many."), NumberRange(1, 50)], description="1 to 50."
    )
    password = PasswordField("Password", render_kw={"autocomplete": "new-password"})
    goal = TextAreaField("Goal", render_kw={"rows": 4})
    enabled = BooleanField("Run pilot steps", description="Off: agents run as the simple loop.")


ISSUES = (
    Issue(
        "unknown_action",
        "/steps/2/action",
        "Step “send” uses an action that does not exist.",
        expected="one of mail.send, tables.append",
        got="mail.sent",
        fix=[{"op": "replace", "path": "/steps/2/action", "value": "mail.send"}],
    ),
    Issue("missing", "/inputs/report", "The input “report” has no value."),
    Issue("unused", "", HOSTILE + " " + LONG, got=ARABIC, severity="warning"),
)

COLUMNS = (
    {"label": "Agent", "sort": "agent"},
    {"label": "Status"},
    {"label": "Started", "sort": "started", "help": "When a worker first claimed it."},
    {"label": "Duration", "number": True},
    {"label": "Cost", "number": True, "sort": "cost"},
)

GRAPH_NODES = (
    ("read", "Read invoices", "tables.read"),
    ("due", "Keep what is due", "transform"),
    ("classify", "Classify each by urgency and customer", "ai_processing"),
    ("urgent", "Urgent?", "conditional"),
    ("approve", "Ask for approval", "human_approval"),
    ("send", "Send reminders", "mail.send"),
    ("log", HOSTILE, "tables.append"),
    ("done", ARABIC, "transform"),
)
GRAPH_EDGES = (
    ("read", "due"),
    ("due", "classify"),
    ("classify", "urgent"),
    ("urgent", "approve"),
    ("approve", "send"),
    ("urgent", "log"),
    ("send", "done"),
    ("log", "done"),
    ("read", "done"),
    ("send", "send"),
)
GRAPH_LOOKS = {
    "read": "completed",
    "due": "reused",
    "classify": "retrying",
    "urgent": "running",
    "approve": "waiting",
    "send": "pending",
    "log": "skipped",
}

EXPECTED = Forecast(
    seconds=31,
    likely_usd=Decimal("0.02"),
    rarely_usd=Decimal("0.06"),
    asks=2,
    unpriced=0,
    measured=1,
    people=1,
    timers=0,
    at_most=0,
    model_id="cheap",
    limits=Limits(Decimal("0.05"), None),
)
COMPARED = {"compared": 9, "compared_cost": Decimal("1.24"), "counterfactual": Decimal(3)}
BARS: list[dict[str, Any]] = [
    {
        "name": name,
        "share": share,
        "wasted": wasted,
        "spent": replace(NOTHING, cost=Decimal(cost), tokens=tokens, unpriced=unpriced),
    }
    for name, share, wasted, cost, tokens, unpriced in (
        ("2026-03-14", 1, 0.25, "1.24", 18_204, 3),
        (HOSTILE, 0.5, 0.5, "0.62", 900, 0),
        (LONG, 0, 0, "0", 0, 0),
        (ARABIC, 0.01, 0, "0.00026", 7, 0),
    )
]
BARS[0]["spent"] = replace(BARS[0]["spent"], **COMPARED)
FILTERS: tuple[dict[str, Any], ...] = (
    {"name": "q", "label": "Search", "kind": "search", "value": HOSTILE},
    {
        "name": "status",
        "label": "Status",
        "kind": "select",
        "value": "failed",
        "options": (("", "Any"), ("failed", "Failed"), ("running", "Running")),
    },
    {"name": "since", "label": "Since (UTC)", "kind": "date", "value": None},
)

WORKFLOW = {
    "format": 1,
    "name": HOSTILE,
    "steps": [
        {"id": "wait", "type": "delay", "name": ARABIC, "for_s": 90},
        {
            "id": "ask",
            "type": "conditional",
            "name": LONG,
            "condition": "inputs.days > 3 and steps.wait.output.waited_s > 1",
            "then": [
                {
                    "id": "send",
                    "type": "action",
                    "plugin": "mail",
                    "action": "send",
                    "name": HOSTILE,
                    "execute_if": "inputs.days < 9",
                    "on_error": "continue",
                    "params": {"to": ["{{inputs.to}}"], "subject": HOSTILE, "text": LONG},
                }
            ],
        },
    ],
}

DOCUMENT = {
    "name": HOSTILE,
    "steps": [{"id": "read", "type": "action", "count": 3, "on": True, "note": None}],
    'a "quoted": key': ARABIC,
    "long": LONG,
}


def step_rows() -> list[dict[str, Any]]:
    """Return one row of the step table for each way it can look."""

    def row(number: int, name: str, status: str, **more: Any) -> dict[str, Any]:
        defaults = {"detail": "", "depth": 0, "action": "tables.read", "selected": False}
        timing = {"attempts": 1, "duration_ms": 1_200, "bars": []}
        place = {"id": f"step-{number}", "url": f"?step={number}", "name": name}
        return defaults | timing | place | {"status": status} | more

    def bar(start_ms: int, end_ms: int, tone: str, word: str) -> dict[str, Any]:
        text = f"starts at {start_ms / 1000:g} s, lasts {(end_ms - start_ms) / 1000:g} s, {word}"
        return {"start_ms": start_ms, "end_ms": end_ms, "tone": tone, "text": text}

    first = [bar(0, 1_200, "good", "completed")]
    tries = [bar(1_200, 2_000, "bad", "failed"), bar(3_000, 4_800, "good", "completed")]
    return [
        row(1, "read", "completed", bars=first),
        row(2, "classify", "completed", attempts=2, duration_ms=2_600, bars=tries),
        row(
            3,
            "review[3]/classify",
            "running",
            depth=1,
            selected=True,
            bars=[bar(4_800, 7_000, "active", "running")],
        ),
        row(4, LONG, "retrying", detail="attempt 3 at 14:05:10 UTC", depth=2),
        row(5, ARABIC, "waiting", detail="until 14:05 CET", depth=3),
        row(6, HOSTILE, "skipped", detail="condition false", duration_ms=None, attempts=0, depth=9),
        row(7, "ship", "pending", duration_ms=None, attempts=0),
    ]


def _refused_form() -> ExampleForm:
    given = {"model": "cheap", "limit": 99, "goal": HOSTILE}
    form = ExampleForm(formdata=None, prefix="refused", data=given, meta={"csrf": False})
    form.validate()
    return form


@route(bp, "", allow=ADMIN)
def index() -> ResponseReturnValue:
    """Every macro in every state."""
    now, known = db.now(), catalogue.load()
    sort = request.args.get("sort", "-started")
    return render(
        "styleguide/index.html",
        "rows",
        now=now,
        ages=[_moved(now, age_s) for age_s in AGES_S],
        amounts=[Decimal(text) for text in MONEY + MORE_MONEY],
        counts=COUNTS,
        durations=DURATIONS + MORE_DURATIONS,
        rates=RATES,
        sizes=SIZES,
        texts=EDGE_TEXTS,
        full_id=UUID("0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b"),
        form=ExampleForm(formdata=None),
        refused=_refused_form(),
        problems=ISSUES,
        columns=COLUMNS,
        choices=[one | {"value": request.args.get(one["name"], one["value"])} for one in FILTERS],
        sort=sort,
        kept={"sort": sort},
        steps=Part(step_rows()),
        nodes=GRAPH_NODES,
        edges=GRAPH_EDGES,
        looks=GRAPH_LOOKS,
        bars=BARS,
        crowd=[(str(number), str(number), "step") for number in range(201)],
        document=DOCUMENT,
        long=Part([], 201, "201 to 400 of 450", "?from=1", "?from=401"),
        part=Part(display.lines(WORKFLOW, known)),
        expected=EXPECTED,
        generation={"id": UUID(int=7), "thumb": "up", "thumb_reason": "It asks before it sends"},
        spending=(Decimal("0.31"), Decimal("0.05"), Decimal("0.40")),
        facts=step_facts.facts(WORKFLOW, known),
    )


@route(
    bp,
    "/toast",
    allow=ADMIN,
    methods=("POST",),
    takes=(ExampleForm, "refused-*", "from", "code", "path"),
)
def show_toast() -> ResponseReturnValue:
    """Show a toast with an undo."""
    toast(f"Agent {HOSTILE} switched off.", undo_url="/styleguide/toast")
    return redirect_to("/styleguide")


def _moved(now: datetime, age_s: int) -> datetime:
    return now - timedelta(seconds=age_s)
