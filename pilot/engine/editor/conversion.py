"""Turns documents of older builders into ours, once, and says what was changed."""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, get_args

from pilot.engine import steps
from pilot.engine.editor import older_steps
from pilot.engine.language.step_fields import Intent
from pilot.engine.workflow.document import FORMAT
from pilot.errors import type_json

_STEP_LISTS = ("pilot_steps", "pilotSteps", "workflow_steps", "workflowSteps")
_KEPT = ("name", "description", "goal", "inputs", "output", "output_schema", "policies", "metadata")
_TYPES = {"text": "string", "textarea": "string", "select": "string", "file": "string"}
_FORMATS = {"email": "email", "url": "uri", "date": "date"}
_EXPRESSIONS = {"field", "input", "condition", "execute_if"}


@dataclass
class Conversion:
    """The converted document, and every change in words."""

    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def is_older(document: type_json) -> bool:
    """Say whether a document is of an older builder: a list of steps, or keys that only it had."""
    if isinstance(document, dict) and "format" in document:
        return False
    body = _body(document)
    if isinstance(document, dict) and "steps" not in document and body:
        return True
    found = [step for step in body if isinstance(step, dict)]
    return bool(found) and (isinstance(document, list) or any(map(_is_older_step, found)))


def convert(document: type_json) -> Conversion:
    """Return our document for an older one; what cannot be converted stays for the validator.

    Ids, order, names, conditions and declared dependencies survive. Steps without any dependency
    or reference are chained in their order.
    """
    source = deepcopy(document)
    body = [step for step in _body(source) if isinstance(step, dict)]
    result = Conversion({"format": FORMAT})
    if isinstance(source, dict):
        result.document |= {key: source[key] for key in _KEPT if source.get(key) is not None}
        _take_inputs(source, result)
    _give_ids(body, result)
    ids = {str(step["id"]) for step in body}
    converted = [older_steps.convert(step, result.notes) for step in body]
    _route(body, converted, result)
    converted = [_with_our_references(step, ids) for step in converted]
    _chain(converted, result)
    result.document["steps"] = converted
    if "output" in result.document:
        result.document["output"] = _rewritten(result.document["output"], ids, bare=False)
    return result


def _body(document: type_json) -> list[Any]:
    if isinstance(document, dict):
        lists = [document.get(key) for key in (*_STEP_LISTS, "steps")]
        document = next((one for one in lists if isinstance(one, list) and one), [])
    return document if isinstance(document, list) else []


def _is_older_step(step: dict[str, Any]) -> bool:
    kind = step.get("type")
    if older_steps.KEYS & step.keys():
        return True
    intents = set(get_args(Intent)) - set(steps.names())
    return kind == "plugin_action" or (isinstance(kind, str) and kind in intents)


def _take_inputs(source: dict[str, Any], result: Conversion) -> None:
    """A list of fields becomes a schema."""
    fields = source.get("input_schema", source.get("inputs"))
    if isinstance(fields, dict):
        result.document["inputs"] = fields
    if not isinstance(fields, list):
        return
    named = [one for one in fields if isinstance(one, dict) and isinstance(one.get("name"), str)]
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    for one in named:
        schema["properties"][one["name"]] = _property(one)
    required = [one["name"] for one in named if one.get("required") is True]
    if required:
        schema["required"] = required
    result.document["inputs"] = schema
    result.notes.append("The list of inputs became a schema.")


def _property(one: dict[str, Any]) -> dict[str, Any]:
    kind = str(one.get("type", "text"))
    found: dict[str, Any] = {"type": _TYPES.get(kind, kind if kind == "number" else "string")}
    if kind in _FORMATS:
        found["format"] = _FORMATS[kind]
    if isinstance(one.get("description"), str):
        found["description"] = one["description"]
    options = one.get("options")
    if isinstance(options, list) and options:
        found["enum"] = [o.get("value") if isinstance(o, dict) else o for o in options]
    return found


def _give_ids(body: list[dict[str, Any]], result: Conversion) -> None:
    taken = {step["id"] for step in body if isinstance(step.get("id"), str)}
    for number, step in enumerate(body, 1):
        if isinstance(step.get("id"), str) and step["id"]:
            continue
        name = f"step{number}"
        while name in taken:
            name += "_"
        taken.add(name)
        step["id"] = name
        result.notes.append(f"Step {number} got the id {name}.")


def _route(body: list[dict[str, Any]], converted: list[dict[str, Any]], result: Conversion) -> None:
    """Branches that named ids become conditions of those steps."""
    by_id = {step["id"]: step for step in converted}
    for step in body:
        for condition, names in _branches(step):
            for name in names:
                if name not in by_id:
                    missing = f"{step['id']} leads to {name}, which does not exist."
                    result.notes.append(missing)
                    older_steps.depend(by_id[step["id"]], name)  # E_BRANCH_TARGET says it
                    continue
                older_steps.require(by_id[name], condition)
                result.notes.append(f"{name} runs if {condition}.")


def _branches(step: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    source = f"steps.{step['id']}.output"
    for keys, condition in (
        (("trueBranch", "ifTrue", "true_branch"), f"{source}.result"),
        (("falseBranch", "ifFalse", "false_branch"), f"not {source}.result"),
    ):
        for key in keys:
            yield condition, _ids(step.get(key))
    for number, (_, target) in enumerate(older_steps.cases(step)):
        yield f"{source}.branch == 'case{number}'", _ids(target)
    if step.get("type") == "switch":
        yield f"{source}.branch == 'default'", _ids(step.get("default"))


def _ids(value: type_json) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, str)]


def _with_our_references(step: dict[str, Any], ids: set[str]) -> dict[str, Any]:
    kept = {"id", "type", "name", "dependencies"}
    switches = step.get("type") == "switch"
    ours = {key: value for key, value in step.items() if key in kept}
    for key in step.keys() - kept:
        ours[key] = _deep(step[key], ids, "input" if switches and key == "value" else key)
    return {key: ours[key] for key in step}


def _deep(value: type_json, ids: set[str], key: str) -> type_json:
    if isinstance(value, dict):
        return {name: _deep(inner, ids, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_deep(inner, ids, key) for inner in value]
    return _rewritten(value, ids, bare=key in _EXPRESSIONS)


def _rewritten(value: type_json, ids: set[str], *, bare: bool) -> type_json:
    """Rewrite references in a text: `{{step1.data.x}}` reads `{{steps.step1.output.x}}`."""
    if not isinstance(value, str):
        return value
    names = "|".join(sorted(map(re.escape, ids), key=len, reverse=True))
    pattern = re.compile(
        rf"(?<![\w.'\"\]])({names}|input|current)\b(?:\.(?:data|output)\b)?(?!\s*\()"
    )

    def ours(match: re.Match[str]) -> str:
        if match[1] in ids:
            return f"steps.{match[1]}.output"
        return {"input": "inputs", "current": "item"}[match[1]]

    if bare and "{{" not in value:
        return pattern.sub(ours, value)
    return re.sub(r"\{\{.*?\}\}", lambda found: pattern.sub(ours, found[0]), value)


def _chain(converted: list[dict[str, Any]], result: Conversion) -> None:
    if any(step.get("dependencies") or _refers(step) for step in converted):
        return
    for before, step in pairwise(converted):
        step["dependencies"] = [before["id"]]
    if len(converted) > 1:
        result.notes.append("No step named another: they were chained in their order.")


def _refers(value: type_json) -> bool:
    if isinstance(value, dict):
        return any(map(_refers, value.values()))
    if isinstance(value, list):
        return any(map(_refers, value))
    return isinstance(value, str) and bool(re.search(r"\bsteps\.\w+\.", value))
