"""What undoes a step: an action that exists and is granted, with parameters that can be known."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pilot.engine.language.references import compile_template
from pilot.engine.validation import repeats
from pilot.engine.validation.context import Context
from pilot.engine.workflow import fields, payloads
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

ROOTS = frozenset({"inputs", "steps", "execution"})


def check(context: Context) -> Iterator[Issue]:
    """Yield the issues of every step that says how it is undone."""
    for node in context.nodes:
        undo = node.step.get("compensate")
        if isinstance(undo, dict):
            yield from _action(context, node, undo)
            yield from _reads(context, node, undo)


def _action(context: Context, node: Node, undo: dict[str, Any]) -> Iterator[Issue]:
    name, params = f"{undo.get('plugin')}.{undo.get('action')}", undo.get("params", {})
    path = f"{node.path}/compensate"
    action = context.catalogue.actions.get(name)
    if action is None:
        near = ", ".join(context.catalogue.nearest(name))
        message = f"There is no action {name[:60]!r} to undo the step. Nearest: {near}."
        yield Issue("E_UNKNOWN_ACTION", f"{path}/action", message, got=name[:60])
        return
    if not context.catalogue.is_granted(name):
        message = f"The agent was not granted {name}, which undoes the step: grant it."
        yield Issue("E_NOT_GRANTED", f"{path}/action", message, got=name)
    known = action.params_schema.get("properties", {})
    given = params if isinstance(params, dict) else {}
    for one in action.params_schema.get("required", []):
        if one not in given:
            message = f"{name} needs the parameter {one}."
            yield Issue("E_PARAM_MISSING", f"{path}/params", message, expected=one)
    for one in given:
        if one not in known:
            message = f"{name} has no parameter {one}: it has {', '.join(known)}."
            yield Issue("E_PARAM_UNKNOWN", f"{path}/params/{one}", message, got=one)


def _reads(context: Context, node: Node, undo: dict[str, Any]) -> Iterator[Issue]:
    path, found = f"{node.path}/compensate/params", {"params": undo.get("params")}
    roots = ROOTS | repeats.item_names(node)
    issues = list(payloads.check(None, found, roots=roots))
    yield from (replace(issue, path=path) for issue in issues)
    if issues:
        return
    for name in sorted(set(fields.step_ids(compile_template(found).reads)) - context.by_id.keys()):
        message = f"There is no step {name}: read the step's own output, or that of one before it."
        yield Issue("E_REF_STEP", path, message, got=name)
