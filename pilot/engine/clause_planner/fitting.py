"""How surely a stated value is meant for a parameter: by kind, unit, closeness and small words."""

import re

from pilot.engine.clause_planner.described import Parameter
from pilot.engine.clause_planner.literals import Value
from pilot.engine.clause_planner.words import normal

NEAR = 5  # words between a parameter's name and its value
WINDOW = 120  # characters on either side that can hold them
NAMED, FOLLOWED, AFAR = 2.5, 2.4, 1.0
NEVER = -10.0
UNIT, ROLE, WEAK_ROLE, OTHER_ROLE = 1.5, 2.0, 1.0, -1.5
_STARTING = {"from", "origin", "source", "start", "pickup", "departure", "outbound", "since", "in"}
_ENDING = {"to", "destination", "target", "end", "dropoff", "return", "arrival", "until", "out"}
_BEGINS = ("from", "between", "since", "starting", "starts", "departing", "departs", "leaving")
_ENDS = ("to", "into", "until", "till", "returning", "returns", "arriving", "ending", "through")
_ROLES = {
    **dict.fromkeys((*_BEGINS, "leaves"), _STARTING),
    **dict.fromkeys(_ENDS, _ENDING | {"recipient"}),
    "in": {"city", "location", "place", "area", "where", "country", "destination"},
    "at": {"location", "place", "time"},
    "near": {"location", "place"},
    "on": {"date", "day"},
    "by": {"artist", "author", "by"},
    "for": {"name", "query", "q", "location", "city"},
}
_SPECIFIC = {
    "email": {"email", "mail"},
    "url": {"url", "link", "website", "uri", "site"},
    "date": {"date", "day", "birthdate", "birthday", "dt", "since", "until", "start", "end"},
    "time": {"time", "hour"},
    "phone": {"phone", "mobile", "number"},
    "path": {"path", "file", "folder", "directory", "program"},
    "channel": {"channel"},
}
_DESCRIBED = ("date", "time", "email", "url")  # what a description may say of a text
_CODED = {"language", "currency", "country", "unit", "mode", "format", "type", "region", "category"}
_NUMBERS = {"number", "integer"}
_SIGNS = re.compile(r"[A-Za-z]+|\d+|,")
_STARTS = re.compile(r"\s+(?:in)?to\b", re.IGNORECASE)  # of a way: "USD to EUR"
_UNITS = {
    "percent": re.compile(r"\s*(?:%|percent\b|per cent\b)", re.IGNORECASE),
    "time": re.compile(
        r"[\s-]*(?:year|month|week|day|night|hour|minute|second)s?\b", re.IGNORECASE
    ),
    "length": re.compile(
        r"[\s-]*(?:km|kilomet\w+|miles?|met(?:er|re)s?|cm|feet|m)\b", re.IGNORECASE
    ),
    "mass": re.compile(r"[\s-]*(?:kg|kilograms?|pounds?|lbs?|grams?|g)\b", re.IGNORECASE),
    "money": re.compile(r"\s*(?:usd|eur|gbp|dollars?|euros?|[$€£])\b", re.IGNORECASE),
}
# What a description may count in; a value in another unit is asked for, not converted.
_COUNTED = {
    normal(word)
    for word in ("year", "month", "week", "day", "hour", "minute", "second", "meter", "kilometer")
} | {normal("mile")}
_MEASURED = {
    "percent": {"rate", "percentage", "percent", "discount", "interest", "tax"},
    "time": {"term", "time", "period", "duration", "days", "nights", "months", "years", "length"},
    "length": {"distance", "height", "width", "length", "radius", "size", "dimensions"},
    "mass": {"weight", "mass"},
    "money": {
        *(
            "amount",
            "principal",
            "price",
            "cost",
            "salary",
            "allowance",
            "bill",
            "total",
            "revenue",
        ),
        *("expenses", "budget", "value", "fee", "payment", "loan"),
    },
}


def fit(one: Parameter, value: Value, text: str) -> float:
    """Return how surely a value is meant for a parameter; 0 for one that cannot be."""
    base = _kind_fit(one, value)
    if base <= 0:
        return 0.0
    before = _words_of(text[max(value.start - WINDOW, 0) : value.start])[-NEAR:]
    base += _closeness(one, value, before, _words_of(text[value.end : value.end + WINDOW])[:2])
    if one.is_key:
        return base
    if value.kind == "number":
        return max(base + _unit_fit(one, value, text), 0.0)
    if value.kind != "text" and _STARTS.match(text, value.end) and _STARTING & set(one.words):
        base += ROLE
    return base + _role_fit(one, [word for word in before if word != ","])


def is_sure(one: Parameter, value: Value) -> bool:
    """Say whether a value is one for a parameter that is mostly found out by another action."""
    return value.kind == "text" or value.kind in kinds_wanted(one)


def kinds_wanted(one: Parameter) -> list[str]:
    """Return the kinds of values that the name, format or description of a text asks for."""
    words = {*one.words, str(one.schema.get("format", ""))}
    found = [kind for kind, named in _SPECIFIC.items() if named & words]
    if "time" in found and not {"date", "day"} & words:
        found = [kind for kind in found if kind != "date"]
    return found or [kind for kind in _DESCRIBED if kind in one.about]


def _closeness(one: Parameter, value: Value, before: list[str], after: list[str]) -> float:
    """Return how near the parameter's own words stand; the last one says most."""
    own = {normal(word) for word in one.words}
    last = normal(one.words[-1]) if one.words else ""
    joint = max((n for n, word in enumerate(before) if word in {"and", ","}), default=-1)
    near = {normal(word): n for n, word in enumerate(reversed(before[joint + 1 :]))}
    hits = [near[word] for word in own if word in near]
    following = [normal(word) for word in after]
    if hits:
        share = len(hits) / len(own) * (1.0 if last in near else 0.6)
        return NAMED * share - 0.3 * min(hits)
    if not own & set(following):
        return 0.0
    return FOLLOWED / len(own) if following[0] in own and value.kind != "name" else AFAR / 2


def _words_of(text: str) -> list[str]:
    return [found[0].lower() for found in _SIGNS.finditer(text)]


def _unit_fit(one: Parameter, value: Value, text: str) -> float:
    """Return whether the unit of a number is one of what the parameter measures."""
    begins = text[value.start : value.start + 2].lstrip("-")[:1]
    unit = "money" if begins in "$€£" and begins else ""
    unit = unit or next((name for name, sign in _UNITS.items() if sign.match(text, value.end)), "")
    if not unit:
        return 0.0
    measures = {name for name, words in _MEASURED.items() if words & set(one.words[-1:])}
    measures = measures or {n for n, words in _MEASURED.items() if words & set(one.words)}
    if measures and unit not in measures:
        return NEVER
    sign = _UNITS[unit].match(text, value.end)
    spoken = normal(re.sub(r"[\W_]", "", sign[0]).lower()) if sign else ""
    counted = _COUNTED & one.about
    return NEVER if unit in {"time", "length"} and counted and spoken not in counted else UNIT


def _role_fit(one: Parameter, before: list[str]) -> float:
    """Return what the small words before a value say: "from", "returning on", "in", "and"."""
    words = set(one.words)
    near = before[-3:]
    near = near[max((n for n, word in enumerate(near) if word == "and"), default=0) :]
    way = next((word for word in reversed(near) if word in _BEGINS or word in _ENDS), None)
    if way is not None:
        other = _ENDING if way in _BEGINS else _STARTING
        other_way = bool(other & words) or way in {"returning", "returns"}
        return ROLE if _ROLES[way] & words else (OTHER_ROLE if other_way else 0.0)
    role = next((word for word in reversed(near) if word in _ROLES), None)
    if role is not None:
        matches = bool(_ROLES[role] & words)
        return (WEAK_ROLE if role in {"for", "on", "at"} else ROLE) if matches else 0.0
    return WEAK_ROLE / 2 if near[:1] == ["and"] and _ENDING & words else 0.0


def _kind_fit(one: Parameter, value: Value) -> float:
    """Return how well the kind of a value fits the type and name of a parameter."""
    if one.choices:
        return 1.0 if str(value.value) in one.choices else 0.0
    if one.is_key:
        return 0.2 if value.kind in {"text", "number", "phone"} else 0.0
    if one.kind == "string":
        return _text_fit(one, value)
    if one.kind == "array":
        return {"list": 2.0, "text": 1.0, "email": 0.8}.get(value.kind, 0.0)
    return 1.0 if one.kind in _NUMBERS and value.kind == "number" else 0.0


def _text_fit(one: Parameter, value: Value) -> float:
    wanted = kinds_wanted(one)
    if value.kind in wanted:
        return 2.0
    if wanted and not (wanted == ["phone"] and value.kind == "number"):
        return 0.5 if value.kind == "text" and wanted != ["phone"] else 0.0
    if _CODED & set(one.words):
        return 0.4 if value.kind in {"text", "name"} else 0.0
    return {"text": 1.0, "name": 0.6, "email": 0.4, "number": 0.3, "url": 0.5}.get(value.kind, 0.0)
