"""Which event a step waits for: what its condition has to know is kept with the wait.

So an event is judged where it comes in, without a worker, and the execution is woken only by one
that fits.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pilot import strictjson
from pilot.engine.expressions import Compiled, Scope, compile_expression
from pilot.engine.language import json_schemas
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.pointers import pointer
from pilot.errors import ErrorClass, ExpressionError, InvalidError, Issue, StepError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")
_PART = r"event\.payload(?:\.[A-Za-z_]\w*)*"
_VALUE = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"""
_EQUAL = re.compile(rf"(?P<left>{_PART})\s*==\s*(?P<value>{_VALUE})", re.ASCII)
_EQUAL_BACK = re.compile(rf"(?P<other>{_VALUE})\s*==\s*(?P<right>{_PART})", re.ASCII)
MAX_KNOWN_BYTES = 64 * 1024


def name_problem(name: str) -> str | None:
    """Say why a text is no name of an event, or None."""
    if NAME.fullmatch(name):
        return None
    return (
        f"{name[:60]!r} is no name of an event: up to 100 letters, digits and _ . : / - of ASCII, "
        "like order.paid."
    )


def asked(
    scope: Scope, match: Any, compiled: Compiled | None, schema: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what is kept with a wait: the condition, the values that it reads, and the schema.

    Raises:
        StepError: the condition reads more than 64 KiB of the execution (class limit).
    """
    known: dict[str, Any] = {}
    for read in sorted(compiled.reads if compiled else (), key=len):
        if read[0] != "event":
            _copy(scope.roots, known, read)
    if len(strictjson.dumps(known).encode()) > MAX_KNOWN_BYTES:
        text = "match reads more than 64 KiB of the execution: compute what it needs in a step."
        raise StepError(ErrorClass.LIMIT, text)
    return {
        "match": match,
        "roots": known,
        "now": scope.now.isoformat(),
        "zone": scope.zone.key,
        "schema": schema,
    }


def _copy(source: Any, target: dict[str, Any], read: tuple[str | int, ...]) -> None:
    """Copy what stands at a path, and of the objects on the way nothing else."""
    for place, key in enumerate(read):
        if not isinstance(source, Mapping) or key not in source:
            return  # missing then, missing later
        name, value = str(key), source[key]
        if name in target and target[name] is value:
            return  # it was copied as a whole
        if place == len(read) - 1 or not isinstance(value, Mapping):
            target[name] = value
            return
        source, target = value, target.setdefault(name, {})


def fits(asked: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a wait takes an event: its condition holds, and the payload fits the schema."""
    return holds(asked, event) and not misfits(asked["schema"], event["payload"])


def holds(asked: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether the condition of a wait holds for an event; what cannot be judged does not."""
    if asked["match"] is None:
        return True
    now, zone = datetime.fromisoformat(asked["now"]), ZoneInfo(asked["zone"])
    try:
        scope = Scope({**asked["roots"], "event": event}, now, zone)
        return bool(compile_condition(asked["match"]).evaluate(scope))
    except (ExpressionError, InvalidError):
        return False


def matching(asked: dict[str, Any], payload: Any) -> Any:
    """Return a payload in which what the condition wants to be equal is: as far as it can be told.

    Read are the equalities of a part of the payload and a literal, or what the execution has.
    """
    text = compile_condition(asked["match"]).text
    scope = Scope(asked["roots"], datetime.fromisoformat(asked["now"]), ZoneInfo(asked["zone"]))
    found = [(one["left"], one["value"]) for one in _EQUAL.finditer(text)]
    found += [(one["right"], one["other"]) for one in _EQUAL_BACK.finditer(text)]
    for place, wanted in found:
        try:
            payload = _with(
                payload, place.split(".")[2:], compile_expression(wanted).evaluate(scope)
            )
        except ExpressionError:  # it is not there, or no value
            continue
    return payload


def _with(source: Any, keys: list[str], value: Any) -> Any:
    """Return an object with a value at a path."""
    if not keys:
        return value
    known = dict(source) if isinstance(source, Mapping) else {}
    return known | {keys[0]: _with(known.get(keys[0]), keys[1:], value)}


def misfits(schema: dict[str, Any] | None, payload: Any) -> list[Issue]:
    """Return an issue for each part of a payload that does not fit a schema."""
    if schema is None:
        return []
    return [
        Issue("payload", f"/payload{pointer(*error.absolute_path)}", error.message[:300])
        for error in json_schemas.check_value(schema, payload)
    ]
