"""Prices: what every model costs, from when on; and whether it answers."""

from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, StringField
from wtforms.validators import InputRequired

from pilot import strictjson
from pilot.engine.providers import model_catalogue, model_check
from pilot.engine.providers.model_catalogue import Entry, NewPrice
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.llm.prices import FIELDS, LONG_NUMBERS
from pilot.llm.prices import read as read_price
from pilot.reports import prices
from pilot.reports.prices import STATES, Filters
from pilot.views import (
    ADMIN,
    actor,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
)
from pilot.views.lists import csv_answer, kept, list_args, next_url, wants_csv

bp = Blueprint("prices", __name__)

NAV = ("Set up", "Prices", 20, ADMIN)

STATE_CHOICES = (
    ("", "Any"),
    ("unpriced", "Unpriced"),
    ("old", "Looked up long ago"),
    ("retired", "Retired or retiring"),
    ("off", "Switched off"),
)
COLUMNS = (
    {"label": "Model", "sort": "model"},
    {"label": "Input", "number": True, "sort": "input"},
    {"label": "Cache read", "number": True},
    {"label": "Cache write", "number": True},
    {"label": "Output", "number": True, "sort": "output"},
    {"label": "Long prompts", "number": True},
    {"label": "Valid from", "sort": "valid"},
    {"label": "Source"},
    {"label": "Used, 30 d", "number": True, "sort": "used"},
)
HINTS = {
    "input": "USD per million tokens, such as 0.15.",
    "cache_read": "Empty: the input price.",
    "cache_write": "Empty: the input price.",
    "cache_write_long": "Kept for an hour or longer. Empty: the input price.",
    "long_from": "Tokens. Above so many sent tokens all tokens cost the long prices.",
}
NUMERIC = {"inputmode": "decimal", "autocomplete": "off"}


class PriceForm(FlaskForm):  # type: ignore[misc]
    """A price as somebody types it; the engine reads the numbers."""

    source = StringField(
        "Where the numbers are from", [InputRequired()], render_kw={"maxlength": 200}
    )
    valid_from = StringField(
        "Valid from",
        description="A day, from 0:00 UTC on. Empty: from now on.",
        render_kw={"type": "date"},
    )
    checked_on = StringField(
        "Looked up on", description="Empty: today.", render_kw={"type": "date"}
    )
    free = BooleanField(
        "The model costs nothing", description="The only way to say 0 for input and output."
    )


def _number(name: str) -> Field:
    label = name.replace("_", " ").capitalize()
    needed = [InputRequired()] if name in {"input", "output"} else []
    return StringField(label, needed, description=HINTS.get(name, ""), render_kw=NUMERIC)


for _name in FIELDS:
    setattr(PriceForm, _name, _number(_name))


@route(bp, "/prices", allow=ADMIN, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """All models that match; those that are used without a price first."""
    state, ignored = request.args.get("state", ""), list[tuple[str, str]]()
    if state and state not in STATES:
        ignored.append(("state", state[:40]))
        state = ""
    with reading() as session:
        entries = model_catalogue.entries(session)
        providers = {one.provider.name: one.provider for one in entries.values()}
        provider = request.args.get("provider", "")
        if provider and provider not in providers:
            ignored.append(("provider", provider[:40]))
            provider = ""
        filters = Filters(request.args.get("q", "").strip()[:200], provider, state)
        facts = asdict(filters)
        wanted, more = list_args(prices.SORTS, "attention", facts, facts)
        listed = prices.listed(session, filters, wanted)
    if wants_csv():
        return csv_answer(listed.rows)
    following = next_url(listed, wanted, facts)
    names = sorted((one.label, name) for name, one in providers.items())
    return render(
        "prices/index.html",
        "rows",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        sort=wanted.sort,
        kept=kept(wanted),
        following=following,
        columns=COLUMNS,
        fields=_fields(filters, [(name, label) for label, name in names]),
        ignored=ignored + more,
        chosen=[(name, value) for name, value in facts.items() if value],
        first=wanted.after is None,
        providers=[providers[name] for _, name in names],
        query=request.query_string.decode(),
    )


def _fields(filters: Filters, providers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"name": "q", "label": "Model", "kind": "search", "value": filters.q},
        {
            "name": "provider",
            "label": "Provider",
            "kind": "select",
            "value": filters.provider,
            "options": [("", "Any"), *providers],
        },
        {
            "name": "state",
            "label": "State",
            "kind": "select",
            "value": filters.state,
            "options": STATE_CHOICES,
        },
    ]


@route(bp, "/prices/<model_id>", allow=ADMIN, twin=True)
def model(model_id: str) -> ResponseReturnValue:
    """One model: its prices, a form for the next one, its newest test."""
    return _model_page(model_id, PriceForm(formdata=None))


@route(
    bp, "/prices/<model_id>", allow=ADMIN, methods=("POST",), takes=(PriceForm, "step", "previewed")
)
def add(model_id: str) -> ResponseReturnValue:
    """Show what a price would change, or add it, if that is what was shown before."""
    form = PriceForm()
    try:
        new = _new_price(form)
        numbers = read_price(new.numbers, free=new.free)
        seen = strictjson.canonical(_texts(form))
        if request.form.get("step") == "add" and request.form.get("previewed", seen) == seen:
            model_catalogue.add_price(model_id, new, by=actor())
            since = new.valid_from.date() if new.valid_from else "now"
            toast(f"{model_id} has this price from {since} on. What is past keeps its own.")
            return redirect_to(f"/prices/{model_id}")
        with reading() as session:
            model_catalogue.check_price(session, model_id, new)
            effect = prices.effect(session, model_id, numbers)
    except InvalidError as error:
        show_issues(form, error.issues)
        return _model_page(model_id, form, status=422)
    return _model_page(model_id, form, effect=effect, numbers=numbers, previewed=seen)


def _new_price(form: PriceForm) -> NewPrice:
    """Return what the form says.

    Raises:
        InvalidError: a date that is none.
    """
    texts = {name: _texts(form)[name] for name in FIELDS}
    if form.free.data:
        texts |= {name: texts[name] or "0" for name in ("input", "output")}
    begins, checked = _day(form.valid_from), _day(form.checked_on)
    return NewPrice(
        texts,
        form.source.data or "",
        valid_from=None if begins is None else datetime.combine(begins, time.min, UTC),
        checked_on=checked,
        free=bool(form.free.data),
    )


def _texts(form: PriceForm) -> dict[str, str]:
    """Return what was typed, by field."""
    names = (*FIELDS, "valid_from", "checked_on", "source", "free")
    return {name: str(form[name].data or "").strip() for name in names}


def _day(field: Field) -> date | None:
    text = (field.data or "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        message = f"{text[:40]!r} is no day such as 2027-01-31."
        raise InvalidError([Issue("date", f"/{field.name}", message, "YYYY-MM-DD")]) from None


@route(bp, "/prices/<model_id>/enabled", allow=ADMIN, methods=("POST",), takes=("enabled",))
def enable(model_id: str) -> ResponseReturnValue:
    """Switch a model on or off."""
    enabled = request.form.get("enabled") == "on"
    model_catalogue.set_enabled(model_id, enabled, by=actor())
    toast(f"{model_id} is switched {'on' if enabled else 'off: no chain asks it'}.")
    return redirect_to(f"/prices/{model_id}")


@route(bp, "/prices/<model_id>/test", allow=ADMIN, methods=("POST",), takes=())
def ask(model_id: str) -> ResponseReturnValue:
    """Ask a model once, at its price."""
    try:
        model_check.run(model_id, user_id=signed_in())
    except ConflictError as error:
        return _model_page(model_id, PriceForm(formdata=None), status=409, refused=error.message)
    return redirect_to(f"/prices/{model_id}#test")


def _model_page(
    model_id: str, form: PriceForm, *, status: int = 200, **more: Any
) -> ResponseReturnValue:
    with reading() as session:
        entry = model_catalogue.entries(session).get(model_id)
        if entry is None:
            raise NotFoundError(f"There is no model {model_id!r}; /prices lists them.")
        history = model_catalogue.history(session, model_id)
        tested = model_check.newest(session, model_id)
        people = prices.people(session)
    return render(
        "prices/model.html",
        status=status,
        twin=lambda: _listed(entry, history),
        entry=entry,
        history=history,
        tested=tested,
        people=people,
        at_most=model_check.estimate(entry),
        form=form,
        long_names=("long_from", *LONG_NUMBERS),
        names=[name for name in FIELDS if not name.startswith("long")],
        **{"effect": None, "numbers": {}, "previewed": "", "refused": ""} | more,
    )


def _listed(entry: Entry, history: list[Any]) -> dict[str, Any]:
    facts = ("valid_from", *FIELDS, "source", "checked_on", "author")
    return {
        "id": entry.id,
        "provider": entry.provider.name,
        "label": entry.model.label,
        "enabled": entry.model.enabled,
        "retired_on": entry.model.retired_on,
        "not_asked": entry.skipped[1] if entry.skipped else None,
        "prices": [{name: getattr(row, name) for name in facts} for row in history],
    }
