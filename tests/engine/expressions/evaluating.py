"""Evaluates expressions as a step would: the tenth of March 2026, half past midnight in Berlin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pilot.engine.expressions import ROOTS, Scope, compile_expression
from pilot.errors import ErrorClass, ExpressionError

NOW = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")


def scope(zone=ZONE, **roots):
    return Scope({"inputs": {}, "steps": {}, **roots}, NOW, zone)


def value(text, /, zone=ZONE, **inputs):
    """Return the value of an expression that reads `inputs`."""
    return compile_expression(text).evaluate(scope(zone, inputs=inputs))


def fault(text, /, *, error_class=ErrorClass.EXPRESSION, kind=ExpressionError, **inputs):
    """Return the message with which an expression fails when it is evaluated."""
    compiled = compile_expression(text)
    with pytest.raises(ExpressionError) as caught:
        compiled.evaluate(scope(inputs=inputs))
    assert isinstance(caught.value, kind), caught.value
    assert caught.value.error_class is error_class, caught.value.message
    return caught.value.message


def refused(text, roots=ROOTS):
    """Return the message and the column with which an expression is refused when compiled."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, roots=roots)
    return caught.value.message, caught.value.column
