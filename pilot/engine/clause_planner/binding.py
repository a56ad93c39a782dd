"""Binds parameters: to values that the clause states, else to what earlier steps give."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pilot.engine.clause_planner import literals
from pilot.engine.clause_planner.described import Described, Output, Parameter, same_name
from pilot.engine.clause_planner.literals import Value
from pilot.engine.clause_planner.splitting import bare
from pilot.engine.clause_planner.words import normal, normals
from pilot.engine.validation import schemas

LEAST_REQUIRED, LEAST_OPTIONAL = 1.0, 2.0
NEAR = 4  # words between a parameter's name and its value
_ROLES = {
    "from": {"from", "origin", "source", "start", "pickup", "departure", "outbound", "since"},
    "between": {"origin", "start", "from"},
    "to": {"to", "destination", "target", "end", "dropoff", "return", "arrival", "recipient"},
    "until": {"end", "until"},
    "into": {"target", "to"},
    "in": {"city", "location", "place", "area", "where", "region", "country", "language"},
    "at": {"location", "place", "time"},
    "near": {"location", "place"},
    "on": {"date", "day"},
    "by": {"artist", "author", "by"},
    "for": {"name", "query", "q", "location"},
    "starting": {"start", "pickup", "departure"},
    "returning": {"return"},
    "returns": {"return"},
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
_NUMBERS = {"number", "integer"}
_PLACES = re.compile(r"[A-Za-z]+|\d+")
_SIGNS = re.compile(r"[A-Za-z]+|\d+|,")
_STARTS = re.compile(r"\s+(?:in)?to\b", re.IGNORECASE)  # of a way: "USD to EUR"
_REFERS = re.compile(
    r"\b(?:it|its|them|their|they|that|this|these|those|result|results|the|both|same)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|them|that|this|these|those|results?|both)\b", re.IGNORECASE)
_FLAG = re.compile(r"\b(?:not|no|without|exclude|excluding|except)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Bound:
    """What a parameter gets: a value, or a field of an earlier call."""

    value: Any = None
    call: int | None = None
    output: Output | None = None


@dataclass
class Call:
    """One step: an action, the clause it serves, and what its parameters get."""

    action: Described
    clause: int
    text: str
    bound: dict[str, Bound] = field(default_factory=dict)
    implied: bool = False  # no clause names it: a later step needs what it gives
    role: str = ""  # which of several equal lookups, e.g. origin
    looked_up: frozenset[str] = frozenset()  # parameters that sister actions find out

    @property
    def missing(self) -> list[Parameter]:
        """The parameters that the call must have and nothing gives."""
        return [
            one for one in self.action.parameters if one.required and one.name not in self.bound
        ]


def bind(call: Call, before: Sequence[Call], goal: str) -> None:
    """Fill what can be filled without guessing; stated values come first."""
    _choices(call)
    _stated(call, _own_values(call), call.text)
    _from_outputs(call, before)
    _repeated(call, before)
    if call.implied or call.missing:
        _around(call, goal)
    _searched(call)


def _choices(call: Call) -> None:
    """Bind what names one of the values that a parameter allows, and yes-or-no words."""
    low = f" {' '.join(_PLACES.findall(call.text.lower()))} "
    said = set(normals(call.text))
    for one in call.action.parameters:
        found = [
            text for text in one.choices if f" {' '.join(_PLACES.findall(text.lower()))} " in low
        ]
        telling = [text for text in found if not text.isdigit() and len(text) > 1]
        if telling:
            call.bound[one.name] = Bound(max(telling, key=len))
        flag = one.kind == "boolean" or {text.lower() for text in one.choices} == {"true", "false"}
        words = {normal(word) for word in one.words[1:]}
        if flag and words and words <= said:
            sure = not _FLAG.search(call.text)
            call.bound[one.name] = Bound(sure if one.kind == "boolean" else str(sure))


def _own_values(call: Call) -> list[Value]:
    """Return the values of the clause; a name that only names the action is none."""
    named = {word for word, weight in call.action.bag.items() if weight >= 1}
    return [
        one
        for one in literals.values(call.text)
        if one.kind != "name" or not set(normals(one.value)) <= named
    ]


def _stated(call: Call, stated: Sequence[Value], text: str) -> None:
    """Give each value to the parameter that it fits best, the surest first."""
    used: set[int] = set()
    for value, one in _ranked(call, stated, text):
        if one.name in call.bound or value.start in used:
            continue
        used.add(value.start)
        call.bound[one.name] = Bound(_as_kind(one, value))


def _ranked(call: Call, stated: Sequence[Value], text: str) -> list[tuple[Value, Parameter]]:
    found: list[tuple[float, int, int]] = []
    for place, plain in enumerate(call.action.parameters):
        one = replace(plain, words=(*call.role.split(), *plain.words)) if call.role else plain
        least = LEAST_REQUIRED if plain in call.action.wanted else LEAST_OPTIONAL
        for number, value in enumerate(stated):
            if plain.name in call.looked_up and not _is_sure(plain, value):
                continue
            score = _fit(one, value, text)
            if score >= least:
                found.append((-score, number, place))
    return [(stated[number], call.action.parameters[place]) for _, number, place in sorted(found)]


def _is_sure(one: Parameter, value: Value) -> bool:
    """Say whether a value is one for a parameter that is mostly found out by another action."""
    return value.kind == "text" or value.kind in _kinds_wanted(one)


def _fit(one: Parameter, value: Value, text: str) -> float:
    """Return how surely a value is meant for a parameter; 0 for one that cannot be."""
    base = _kind_fit(one, value)
    if base <= 0:
        return 0.0
    own = {normal(word) for word in one.words}
    before = _words_of(text[: value.start])[-NEAR:]
    joint = max((n for n, word in enumerate(before) if word in {"and", ","}), default=-1)
    near = {normal(word): n for n, word in enumerate(reversed(before[joint + 1 :]))}
    hits = [near[word] for word in own if word in near]
    after = [normal(word) for word in _words_of(text[value.end :])[:2]]
    if hits:
        base += 2.5 * len(hits) / len(own) - 0.3 * min(hits)
    elif own & set(after):
        base += 2.4 / len(own) if after[0] in own else 1.0
    if one.is_key:
        return base
    if _STARTS.match(text, value.end) and _ROLES["from"] & set(one.words):
        base += 2.0
    return base + _role_fit(one, [word for word in before if word != ","])


def _words_of(text: str) -> list[str]:
    return [found[0].lower() for found in _SIGNS.finditer(text)]


def _role_fit(one: Parameter, before: list[str]) -> float:
    for word in reversed(before[-2:]):
        if word in _ROLES:
            if _ROLES[word] & set(one.words):
                return 1.0 if word == "for" else 2.0
            others = set().union(*(_ROLES[other] for other in ("from", "to")))
            return -1.0 if word in {"from", "to"} and others & set(one.words) else 0.0
        if word == "and" and {"to", "destination", "end", "target"} & set(one.words):
            return 0.5
    return 0.0


def _kind_fit(one: Parameter, value: Value) -> float:
    """Return how well the kind of a value fits the type and name of a parameter."""
    if one.choices:
        return 1.0 if str(value.value) in one.choices else 0.0
    if one.is_key:
        return 0.2 if value.kind in {"text", "number", "phone"} else 0.0
    if one.kind == "string":
        return _text_fit(value, _kinds_wanted(one))
    if one.kind == "array":
        return {"list": 2.0, "text": 1.0, "email": 0.8}.get(value.kind, 0.0)
    return 1.0 if one.kind in _NUMBERS and value.kind == "number" else 0.0


def _text_fit(value: Value, wanted: list[str]) -> float:
    if value.kind in wanted:
        return 2.0
    if wanted and not (wanted == ["phone"] and value.kind == "number"):
        return 0.5 if value.kind == "text" and wanted != ["phone"] else 0.0
    return {"text": 1.0, "name": 0.6, "email": 0.4, "number": 0.3, "url": 0.5}.get(value.kind, 0.0)


def _kinds_wanted(one: Parameter) -> list[str]:
    """Return the kinds of values that the name, format or description of a text asks for."""
    words = {*one.words, str(one.schema.get("format", ""))}
    found = [kind for kind, named in _SPECIFIC.items() if named & words]
    return found or [kind for kind in _DESCRIBED if kind in one.about]


def _as_kind(one: Parameter, value: Value) -> Any:
    if one.kind == "array":
        return value.value if isinstance(value.value, list) else [value.value]
    if one.kind == "integer" and isinstance(value.value, float):
        return int(value.value) if value.value.is_integer() else round(value.value)
    if one.kind == "string" and not isinstance(value.value, str):
        return str(value.value)
    return value.value


def _from_outputs(call: Call, before: Sequence[Call]) -> None:
    """Bind what is not stated to earlier results: of the same name, or that the clause names."""
    refers = bool(_REFERS.search(call.text))
    said = set(normals(call.text))
    for one in call.action.parameters:
        if one.name in call.bound or not (one in call.action.wanted or one.is_key):
            continue
        found = _same_name(one, before, call)
        if found is None and refers and not one.is_key and not one.choices:
            found = _mentioned(one, before, said, call)
        if found is not None:
            call.bound[one.name] = found


def _same_name(one: Parameter, before: Sequence[Call], call: Call) -> Bound | None:
    best: tuple[float, int, Bound] | None = None
    for number, other in _newest(before):
        for output in other.action.outputs:
            quality = same_name(one, output)
            if not quality or conversion(output, one) is None:
                continue
            role = " ".join(one.words[: len(one.words) - len(output.leaf)])
            quality += 0.5 if other.role and other.role == role else 0.0
            if best is None or quality > best[0]:
                best = (quality, number, Bound(call=number, output=output))
    telling = (
        len(one.words) > 1
        or one.is_key
        or call.action.plugin
        in {other.action.plugin for other in before if other.action is not call.action}
    )
    return best[2] if best and telling else None


def _mentioned(one: Parameter, before: Sequence[Call], said: set[str], call: Call) -> Bound | None:
    """Return the earlier result that the clause speaks of, the newest for "it" and "the result"."""
    best: tuple[float, Bound] | None = None
    first = next(iter(call.missing), None) is one and bool(_PRONOUN.search(call.text))
    free = first and not _kinds_wanted(one)
    least = 0.0 if free and "name" not in one.words else 1.0
    taken = {(b.call, b.output.path) for b in call.bound.values() if b.output is not None}
    for age, (number, other) in enumerate(_newest(before)):
        for output in other.action.outputs:
            if len(output.path) > 1 or (number, output.path) in taken:
                continue
            words = {normal(word) for word in output.leaf}
            if not _fits(output, one) and not (words <= said and conversion(output, one)):
                continue
            if _kinds_wanted(one) and output.leaf[-1] != one.words[-1]:
                continue
            score = 2 * len(words & said) / len(words) + 0.5 * bool(set(other.action.nouns) & said)
            score += 0.4 / (age + 1)
            if score >= least and (best is None or score > best[0]):
                best = (score, Bound(call=number, output=output))
    return best[1] if best else None


def _newest(before: Sequence[Call]) -> Iterator[tuple[int, Call]]:
    return ((number, before[number]) for number in reversed(range(len(before))))


def _fits(output: Output, one: Parameter) -> bool:
    return schemas.fits(output.schema, one.schema)


def conversion(output: Output, one: Parameter) -> str | None:
    """Return the function that makes a field fit a parameter, "" for none, None if none does."""
    if schemas.fits(output.schema, one.schema):
        return ""
    given = schemas.kinds(output.schema) or frozenset()
    wanted = schemas.kinds(one.schema) or frozenset()
    if given <= {"number", "integer"} and "string" in wanted and not one.choices:
        return "text"
    return "number" if given == {"string"} and wanted & {"number"} else None


def _repeated(call: Call, before: Sequence[Call]) -> None:
    """Bind what an earlier call got under the same name."""
    for one in call.missing:
        for _, other in _newest(before):
            known = {p.name: p for p in other.action.parameters}
            same = known.get(one.name)
            if (
                same is not None
                and one.name in other.bound
                and schemas.fits(same.schema, one.schema)
            ):
                value = other.bound[one.name]
                if not one.choices or str(value.value) in one.choices:
                    call.bound[one.name] = value
                    break


def _around(call: Call, goal: str) -> None:
    """Bind what only another clause states, where its kind or its words leave no doubt."""
    left = [
        one
        for one in call.missing
        if not one.is_key and one.kind != "array" and one.name not in call.looked_up
    ]
    stated = literals.values(goal)
    for one in left:
        rated = [(_fit(one, value, goal), value) for value in stated]
        best = max(rated, key=lambda pair: pair[0], default=None)
        if best is not None and best[0] >= LEAST_OPTIONAL:
            call.bound[one.name] = Bound(_as_kind(one, best[1]))


def _searched(call: Call) -> None:
    """Bind a search text to what the clause looks for: its name, else its words."""
    for one in call.missing:
        if not one.is_search or one.kind not in {"string", "array"}:
            continue
        names = [v for v in literals.values(call.text) if v.kind in {"text", "name"}]
        text = names[0].value if names else " ".join(bare(call.text).split()[1:])[:200]
        if text:
            call.bound[one.name] = Bound([text] if one.kind == "array" else text)
