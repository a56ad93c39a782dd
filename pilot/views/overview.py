"""The first page: what needs attention, the goal box, the demo, the last day."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired

from pilot import settings
from pilot.engine.demo import loading
from pilot.reports import overview
from pilot.views import ADMIN, OPERATE, VIEW, reading, render, route, signed_in, visitor

bp = Blueprint("overview", __name__)

NAV = ("Work", "Overview", 0, VIEW)


class GoalForm(FlaskForm):  # type: ignore[misc]
    """What shall be done; it is sent to the page that drafts."""

    goal = TextAreaField("What shall be done?", [InputRequired()], render_kw={"rows": 3})


@route(bp, "/", allow=VIEW, twin=True)
def index() -> ResponseReturnValue:
    """What needs attention first, then what one may start."""
    me = signed_in()
    with reading() as session:
        facts: dict[str, Any] = {
            "attention": overview.attention(session, me),
            "recent": overview.recent(session),
            "day": overview.last_day(session),
            "workers": overview.live_workers(session),
            "pilot_enabled": bool(settings.value(session, "pilot_enabled")),
        }
        demo_loaded = loading.is_loaded(session, me)
    return render(
        "overview/index.html",
        "counters",
        twin=lambda: facts | {"day": asdict(facts["day"]) | {"total": facts["day"].total}},
        form=GoalForm(formdata=None),
        may_operate=visitor().may(OPERATE),
        may_administer=visitor().may(ADMIN),
        demo_loaded=demo_loaded,
        **facts,
    )
