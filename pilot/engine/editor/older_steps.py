"""One step of an older builder: its keys, types and units in ours."""

import re
from typing import Any, get_args

from pilot.engine import steps
from pilot.engine.language.step_fields import Intent
from pilot.errors import type_json

# Keys that only older builders wrote.
KEYS = {
    *("plugin_action", "executeIf", "continueOnError", "retryPolicy", "rollbackAction"),
    *("trueBranch", "falseBranch", "ifTrue", "ifFalse", "evaluate", "conditionType", "dependsOn"),
    *("duration", "approvalType", "onTimeout", "outputSchema", "requireComment"),
}
_RENAMED = {
    "executeIf": "execute_if",
    "dependsOn": "dependencies",
    "outputSchema": "output_schema",
    "approvalType": "rule",
    "onTimeout": "on_timeout",
    "requireComment": "require_comment",
    "maxIterations": "max_iterations",
    "evaluate": "value",
}
_ROUTES = {"trueBranch", "falseBranch", "ifTrue", "ifFalse", "true_branch", "false_branch"}
_MILLISECONDS = {"timeout": "timeout_s", "timeoutMs": "timeout_s"}
_CLASSES = {
    "timeout": "timeout",
    "etimedout": "timeout",
    "rate_limit": "rate_limit",
    "429": "rate_limit",
    "network": "network",
    "econnreset": "network",
    "econnrefused": "network",
    "server_error": "server",
    "server": "server",
    "500": "server",
    "502": "server",
    "503": "server",
    "conflict": "conflict",
}


def convert(step: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return our step for an older one; its references stay as they are."""
    ours = {_RENAMED.get(key, key): value for key, value in step.items() if key not in _ROUTES}
    ours.pop("conditionType", None)
    for key, seconds in _MILLISECONDS.items():
        if isinstance(ours.get(key), int | float):
            ours[seconds] = ours.pop(key) / 1000
    _set_type(ours)
    _set_failure(ours, notes)
    for key in ("execute_if", "condition"):
        if key in ours:
            ours[key] = _condition(ours[key])
    _SHAPES.get(str(ours.get("type")), lambda _: None)(ours)
    if ours != step:
        notes.append(f"{step['id']} is now {ours.get('type', 'without a type')}.")
    return ours


def cases(step: dict[str, Any]) -> list[tuple[type_json, type_json]]:
    """Return value and target ids of each case of an older switch."""
    found = step.get("cases")
    if step.get("type") != "switch" or not isinstance(found, dict):
        return []
    return list(found.items())


def require(step: dict[str, Any], condition: str) -> None:
    """Let a step run only where this holds, besides what it required before."""
    before = step.get("execute_if")
    step["execute_if"] = condition if before is None else {"and": [before, condition]}


def depend(step: dict[str, Any], name: str) -> None:
    """Add a dependency."""
    step["dependencies"] = [*step.get("dependencies", []), name]


def _set_type(ours: dict[str, Any]) -> None:
    kind = ours.get("type", ours.get("step_type"))
    if "plugin_action" in ours or kind == "plugin_action":
        plugin, _, action = str(ours.pop("plugin_action", "")).rpartition(".")
        ours["type"] = "action"
        ours.setdefault("action", action)
        ours.setdefault("plugin", plugin)
        ours.pop("step_type", None)
    elif kind in [name for name in get_args(Intent) if name not in steps.names()]:
        ours |= {"type": "ai_processing", "intent": kind}
        ours.pop("step_type", None)
    elif "type" not in ours and kind in steps.names():
        ours["type"] = ours.pop("step_type")
    elif "type" not in ours and ours.get("plugin") and ours.get("action"):
        ours["type"] = "action"
        ours.pop("step_type", None)


def _set_failure(ours: dict[str, Any], notes: list[str]) -> None:
    if ours.pop("continueOnError", False) is True:
        ours["on_error"] = "continue"
    policy = ours.pop("retryPolicy", None)
    if isinstance(policy, dict):
        ours["retry"] = _retry(policy)
    if ours.pop("rollbackAction", None):
        notes.append(f"{ours['id']}: its rollbackAction was left out; add a step that undoes it.")


def _retry(policy: dict[str, Any]) -> dict[str, Any]:
    retry: dict[str, Any] = {}
    if isinstance(policy.get("maxRetries"), int):
        retry["max_attempts"] = min(max(policy["maxRetries"], 0) + 1, 10)
    if isinstance(policy.get("backoffMs"), int | float):
        retry["base_s"] = policy["backoffMs"] / 1000
    if policy.get("exponentialBackoff") is False:
        retry["factor"] = 1
    named = policy.get("retryableErrors")
    if isinstance(named, list):
        classes = [_CLASSES.get(str(one).lower()) for one in named]
        retry["retry_on"] = list(dict.fromkeys(one for one in classes if one))
    return retry


def _action(ours: dict[str, Any]) -> None:
    if isinstance(ours.get("operation"), str):
        ours.setdefault("name", ours.pop("operation")[:120])
        ours.pop("operation", None)


def _model(ours: dict[str, Any]) -> None:
    """Its prompt stood in params, or was the operation."""
    operation = ours.pop("operation", None)
    params = ours.pop("params", None)
    params = params if isinstance(params, dict) else {}
    prompt = ours.get("prompt") or params.pop("prompt", None) or operation or ours.get("name")
    if isinstance(prompt, str):
        ours["prompt"] = prompt
    if isinstance(operation, str) and operation != prompt:
        ours.setdefault("name", operation[:120])
    data = params.pop("input", params.pop("data", None))
    if data is not None:
        ours.setdefault("input", data)
    if isinstance(params.get("output_schema"), dict):
        ours.setdefault("output_schema", params["output_schema"])
    ours.pop("plugin", None)
    ours.pop("action", None)


def _switch(ours: dict[str, Any]) -> None:
    """Cases were an object of values and ids; the ids became conditions of their steps."""
    if isinstance(ours.get("cases"), dict):
        ours["cases"] = [{"when": value, "steps": []} for value in ours["cases"]]
        ours.pop("default", None)
    value = ours.get("value")
    if isinstance(value, str) and (whole := re.fullmatch(r"\{\{(.*)\}\}", value)):
        ours["value"] = whole[1].strip()


def _delay(ours: dict[str, Any]) -> None:
    for key in ("duration", "delayMs", "delay_ms", "ms"):
        if isinstance(ours.get(key), int | float):
            ours["for_s"] = ours.pop(key) / 1000


def _approval(ours: dict[str, Any]) -> None:
    named = ours.get("approvers")
    listed = named if isinstance(named, list) else [named] if isinstance(named, str) else []
    texts = [one for one in listed if isinstance(one, str)]
    ours["approvers"] = [
        one if ":" in one or one == "owner" else f"user:{one}" for one in texts
    ] or ["owner"]


_SHAPES = {
    "action": _action,
    "ai_processing": _model,
    "llm_decision": _model,
    "switch": _switch,
    "delay": _delay,
    "human_approval": _approval,
}


def _condition(value: type_json) -> type_json:
    """Leave out conditionType; what it chose shows in the keys."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if key != "conditionType"}
        groups = {
            key: [_condition(one) for one in inner] if isinstance(inner, list) else inner
            for key, inner in kept.items()
        }
        return groups.get("conditions", groups) if set(groups) == {"conditions"} else groups
    return value
