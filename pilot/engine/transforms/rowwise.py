"""Computes expressions and conditions row by row."""

from collections.abc import Sequence
from typing import Literal

from pilot.engine.expressions import NullOperandError
from pilot.engine.transforms.fields import PerRow
from pilot.engine.transforms.registry import Run
from pilot.errors import ExpressionError, type_json

_SHOWN = 5


def compute(
    run: Run, expression: PerRow, values: Sequence[type_json], label: str = ""
) -> list[type_json]:
    """Return the value of an expression for each element.

    Raises:
        StepError: the expression fails; it names the row.
    """
    evaluate, scope = expression.compiled.evaluate, run.scope
    results: list[type_json] = []
    for number, value in enumerate(values):
        try:
            results.append(evaluate(scope.child(item=value, index=number)))
        except ExpressionError as error:
            where = f"row {number + 1}{f', {label}' if label else ''}"
            raise run.failure(f"{where}: {error.message}", error.error_class) from error
    return results


def matches(
    run: Run,
    condition: PerRow,
    values: Sequence[type_json],
    *,
    on_null: Literal["skip", "error"] = "skip",
    label: str = "",
) -> list[bool]:
    """Say for each element whether it meets a condition.

    A condition that fails because an operand is null is not met; how many did is noted.

    Raises:
        StepError: the condition fails in another way, or meets null and `on_null` is error.
    """
    evaluate, scope = condition.compiled.evaluate, run.scope
    found: list[bool] = []
    nulls: list[int] = []
    for number, value in enumerate(values):
        try:
            found.append(evaluate(scope.child(item=value, index=number)) is True)
        except ExpressionError as error:
            if on_null == "error" or not isinstance(error, NullOperandError):
                where = f"row {number + 1}{f', {label}' if label else ''}"
                raise run.failure(f"{where}: {error.message}", error.error_class) from error
            found.append(False)
            nulls.append(number + 1)
    if nulls:
        shown = ", ".join(map(str, nulls[:_SHOWN])) + (", .." if len(nulls) > _SHOWN else "")
        name = f"{label}: " if label else ""
        run.note(
            f"{name}{len(nulls)} of {len(values)} rows did not match because a value is null "
            f"(row {shown})."
        )
    return found
