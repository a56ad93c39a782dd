"""What an action step does: resolved parameters, grants, rules, effect class, the call itself."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

from pilot import plugins, redaction
from pilot.engine import outages
from pilot.engine.acting import resting, rules
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import StepContext
from pilot.engine.language import secret_sinks
from pilot.engine.language.references import compile_template
from pilot.engine.secrets import connections, secret_handles
from pilot.engine.secrets.connections import Held
from pilot.errors import ErrorClass, OutcomeUnknownError, PluginError, StepError
from pilot.plugins import Action, Call

log = structlog.get_logger()

STRICTNESS = ("pure", "keyed", "probe", "once")


def find(name: str, context: StepContext) -> Action:
    """Return an action that this execution's agent may call.

    Raises:
        StepError: unknown or not granted (class config).
    """
    found = context.resources.catalogue.actions.get(name)
    if found is None:
        raise StepError(ErrorClass.CONFIG, f"There is no action {name}.")
    granted = context.execution.get("grants")
    if granted is not None and name not in granted:
        text = f"The agent may not call {name}: grant it on the agent's page, or remove the step."
        raise StepError(ErrorClass.CONFIG, text)
    return found


def resolve(
    step_id: str, name: str, params: dict[str, Any], context: StepContext
) -> dict[str, Any]:
    """Return the parameters with all references replaced, checked by schema and rules.

    Raises:
        StepError: what is wrong, and what to do (class input).
    """
    action = find(name, context)
    formats = _formats(action)
    template = context.compiled(
        step_id,
        "params",
        lambda: compile_template(params, formats=formats, html_steps=context.html_steps),
    )
    return accept(name, template.evaluate(context.scope), context, written=params)


def accept(
    name: str, given: Any, context: StepContext, *, written: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return parameters as they are, checked by the action's schema and rules.

    `written` are those of the workflow: secrets are named there, never by a model or by data.

    Raises:
        StepError: unknown or not granted (class config), or what is wrong (class input).
    """
    action = find(name, context)
    issues = action.check(given)
    if issues:
        text = "; ".join(f"{one.path.lstrip('/')}: {one.message}" for one in issues[:5])
        raise StepError(ErrorClass.INPUT, f"{name} cannot be called: {text}")
    secret_sinks.refuse(name, written, given)
    rules.refuse(action, given, context)
    checked: dict[str, Any] = given
    return checked


def _formats(action: Action) -> dict[tuple[str, ...], str]:
    properties = action.params_schema.get("properties", {})
    return {
        (name,): part["format"]
        for name, part in properties.items()
        if part.get("format") in {"html", "uri"}
    }


def effect(
    name: str,
    stricter: str | None,
    given: dict[str, Any],
    context: StepContext,
    connection: str | None = None,
) -> str:
    """Return the effect class of one call."""
    connected = connection is not None
    declared = str(find(name, context).effect_of(given, connected=connected))
    if stricter is None:
        return declared
    return max(declared, stricter, key=STRICTNESS.index)


def perform(
    name: str,
    context: StepContext,
    attempt: Attempt,
    timeout_s: float,
    *,
    again: bool,
    connection: str | None = None,
) -> Any:
    """Call the action with its key; a probe is asked first when an earlier call may have happened.

    Raises:
        PluginError: the action failed.
    """
    action = find(name, context)
    named = secret_sinks.names(name, attempt.input)
    with outages.held():
        secrets = secret_handles.opened(context.owner_id, named) if named else {}
        held = (
            connections.opened(context.owner_id, action.plugin, connection) if connection else None
        )
    call = Call(
        key=str(attempt.key),
        deadline=time.monotonic() + timeout_s,
        zone=context.scope.zone,
        folder=context.resources.folder(context.owner_id),
        owner_email=context.execution["owner_email"],
        http=context.resources.egress.with_secrets(secrets),
        log=log.bind(action=name),
        credentials=held.credentials if held else None,
    )
    with outages.room(context.resources.data, attempt.attempt):
        call.folder.mkdir(parents=True, exist_ok=True)
        with _minded(action, held, call, attempt, context):
            output = _call(action, attempt, call, again=again)
    # A receiver may send a secret back: it goes no further than this.
    return redaction.without_known(output) if secrets or held else output


def _minded(
    action: Action, held: Held | None, call: Call, attempt: Attempt, context: StepContext
) -> AbstractContextManager[None]:
    """Return what guards a call: the connection, or the address that the parameters name."""
    if held is not None:
        return resting.minded(held, call.key, context.execution["settings"])
    place = action.place_of(attempt.input)
    if not place:
        return nullcontext()
    return resting.minded_host(context.owner_id, place, context.execution["settings"])


def _call(action: Action, attempt: Attempt, call: Call, *, again: bool) -> Any:
    if again and attempt.effect == "probe":
        applied = _applied(action, attempt, call)
        if applied is not None:
            return applied
    return plugins.perform(action, attempt.input, call)


def _applied(action: Action, attempt: Attempt, call: Call) -> Any:
    """Ask what an earlier call did.

    Raises:
        OutcomeUnknownError: nobody can tell, so nothing is sent again.
    """
    try:
        return plugins.was_applied(action, attempt.input, call)
    except PluginError as error:
        if error.error_class is ErrorClass.AUTH:
            raise  # it goes on, asking again, once the connection is mended
        message = f"It may have happened before, and nobody can be asked: {error.message}"
        raise OutcomeUnknownError(error.error_class, message, code=error.remote_code) from error
