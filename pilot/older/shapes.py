"""What older builders wrote differently in steps of one type."""

import re
from collections.abc import Callable
from typing import Any

from pilot.errors import type_json

_MOST = 10**15  # milliseconds: beyond all that any limit allows
_REDUCED = frozenset({"sum", "count", "avg", "min", "max", "concat", "merge"})
_ROOTS = "steps|inputs|item|index|loop|memory|execution|error"
_PATH = re.compile(rf"(?:{_ROOTS})(?:[.\[].*)?", re.DOTALL)


def is_number(value: type_json) -> bool:
    """Say whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def seconds(milliseconds: float) -> float:
    """Return seconds for milliseconds."""
    return max(min(milliseconds, _MOST), -_MOST) / 1000


def _leave_out(ours: dict[str, Any], notes: list[str], *keys: str) -> None:
    notes += [f"{ours['id']}: its {key} was left out." for key in keys if ours.pop(key, None)]


def _action(ours: dict[str, Any], _notes: list[str]) -> None:
    if isinstance(ours.get("operation"), str):
        ours.setdefault("name", ours.pop("operation")[:120])
        ours.pop("operation", None)


def _model(ours: dict[str, Any], _notes: list[str]) -> None:
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


def _switch(ours: dict[str, Any], _notes: list[str]) -> None:
    """Cases were an object of values and ids; the ids became conditions of their steps."""
    if isinstance(ours.get("cases"), dict):
        ours["cases"] = [{"when": value, "steps": []} for value in ours["cases"]]
        ours.pop("default", None)
    value = ours.get("value")
    if isinstance(value, str) and (whole := re.fullmatch(r"\{\{(.*)\}\}", value)):
        ours["value"] = whole[1].strip()


def _delay(ours: dict[str, Any], _notes: list[str]) -> None:
    for key in ("duration", "delayMs", "delay_ms", "ms"):
        if is_number(ours.get(key)):
            ours["for_s"] = seconds(ours.pop(key))


def _approval(ours: dict[str, Any], notes: list[str]) -> None:
    ours["approvers"] = _people(ours.get("approvers")) or ["owner"]
    ours.setdefault("title", str(ours.get("name") or ours["id"])[:200])
    above = _people(ours.pop("escalateTo", None))
    if above:
        ours.setdefault("escalation", [{"approvers": above}])
    if isinstance(ours.get("require_comment"), bool):
        ours["require_comment"] = "always" if ours["require_comment"] else "never"
    _leave_out(ours, notes, "notificationChannels")


def _people(named: type_json) -> list[str]:
    listed = named if isinstance(named, list) else [named] if isinstance(named, str) else []
    texts = [one for one in listed if isinstance(one, str)]
    return [one if ":" in one or one == "owner" else f"user:{one}" for one in texts]


def _loop(ours: dict[str, Any], notes: list[str]) -> None:
    _leave_out(ours, notes, "parallel")


def _group(ours: dict[str, Any], _notes: list[str]) -> None:
    """Each of its steps is a branch."""
    found = ours.get("steps")
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        del ours["steps"]
        ours.setdefault("branches", {one["id"]: [one] for one in found})


def _scatter(ours: dict[str, Any], notes: list[str]) -> None:
    scatter = ours.get("scatter")
    if isinstance(scatter, dict):
        del ours["scatter"]
        keys = {"input": "items", "steps": "steps", "maxConcurrency": "max_concurrency"}
        keys["itemVariable"] = "item_name"
        ours |= {keys[key]: value for key, value in scatter.items() if key in keys}
        unknown = [key[:60] for key in scatter if key not in keys]
        if unknown:
            notes.append(f"{ours['id']}: {', '.join(unknown)} of its scatter was left out.")
    gather = ours.get("gather")
    if isinstance(gather, dict):
        kept = {key: gather[key] for key in gather if key not in {"outputKey", "reduceExpression"}}
        reduced = gather.get("reduceExpression")
        if isinstance(reduced, str) and reduced in _REDUCED:
            kept["op"] = reduced
        elif reduced:
            kept["reduceExpression"] = reduced  # the validator says what there is instead
        ours["gather"] = kept


def _enrichment(ours: dict[str, Any], _notes: list[str]) -> None:
    if ours.get("strategy", "merge") == "merge":
        ours["strategy"] = "by_key"
    arrays = ours.pop("mergeArrays", None)
    if arrays is True:
        ours["arrays"] = "concat"


def _comparison(ours: dict[str, Any], notes: list[str]) -> None:
    """A side without braces that is no path was a literal text."""
    for side in ("left", "right"):
        value = ours.get(side)
        if isinstance(value, str) and "{{" not in value and not _PATH.fullmatch(value.strip()):
            escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
            ours[side] = f"'{escaped}'"
    _leave_out(ours, notes, "outputFormat")


def _workflow(ours: dict[str, Any], notes: list[str]) -> None:
    _leave_out(ours, notes, "outputMapping", "inheritContext")


OF_TYPE: dict[str, Callable[[dict[str, Any], list[str]], None]] = {
    "action": _action,
    "ai_processing": _model,
    "llm_decision": _model,
    "switch": _switch,
    "delay": _delay,
    "human_approval": _approval,
    "loop": _loop,
    "parallel_group": _group,
    "scatter_gather": _scatter,
    "enrichment": _enrichment,
    "comparison": _comparison,
    "sub_workflow": _workflow,
}
