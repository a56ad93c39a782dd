"""One step of an older builder: its keys, types and units in ours."""

import re
from collections.abc import Mapping
from typing import Any

from pilot.errors import type_json
from pilot.older import shapes

# What older builders called their steps is history: a new step type of ours adds nothing to it.
TYPES = frozenset(
    {
        *("action", "ai_processing", "llm_decision", "conditional", "switch", "loop"),
        *("parallel_group", "scatter_gather", "enrichment", "validation", "comparison"),
        *("transform", "delay", "sub_workflow", "human_approval"),
    }
)
INTENTS = frozenset(
    {"extract", "summarize", "generate", "validate", "send", "aggregate", "filter", "enrich"}
)
# Keys that only older builders wrote.
KEYS = frozenset(
    {
        *("plugin_action", "executeIf", "continueOnError", "retryPolicy", "rollbackAction"),
        *("trueBranch", "falseBranch", "ifTrue", "ifFalse", "evaluate", "conditionType"),
        *("dependsOn", "duration", "approvalType", "onTimeout", "outputSchema", "requireComment"),
        *("iterateOver", "loopSteps", "scatter", "workflowSteps", "workflowId"),
        *("onValidationFail", "joinOn", "mergeArrays", "escalateTo"),
    }
)
TRUE_BRANCHES = ("trueBranch", "ifTrue", "true_branch")
FALSE_BRANCHES = ("falseBranch", "ifFalse", "false_branch")
_RENAMED = {
    "executeIf": "execute_if",
    "dependsOn": "dependencies",
    "depends_on": "dependencies",
    "outputSchema": "output_schema",
    "approvalType": "rule",
    "onTimeout": "on_timeout",
    "requireComment": "require_comment",
    "allowDelegate": "allow_delegate",
    "maxIterations": "max_iterations",
    "maxConcurrency": "max_concurrency",
    "evaluate": "value",
    "iterateOver": "items",
    "loopSteps": "steps",
    "itemVariable": "item_name",
    "workflowId": "agent",
    "onValidationFail": "on_invalid",
    "joinOn": "join_on",
}
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
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_BRACED = re.compile(r"\{\{([^{}]*)\}\}")
_JOINS = {"complex_and": "and", "complex_or": "or"}
_OPERATORS = {
    "eq": "equals",
    "ne": "not_equals",
    "neq": "not_equals",
    "gt": "greater_than",
    "gte": "greater_than_or_equal",
    "lt": "less_than",
    "lte": "less_than_or_equal",
    "is_not_null": "exists",
    "not_null": "exists",
    "===": "==",
    "!==": "!=",
}


def is_older(step: dict[str, Any]) -> bool:
    """Say whether an older builder wrote a step."""
    kind = step.get("type")
    return bool(KEYS & step.keys()) or (
        isinstance(kind, str) and (kind == "plugin_action" or kind in INTENTS)
    )


def clean_id(name: str) -> str:
    """Return an id with what may stand in one; one that may stand so already stays."""
    if _ID.fullmatch(name):
        return name
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
    return cleaned if cleaned[:1].isalpha() else f"_{cleaned}"


def convert(step: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return our step for an older one, which reads its data as we do already."""
    routes = {*TRUE_BRANCHES, *FALSE_BRANCHES}
    ours = {_RENAMED.get(key, key): value for key, value in step.items() if key not in routes}
    ours.pop("conditionType", None)
    for key in ("timeout", "timeoutMs"):
        if shapes.is_number(ours.get(key)):
            ours["timeout_s"] = shapes.seconds(ours.pop(key))
    _set_type(ours)
    _set_failure(ours, notes)
    _set_undo(ours, notes)
    for key in ("execute_if", "condition"):
        if key in ours:
            ours[key] = _condition(ours[key])
    shape = shapes.OF_TYPE.get(str(ours.get("type")))
    if shape is not None:
        shape(ours, notes)
    if ours != step:
        notes.append(_told(step, ours))
    first = [key for key in ("id", "type", "name", "plugin", "action") if key in ours]
    return {key: ours[key] for key in (*first, *ours)}


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
    before = step.get("dependencies")
    step["dependencies"] = [*(before if isinstance(before, list) else []), name]


def _told(step: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Say what became of the keys of a step."""
    kind = str(ours.get("type", "without a type"))[:60]
    before = step.get("type", step.get("step_type"))
    now = step["id"]
    if before != kind:
        now += f" ({before[:60]})" if isinstance(before, str) else ""
        now += f" is now {kind}"
    gone = [key[:60] for key in step if key not in ours and key != "step_type"]
    new = [key for key in ours if key not in step and key != "type"]
    if gone and new:
        return f"{now}: {', '.join(gone)} became {', '.join(new)}."
    if gone:
        return f"{now}, without {', '.join(gone)}."
    return f"{now}: its values read as ours do." if now == step["id"] else f"{now}."


def _set_type(ours: dict[str, Any]) -> None:
    kind = ours.get("type", ours.get("step_type"))
    name = kind if isinstance(kind, str) else ""
    if "plugin_action" in ours or name == "plugin_action":
        plugin, _, action = str(ours.pop("plugin_action", "")).rpartition(".")
        ours["type"] = "action"
        ours.setdefault("action", action)
        ours.setdefault("plugin", plugin)
    elif name in INTENTS:
        ours |= {"type": "ai_processing", "intent": name}
    elif "type" not in ours and name in TYPES:
        ours["type"] = name
    elif "type" not in ours and ours.get("plugin") and ours.get("action"):
        ours["type"] = "action"
    if "type" in ours:
        ours.pop("step_type", None)


def _set_failure(ours: dict[str, Any], notes: list[str]) -> None:
    if ours.pop("continueOnError", False) is True:
        ours["on_error"] = "continue"
    answer = ours.pop("onError", None)
    if answer in ("continue", "return_error"):
        ours["on_error"] = "continue"
    elif answer not in (None, "fail"):
        notes.append(f"{ours['id']}: its onError was left out.")
    policy = ours.pop("retryPolicy", None)
    if isinstance(policy, dict):
        ours["retry"] = _retry(policy)


def _set_undo(ours: dict[str, Any], notes: list[str]) -> None:
    undo = ours.pop("rollbackAction", None)
    if not undo:
        return
    named = undo if isinstance(undo, dict) else {}
    whole = str(named.get("plugin_action", named.get("action", "")))
    plugin, _, action = whole.rpartition(".")
    plugin = str(named.get("plugin") or plugin or ours.get("plugin") or "")
    if not (plugin and action):
        notes.append(f"{ours['id']}: its rollbackAction was left out; add a step that undoes it.")
        return
    params = named.get("params")
    ours["compensate"] = {"plugin": plugin, "action": action}
    ours["compensate"] |= {"params": params} if isinstance(params, dict) else {}


def _retry(policy: dict[str, Any]) -> dict[str, Any]:
    retry: dict[str, Any] = {}
    if isinstance(policy.get("maxRetries"), int):
        retry["max_attempts"] = min(max(policy["maxRetries"], 0) + 1, 10)
    if shapes.is_number(policy.get("backoffMs")):
        retry["base_s"] = shapes.seconds(policy["backoffMs"])
    if policy.get("exponentialBackoff") is False:
        retry["factor"] = 1
    named = policy.get("retryableErrors")
    if isinstance(named, list):
        classes = [_CLASSES.get(str(one).lower()) for one in named]
        retry["retry_on"] = list(dict.fromkeys(one for one in classes if one))
    return retry


def _condition(value: type_json) -> type_json:
    """Leave out conditionType; what it chose shows in the keys."""
    if isinstance(value, str):
        return _BRACED.sub(r"\1", value).strip().replace("!==", "!=").replace("===", "==")
    if isinstance(value, list):
        return [_condition(one) for one in value]
    if not isinstance(value, dict):
        return value
    chosen = value.get("conditionType")
    groups = {
        key: inner if key in {"field", "value", "operator"} else _condition(inner)
        for key, inner in value.items()
        if key != "conditionType"
    }
    if isinstance(groups.get("operator"), str):
        groups["operator"] = _OPERATORS.get(groups["operator"], groups["operator"])
    if isinstance(chosen, str) and chosen in _JOINS and isinstance(groups.get("conditions"), list):
        return {_JOINS[chosen]: groups["conditions"]}
    if chosen == "complex_not" and set(groups) <= {"condition", "conditions"}:
        (inner,) = list(groups.values())[:1] or [None]
        return {"not": inner[0] if isinstance(inner, list) and len(inner) == 1 else inner}
    return groups["conditions"] if set(groups) == {"conditions"} else groups
