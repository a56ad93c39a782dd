"""Actions exist, are granted, and get the parameters that they declare."""

from collections.abc import Iterator
from typing import Any

from pilot.engine.language import spelling
from pilot.engine.language.catalogue import Action
from pilot.engine.language.pointers import pointer
from pilot.engine.validation import parameters
from pilot.engine.validation.context import Context, effect_of
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

_STRICTNESS = ("pure", "keyed", "probe", "once")
_PARAMETER_TYPES = ("string", "integer", "number", "boolean")


def check(context: Context) -> Iterator[Issue]:
    """Yield the issues of every step that names actions."""
    for node in context.nodes:
        if node.type == "action":
            yield from _action(context, node)
        elif node.type == "llm_decision":
            yield from _listed(context, node)


def _action(context: Context, node: Node) -> Iterator[Issue]:
    plugin, name = node.step.get("plugin"), node.step.get("action")
    if not isinstance(plugin, str) or not isinstance(name, str):
        return  # the shape says it
    action = context.action(node)
    if action is None:
        yield _unknown(context, node, plugin, name)
        return
    if not context.catalogue.is_granted(action.name):
        message = f"The agent was not granted {action.name}: grant it, or take the step out."
        yield Issue("E_NOT_GRANTED", f"{node.path}/action", message, got=action.name)
    params = node.step.get("params", {})
    if isinstance(params, dict):
        for issue in parameters.check(context, node, action, params):
            is_missing = issue.code == "E_PARAM_MISSING"
            yield _as_input(context, node, action, issue) if is_missing else issue
    yield from _connection(context, node, action)
    yield from _effect(node, action)
    yield from _cache(node, action)
    yield from _retry(context, node, action)


def _unknown(context: Context, node: Node, plugin: str, name: str) -> Issue:
    plugins = sorted({action.plugin for action in context.catalogue.actions.values()})
    if plugin not in plugins:
        code, key, got, known = "E_UNKNOWN_PLUGIN", "plugin", plugin, plugins
    else:
        prefix = f"{plugin}."
        names = [one.removeprefix(prefix) for one in context.catalogue.actions]
        known = [one for one in names if f"{prefix}{one}" in context.catalogue.actions]
        code, key, got = "E_UNKNOWN_ACTION", "action", name
    sure = spelling.meant(got, known)
    fix = [{"op": "replace", "path": f"{node.path}/{key}", "value": sure}] if sure else None
    what = f"plugin {got[:60]!r}" if key == "plugin" else f"action {got[:60]!r} of {plugin}"
    message = f"There is no {what}.{spelling.suggestion(got, known)}"
    return Issue(code, f"{node.path}/{key}", message, expected=sure, got=got[:60], fix=fix)


def _listed(context: Context, node: Node) -> Iterator[Issue]:
    names = node.step.get("actions")
    for number, name in enumerate(names if isinstance(names, list) else ()):
        if not isinstance(name, str):
            continue
        path = f"{node.path}/actions/{number}"
        if name not in context.catalogue.actions:
            sure = spelling.meant(name, context.catalogue.actions)
            fix = [{"op": "replace", "path": path, "value": sure}] if sure else None
            near = ", ".join(context.catalogue.nearest(name))
            message = f"There is no action {name[:60]!r}. Nearest: {near}."
            yield Issue("E_UNKNOWN_ACTION", path, message, expected=sure, got=name[:60], fix=fix)
        elif not context.catalogue.is_granted(name):
            message = f"The agent was not granted {name}: grant it, or take it out of the list."
            yield Issue("E_NOT_GRANTED", path, message, got=name)


def _connection(context: Context, node: Node, action: Action) -> Iterator[Issue]:
    """Compare the connection with those of the owner, as they are now: at a start it refuses."""
    label, known = node.step.get("connection"), context.catalogue.connections
    if known is None or not isinstance(label, str):
        return
    path, named = f"{node.path}/connection", label.strip().lower()
    standing = {one.lower(): state for one, state in known.get(action.plugin, {}).items()}
    code, fix, expected = "W_NOT_CONNECTED", None, None
    if action.plugin not in known:
        message = f"{action.plugin} takes no connection: take the field out of the step."
        fix = [{"op": "remove", "path": path}]
    elif named not in standing:
        labels = list(known[action.plugin])
        expected = spelling.meant(label, labels)
        message = f"There is no connection {label[:60]!r} for {action.plugin}: add it."
        message += spelling.suggestion(label, labels)
        fix = [{"op": "replace", "path": path, "value": expected}] if expected else None
    elif standing[named] == "disabled":
        message = f"The connection {label[:60]} is switched off: a start would be refused."
    elif standing[named] == "reconnect":
        code = "W_CONNECTION_EXPIRED"
        message = f"The connection {label[:60]} has expired: give it its present password."
    else:
        return
    yield Issue(code, path, message, expected, label[:60], fix, severity="warning")


def _effect(node: Node, action: Action) -> Iterator[Issue]:
    wanted, present = node.step.get("effect"), effect_of(action, node.step.get("params"))
    if wanted in _STRICTNESS and _STRICTNESS.index(wanted) < _STRICTNESS.index(present):
        message = (
            f"{action.name} has the effect class {present}; a step may only be stricter: "
            "leave effect out."
        )
        path = f"{node.path}/effect"
        fix = [{"op": "remove", "path": path}]
        yield Issue("E_EFFECT_LOOSENED", path, message, expected=present, got=str(wanted), fix=fix)


def _cache(node: Node, action: Action) -> Iterator[Issue]:
    effect = node.step.get("effect") or effect_of(action, node.step.get("params"))
    if node.step.get("cache") is not None and effect != "pure":
        message = f"{action.name} changes something: it cannot be left out for an earlier result."
        path = f"{node.path}/cache"
        fix = [{"op": "remove", "path": path}]
        yield Issue("E_CACHE", path, message, expected="pure", got=str(effect), fix=fix)


def _retry(context: Context, node: Node, action: Action) -> Iterator[Issue]:
    if effect_of(action, node.step.get("params")) != "once":
        return
    defaults = context.document.get("defaults")
    own = "retry" in node.step
    retry = node.step.get("retry") if own else (defaults or {}).get("retry")
    if isinstance(retry, dict) and retry.get("max_attempts", 3) != 1:
        message = (
            f"{action.name} cannot be repeated safely: it is retried only if the request never "
            "left or was refused."
        )
        path = f"{node.path}/retry" if own else node.path
        yield Issue("W_RETRY_ONCE", path, message, severity="warning")


def _as_input(context: Context, node: Node, action: Action, issue: Issue) -> Issue:
    """Offer to ask for the parameter at each start."""
    name = issue.path.removeprefix(f"{node.path}/params/")
    wanted = parameters.wanted(action, (name,))
    kind = wanted.get("type")
    if kind == "array" and wanted.get("items", {}).get("type") in _PARAMETER_TYPES:
        part: dict[str, Any] = {"type": "array", "items": {"type": wanted["items"]["type"]}}
    elif kind in _PARAMETER_TYPES:
        part = {"type": kind}
    else:
        return issue
    part |= {key: wanted[key] for key in ("description", "format", "enum") if key in wanted}
    inputs = context.document.get("inputs")
    properties = inputs.get("properties") if isinstance(inputs, dict) else None
    taken = properties if isinstance(properties, dict) else {}
    free = name if name not in taken else f"{node.id}_{name}"
    fix = (
        [_added(inputs, free, part)]
        if not isinstance(properties, dict)
        else [
            {"op": "add", "path": "/inputs/properties" + pointer(free), "value": part},
            _required(inputs or {}, free),
        ]
    )
    if "params" not in node.step:
        fix.append({"op": "add", "path": f"{node.path}/params", "value": {}})
    fix.append({"op": "add", "path": issue.path, "value": f"{{{{inputs.{free}}}}}"})
    message = f"{issue.message} Fill it in, or make it an input."
    return Issue(issue.code, issue.path, message, issue.expected, issue.got, fix)


def _added(inputs: Any, name: str, part: dict[str, Any]) -> dict[str, Any]:
    written = inputs if isinstance(inputs, dict) else {}
    value = {"type": "object", **written, "properties": {name: part}, "required": [name]}
    return {"op": "add", "path": "/inputs", "value": value}


def _required(inputs: dict[str, Any], name: str) -> dict[str, Any]:
    if isinstance(inputs.get("required"), list):
        return {"op": "add", "path": "/inputs/required/-", "value": name}
    return {"op": "add", "path": "/inputs/required", "value": [name]}
