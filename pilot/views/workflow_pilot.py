"""The section "Workflow Pilot" of the settings: reads the choice that a URL or a form asks for."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from flask import request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from pilot import settings
from pilot.engine.providers import model_catalogue, model_lint
from pilot.engine.providers.model_lint import FALLBACK, PRIMARY
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.reports import model_choice
from pilot.reports.model_choice import FURTHER, KEYS, MOST_VOLUME, SWITCH, Choice, Guess
from pilot.settings import SETTINGS

GROUP = "workflow-pilot"
URL = f"/system-config/{GROUP}"
CONFIRMED = "confirm_retired"
HUNDRED = Decimal(100)
COLUMNS = (
    {"label": "Models"},
    {"label": "A month", "number": True},
    {"label": "A year", "number": True},
    {"label": "Saved a year", "number": True},
    {"label": "Saved", "number": True},
)


def context(session: Session, stored: settings.Values, sent: Any = None) -> dict[str, Any]:
    """Return what the section shows: the stored choice, or the one that is asked for."""
    ignored: list[tuple[str, str]] = []
    values = _asked(session, stored, request.args if sent is None else sent, ignored)
    guess = _guess(ignored)
    choice = model_choice.choice(session, values, guess)
    unsaved = {key: (stored[key], values[key]) for key in KEYS if stored[key] != values[key]}
    fresh = [one for one in choice.retired if one.id not in _ids(stored)]
    return {
        "choice": choice,
        "unsaved": unsaved,
        "ignored": ignored,
        "confirm": fresh,
        "rows": _rows(choice),
        "columns": COLUMNS,
        "typed": {
            "volume": request.args.get("volume", str(choice.given.volume)),
            "rate": request.args.get("rate", _percent(choice.given.fallback_rate)),
        },
        "assumed": _percent(choice.measured.fell.assumed),
        "even": _percent(choice.comparison.break_even),
        "usual": {key: SETTINGS[key] for key in KEYS},
        "filled": {
            one.preset.name: _filled({**values, **one.preset.values}, guess)
            for one in choice.presets
        },
        "fixed": [_fixed(one, values, guess) for one in choice.findings],
    }


def refuse_unconfirmed(session: Session, values: Mapping[str, Any]) -> None:
    """Refuse a newly chosen model that is retired, unless the form says that this is meant.

    Raises:
        InvalidError: at the field that chooses it.
    """
    if request.form.get(CONFIRMED):
        return
    stored, _ = settings.snapshot(session)
    known = model_catalogue.entries(session)
    before = _ids(stored)
    issues = []
    for key in (PRIMARY, FALLBACK, FURTHER):
        for one in values[key] if isinstance(values[key], list) else [values[key]]:
            if one in known and known[one].retired and one not in before:
                text = (
                    f"{known[one].model.label} is retired: calls to it will fail. Choose another "
                    "one, or say below that you want it anyway."
                )
                issues.append(Issue("model_retired", f"/{key}", text))
    if issues:
        raise InvalidError(issues)


def fix(session: Session, code: str, key: str) -> dict[str, Any]:
    """Return the setting that mends a finding, as the lint now says.

    Raises:
        ConflictError: nothing is wrong with that setting any more.
    """
    values, _ = settings.snapshot(session)
    for one in model_lint.lint(session, values):
        if one.code == code and one.fix is not None and one.fix.setting == key:
            return {key: one.fix.value}
    raise ConflictError("That is mended already; the page shows what is stored now.", {})


def chosen_url() -> str:
    """Return the URL of the choice that a form asks for, without storing it."""
    sent = [(key, one) for key in (*KEYS, "volume", "rate") for one in request.form.getlist(key)]
    return f"{URL}?{urlencode([one for one in sent if one[1]])}"


def _ids(values: Mapping[str, Any]) -> set[str]:
    return {values[PRIMARY], values[FALLBACK], *values[FURTHER]}


def _asked(
    session: Session,
    stored: settings.Values,
    sent: MultiDict[str, str],
    ignored: list[tuple[str, str]],
) -> dict[str, Any]:
    """Return the settings with what is asked for in them; unknown models are told, not taken."""
    values = dict(stored)
    if PRIMARY not in sent:
        return values
    known = model_catalogue.entries(session)
    values[SWITCH] = bool(sent.get(SWITCH))
    for key in (PRIMARY, FALLBACK):
        one = sent.get(key) or stored[key]
        if one in known:
            values[key] = one
        else:
            ignored.append((SETTINGS[key].label, one[:40]))
    further = list(dict.fromkeys(filter(None, sent.getlist(FURTHER))))
    ignored += [(SETTINGS[FURTHER].label, one[:40]) for one in further if one not in known]
    values[FURTHER] = [one for one in further if one in known][: int(SETTINGS[FURTHER].maximum)]
    return values


def _guess(ignored: list[tuple[str, str]]) -> Guess:
    """Return the volume and the rate of the URL; what means nothing is told."""
    volume, rate = (request.args.get(name, "").strip() for name in ("volume", "rate"))
    number = _number(volume, MOST_VOLUME)
    share = _number(rate, 100)
    if volume and (number is None or number != int(number)):
        ignored.append(("generations a month", volume[:40]))
        number = None
    if rate and share is None:
        ignored.append(("fallback rate", rate[:40]))
    return Guess(
        None if number is None else int(number), None if share is None else share / HUNDRED
    )


def _number(text: str, most: int) -> Decimal | None:
    if not text.isascii() or len(text) > 12 or not text.replace(".", "", 1).isdigit():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number <= most else None


def _percent(share: Decimal | None) -> str:
    """Return `5`, `91.7`: a share as percent for people and fields."""
    if share is None:
        return "unknown"
    return f"{(share * HUNDRED).quantize(Decimal('0.1')):f}".removesuffix(".0")


def facts(choice: Choice) -> dict[str, Any]:
    """Return what programs read of the comparison; shares are 0..1, amounts None where unpriced."""
    given, fell = choice.given, choice.measured.fell
    return {
        "generations_a_month": given.volume,
        "fallback_rate": given.fallback_rate,
        "fallback_rate_assumed": not fell.measured,
        "fell_back_7_days": fell.part,
        "called_a_model_7_days": fell.whole,
        "free_share": given.free_share,
        "primary_usd": given.primary_usd,
        "fallback_usd": given.fallback_usd,
        "break_even_rate": choice.comparison.break_even,
        "advice": choice.measured.advice,
        "rows": [
            {
                "name": line["name"],
                "note": line["note"],
                "month_usd": line["row"].month,
                "year_usd": line["row"].year,
                "saved_month_usd": line["row"].saved_month,
                "saved_year_usd": line["row"].saved_year,
                "saved_percent": line["row"].saved_percent,
                "failing": line["row"].failing,
                "formula": line["row"].formula,
            }
            for line in _rows(choice)
        ],
    }


def _rows(choice: Choice) -> list[dict[str, Any]]:
    """Return the lines of the comparison, the selection last."""
    strong, weak, both = choice.comparison.rows
    first = choice.strong.model.label if choice.strong else "Fallback model"
    cheap = choice.weak.model.label if choice.weak else "Primary model"
    named = [
        (f"{first} alone", "maximum quality", strong),
        (f"{cheap} alone", "maximum savings", weak),
        (f"{cheap}, then {first}", "recommended", both),
        ("Your selection", "", choice.selection),
    ]
    return [
        {"name": name, "note": note, "row": row, "saved": _saved(row)} for name, note, row in named
    ]


def _saved(row: Any) -> str:
    return "" if row.saved_percent is None else f"{row.saved_percent:.1f} %"


def _filled(values: Mapping[str, Any], guess: Guess) -> str:
    """Return the query that fills the form with these values."""
    pairs: list[tuple[str, Any]] = [(key, values[key]) for key in (PRIMARY, FALLBACK)]
    pairs += [(SWITCH, "y")] if values[SWITCH] else []
    pairs += [(FURTHER, one) for one in values[FURTHER]]
    pairs += [("volume", guess.volume)] if guess.volume is not None else []
    pairs += [("rate", _percent(guess.rate))] if guess.rate is not None else []
    return urlencode(pairs)


def _fixed(one: model_lint.Finding, values: Mapping[str, Any], guess: Guess) -> dict[str, Any]:
    query = ""
    if one.fix is not None:
        query = _filled({**values, one.fix.setting: one.fix.value}, guess)
    return {"finding": one, "query": query}
