"""The shape in which models write a workflow: one fixed flat schema, and its way to our document.

The schema never changes with a request, so providers compile and cache it once. It has no unions,
recursion or free dictionaries, which strict modes refuse: nesting is named by `parent`, values of
parameters are JSON texts. What is right is the validator's to say.
"""

from typing import Any

from pilot import strictjson
from pilot.engine.workflow.document import FORMAT
from pilot.errors import BadJsonError, Issue, type_json

_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


SCHEMA = _closed(
    reasoning=_TEXT,
    name=_TEXT,
    description=_TEXT,
    inputs=_list(_closed(name=_TEXT, type=_TEXT, required={"type": "boolean"}, description=_MAYBE)),
    steps=_list(
        _closed(
            id=_TEXT,
            type=_TEXT,
            action=_MAYBE,
            parent=_MAYBE,
            needs=_list(_TEXT),
            when=_MAYBE,
            intent=_MAYBE,
            prompt=_MAYBE,
            params=_list(_closed(name=_TEXT, value=_TEXT)),
        )
    ),
    output=_MAYBE,
    questions=_list(_closed(parameter=_TEXT, text=_TEXT)),
    confidence={"type": "integer"},
)

_JSON_TYPES = {"boolean", "integer", "array", "object", "string", "number"}
_FORMATS = {"email": "email", "date": "date", "url": "uri"}


def is_flat(value: type_json) -> bool:
    """Say whether a decoded answer has this shape, also where details of it are wrong."""
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        return False
    steps = [one for one in value["steps"] if isinstance(one, dict)]
    return any("parent" in one or isinstance(one.get("params"), list) for one in steps)


def to_document(value: dict[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """Return the document that a flat answer means, and what of it has no place there.

    Nothing is dropped: a step whose parent is unknown stands at the top, with an issue.
    """
    document: dict[str, Any] = {"format": FORMAT, "steps": []}
    document |= {key: value[key] for key in ("name", "description") if value.get(key)}
    inputs = _inputs(value.get("inputs"))
    if inputs:
        document["inputs"] = inputs
    given = [one for one in value["steps"] if isinstance(one, dict)]
    steps = [_step(one) for one in given]
    by_id = {str(one.get("id")): step for one, step in zip(given, steps, strict=True)}
    parents = {str(one.get("id")): _parent(one) for one in given}
    lost: list[dict[str, Any]] = []
    for one, step in zip(given, steps, strict=True):
        body = None if _circles(str(one.get("id")), parents) else _body(one.get("parent"), by_id)
        if body is None and one.get("parent"):
            lost.append(step)
        (document["steps"] if body is None else body).append(step)
    if value.get("output"):
        document["output"] = _value(value["output"])
    top = [id(step) for step in document["steps"]]
    return document, [_lost(step["id"], top.index(id(step))) for step in lost]


def _parent(one: dict[str, Any]) -> str:
    return str(one.get("parent") or "").partition("/")[0]


def _circles(name: str, parents: dict[str, str]) -> bool:
    """Say whether a step stands, through its parents, in itself."""
    at, seen = name, set[str]()
    while at := parents.get(at, ""):
        if at == name or at in seen:
            return True
        seen.add(at)
    return False


def _lost(name: type_json, place: int) -> Issue:
    text = f"Step {name} stands in a branch that does not exist."
    expected = (
        "the id of a conditional with /then or /else, of a switch with /<value> or /default, of a "
        "loop or scatter_gather with /steps, of a parallel_group with the name of a branch"
    )
    return Issue("E_BRANCH_TARGET", f"/steps/{place}", text, expected)


def _inputs(given: type_json) -> dict[str, Any] | None:
    fields = _named(given)
    if not fields:
        return None
    properties = {str(one["name"]): _property(one) for one in fields}
    required = [str(one["name"]) for one in fields if one.get("required")]
    return {"type": "object", "properties": properties, "required": required}


def _property(one: dict[str, Any]) -> dict[str, Any]:
    kind = str(one.get("type") or "string")
    found: dict[str, Any] = {"type": kind if kind in _JSON_TYPES else "string"}
    if kind in _FORMATS:
        found["format"] = _FORMATS[kind]
    if one.get("description"):
        found["description"] = one["description"]
    return found


def _step(one: dict[str, Any]) -> dict[str, Any]:
    """Return our step of a flat one, without those that stand in it."""
    kind = one.get("type")
    step: dict[str, Any] = {"id": one.get("id"), "type": kind}
    if one.get("needs"):
        step["dependencies"] = one["needs"]
    if one.get("when"):
        step["execute_if"] = one["when"]
    params = _params(one.get("params"))
    if one.get("action"):
        plugin, _, action = str(one["action"]).rpartition(".")
        step |= {"type": "action", "plugin": plugin, "action": action, "params": params}
        return step
    for key in ("prompt", "intent"):
        if one.get(key):
            step[key] = one[key]
    if kind == "switch":
        step["cases"] = []
    elif kind == "conditional":
        step["then"] = []
    return step | {name: value for name, value in params.items() if name not in {"id", "type"}}


def _params(given: type_json) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    return {str(one["name"]): _value(one.get("value")) for one in _named(given)}


def _named(given: type_json) -> list[dict[str, Any]]:
    found = given if isinstance(given, list) else []
    return [one for one in found if isinstance(one, dict) and one.get("name")]


def _value(text: type_json) -> type_json:
    """Return what a JSON text says; a text that is no JSON is meant as it stands."""
    if not isinstance(text, str):
        return text
    try:
        return strictjson.loads(text)
    except BadJsonError:
        return text


def _body(parent: type_json, by_id: dict[str, Any]) -> list[Any] | None:
    """Return the list of steps that a step belongs into: its parent's branch, or None."""
    if not isinstance(parent, str) or not parent:
        return None
    name, _, branch = parent.partition("/")
    holder = by_id.get(name)
    if holder is None:
        return None
    if holder["type"] == "conditional" and (branch or "then") in {"then", "else"}:
        return _list_in(holder, branch or "then")
    if holder["type"] == "switch" and branch:
        return _case(holder, branch)
    if holder["type"] in {"loop", "scatter_gather", "sub_workflow"}:
        return _list_in(holder, "steps")
    branches = holder.setdefault("branches", {}) if holder["type"] == "parallel_group" else None
    return _list_in(branches, branch) if branch and isinstance(branches, dict) else None


def _list_in(holder: dict[str, Any], name: str) -> list[Any] | None:
    found = holder.setdefault(name, [])
    return found if isinstance(found, list) else None


def _case(holder: dict[str, Any], branch: str) -> list[Any]:
    if branch == "default":
        default: list[Any] = holder.setdefault("default", [])
        return default
    when = _value(branch)
    found = next((one for one in holder["cases"] if one["when"] == when), None)
    if found is None:
        found = {"when": when, "steps": []}
        holder["cases"].append(found)
    steps: list[Any] = found["steps"]
    return steps
