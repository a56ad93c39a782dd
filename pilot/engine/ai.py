"""AI steps: what is sent to a model, and what counts as its answer."""

from typing import Any

from pilot.engine.outcomes import Done, StepContext
from pilot.engine.references import compile_field, compile_template
from pilot.errors import ErrorClass, StepError

EMPTY: tuple[Any, ...] = (None, "", [], {})


def resolve(
    step_id: str, prompt: str, given: Any, on_empty: str, context: StepContext
) -> dict[str, Any] | Done:
    """Return prompt and input of one call; an empty input makes none unless the step says so.

    Raises:
        StepError: the input is empty and the step says that this is a failure (class input).
    """
    wording = context.compiled(step_id, "prompt", lambda: compile_template(prompt))
    field = context.compiled(step_id, "input", lambda: compile_field(given))
    data = field.evaluate(context.scope) if given is not None else None
    if given is not None and data in EMPTY and on_empty != "call":
        if on_empty == "fail":
            raise StepError(ErrorClass.INPUT, "The input of this step is empty.")
        return Done(None, ["The input was empty: no model was asked."])
    return {"prompt": wording.evaluate(context.scope), "input": data}


def perform(_request: dict[str, Any], _timeout_s: float, *, again: bool) -> Any:  # noqa: ARG001
    """Ask the model.

    Raises:
        StepError: no model is set up (class config).
    """
    raise StepError(ErrorClass.CONFIG, "No model is set up: steps that ask a model cannot run yet.")
