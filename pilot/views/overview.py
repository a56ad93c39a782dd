"""The first page: what needs attention, the goal box, the demo, the last day."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import TextAreaField
from wtforms.validators import InputRequired

from pilot import settings
from pilot.engine.demo import loading
from pilot.engine.triggers import zones
from pilot.reports import costs, drafting, overview
from pilot.views import (
    ADMIN,
    OPERATE,
    VIEW,
    reading,
    render,
    route,
    signed_in,
    visitor,
    wants_fragment,
    zone,
)

bp = Blueprint("overview", __name__)

NAV = ("Work", "Overview", 0, VIEW)

DO = {"approval": "Decide", "execution": "Look", "model": "Look"}


class GoalForm(FlaskForm):  # type: ignore[misc]
    """What shall be done; it is sent to the page that drafts."""

    goal = TextAreaField("What shall be done?", [InputRequired()], render_kw={"rows": 3})


@route(bp, "/", allow=VIEW, twin=True)
def index() -> ResponseReturnValue:
    """What needs attention first, then what one may start."""
    with reading() as session:
        facts = _figures(session)
        if not wants_fragment():  # every few seconds htmx asks for the figures alone
            facts |= _rows(session)
    return render(
        "overview/index.html",
        "counters",
        twin=lambda: _twin(facts),
        form=GoalForm(formdata=None),
        may_operate=visitor().may(OPERATE),
        may_administer=visitor().may(ADMIN),
        do=DO,
        **facts,
    )


def _figures(session: Session) -> dict[str, Any]:
    key = zone().key
    days_in = key if key in zones.names() else "UTC"
    today, month = overview.spending(session, days_in)
    return {
        "day": overview.last_day(session),
        "today": today,
        "month": month,
        "days_in": days_in,
        "fallback": drafting.fallback(session),
        "workers": overview.workers(session),
    }


def _rows(session: Session) -> dict[str, Any]:
    """Return what a person looks at, and what an installation lacks to begin with."""
    chosen, _ = settings.snapshot(session)
    attention = overview.attention(session, signed_in())
    attention += overview.nearly_spent(session) + overview.unpriced_models(session)
    if visitor().may(ADMIN):
        attention += overview.chosen_models(session, chosen)
    return {
        "attention": attention,
        "recent": overview.recent(session),
        "pilot_enabled": bool(chosen["pilot_enabled"]),
        "demo_loaded": loading.is_loaded(session, signed_in()),
    }


def _twin(facts: dict[str, Any]) -> dict[str, Any]:
    day, fallback = facts["day"], facts["fallback"]
    money = {
        name: {"since": facts[name].since, "until": facts[name].until}
        | costs.facts(facts[name].spent)
        for name in ("today", "month")
    }
    return (
        facts
        | money
        | {
            "day": asdict(day) | {"total": day.total},
            "fallback": {"called_a_model": fallback.called, "fell_back": fallback.fell_back},
        }
    )
