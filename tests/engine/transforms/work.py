"""Runs operations on data, as a step would: the tenth of March 2026 in Berlin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pilot.engine.expressions import Scope
from pilot.engine.transforms import Pipeline, Transformed, compile_operations
from pilot.errors import ErrorClass, InvalidError, Issue, StepError

ROOTS = {
    "inputs": {"days": 10, "words": ["refund", "angry"], "text": "<b>"},
    "steps": {"other": {"status": "completed", "output": []}},
}
NOW = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)  # the tenth already, in Berlin
ZONE = ZoneInfo("Europe/Berlin")

Step = tuple[str, dict]


def scope(**outputs) -> Scope:
    """Return a scope in which steps have these outputs."""
    steps = {name: {"status": "completed", "output": value} for name, value in outputs.items()}
    return Scope(roots={**ROOTS, "steps": {**ROOTS["steps"], **steps}}, now=NOW, zone=ZONE)


def pipeline(*operations: Step) -> Pipeline:
    """Return operations compiled."""
    return compile_operations(
        [{"operation": name, "config": config} for name, config in operations]
    )


def transform(value, *operations: Step, **outputs) -> Transformed:
    """Return what operations make of a value, and the notes."""
    return pipeline(*operations).run(value, scope(**outputs))


def run(value, *operations: Step, **outputs):
    """Return what operations make of a value."""
    return transform(value, *operations, **outputs).value


def failure(value, *operations: Step, error_class=ErrorClass.INPUT, **outputs) -> str:
    """Return the message that operations fail with."""
    with pytest.raises(StepError) as caught:
        transform(value, *operations, **outputs)
    assert caught.value.error_class is error_class, caught.value.message
    return caught.value.message


def issues(*operations: Step) -> list[Issue]:
    """Return what is wrong with operations."""
    with pytest.raises(InvalidError) as caught:
        pipeline(*operations)
    return caught.value.issues
