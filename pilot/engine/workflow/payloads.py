"""What comes from outside a workflow as data: judged by a condition, mapped to inputs.

Both read named roots only, usually `payload`; a payload names neither steps nor documents.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pilot.engine.expressions import Compiled, Scope
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.references import compile_template
from pilot.errors import ExpressionError, InvalidError, Issue

ROOTS = frozenset({"payload"})
UTC = ZoneInfo("UTC")


def check(match: str | None, inputs: Any, *, roots: frozenset[str] = ROOTS) -> Iterator[Issue]:
    """Yield what is wrong with a condition and the templates of inputs, as paths of both."""
    parts = (("/match", match, compile_condition), ("/inputs", inputs, compile_template))
    for path, written, compile_ in parts:
        if written is None:
            continue
        try:
            compiled: Compiled = compile_(written)
        except ExpressionError as error:
            yield Issue("E_EXPRESSION", path, error.message)
        except InvalidError as error:
            yield from error.issues
        else:
            unknown = sorted({str(read[0]) for read in compiled.reads} - roots)
            if unknown:
                known = ", ".join(sorted(roots))
                told = f"There is no {unknown[0]} here; what can be read: {known}."
                yield Issue("E_REF_ROOT", path, told, expected=known, got=unknown[0])


def holds(match: str | None, values: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a condition holds for the roots; one that reads what is missing does not."""
    if match is None:
        return True
    try:
        return bool(compile_condition(match).evaluate(Scope(values, now, UTC)))
    except ExpressionError:
        return False


def mapped(inputs: Any, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the inputs that templates give for the roots.

    Raises:
        InvalidError: one of them reads what is not there, or cannot be computed.
    """
    found = {}
    issues = []
    for name, template in (inputs or {}).items():
        try:
            found[name] = compile_template(template).evaluate(Scope(values, now, UTC))
        except ExpressionError as error:
            issues.append(Issue("E_INPUT", f"/{name}", f"The input {name}: {error.message}"))
    if issues:
        raise InvalidError(issues)
    return found
