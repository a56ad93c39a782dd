"""Binds parameters: to values that the clause states, else to what earlier steps give."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pilot.engine.clause_planner import literals
from pilot.engine.clause_planner.described import Described, Output, Parameter, same_name
from pilot.engine.clause_planner.fitting import fit, is_sure, kinds_wanted
from pilot.engine.clause_planner.literals import Value
from pilot.engine.clause_planner.splitting import bare
from pilot.engine.clause_planner.words import VERBS, normal, normals
from pilot.engine.validation import schemas

LEAST_REQUIRED, LEAST_OPTIONAL = 1.0, 2.0
# Names of parameters that take whatever an earlier step gave.
_CONTENT = {
    *("amount", "number", "num", "value", "data", "text", "message", "content", "input", "body"),
    *("total", "principal", "sentence", "song", "image", "file", "arguments"),
}
_PLACES = re.compile(r"[A-Za-z]+|\d+")
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
        if flag and words and words <= said and not words & VERBS:
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
            if plain.name in call.looked_up and not is_sure(plain, value):
                continue
            score = fit(one, value, text)
            if score >= least:
                found.append((-score, number, place))
    return [(stated[number], call.action.parameters[place]) for _, number, place in sorted(found)]


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
    takes_all = bool(_CONTENT & set(one.words))
    least = 0.0 if first and takes_all and not kinds_wanted(one) else 1.0
    taken = {(b.call, b.output.path) for b in call.bound.values() if b.output is not None}
    for age, (number, other) in enumerate(_newest(before)):
        for output in other.action.outputs:
            if len(output.path) > 1 or (number, output.path) in taken:
                continue
            words = {normal(word) for word in output.leaf}
            if not _fits(output, one) and not (words <= said and conversion(output, one)):
                continue
            if kinds_wanted(one) and output.leaf[-1] != one.words[-1]:
                continue
            if not takes_all and not words & {normal(word) for word in one.words}:
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
    """Bind what only another clause states, where the goal states as many as are missing."""
    left: dict[tuple[str, ...], list[Parameter]] = {}
    for one in call.missing:
        kinds = tuple(kinds_wanted(one))
        if kinds and not one.is_key and one.kind == "string" and one.name not in call.looked_up:
            left.setdefault(kinds, []).append(one)
    for kinds, group in left.items():
        taken = {str(bound.value) for bound in call.bound.values() if bound.call is None}
        stated = (v for v in literals.values(goal) if v.kind in kinds)
        found = {v.value: v for v in stated if str(v.value) not in taken}
        if len(found) == len(group):  # one each, in the order in which they are said
            for one, value in zip(group, found.values(), strict=True):
                call.bound[one.name] = Bound(_as_kind(one, value))


def _searched(call: Call) -> None:
    """Bind a search text to what the clause looks for: its name, else its words."""
    for one in call.missing:
        if not one.is_search or one.kind not in {"string", "array"}:
            continue
        stated = _own_values(call)
        names = [v for v in stated if v.kind == "text"] or [v for v in stated if v.kind == "name"]
        text = names[0].value if names else " ".join(bare(call.text).split()[1:])[:200]
        if text:
            call.bound[one.name] = Bound([text] if one.kind == "array" else text)
