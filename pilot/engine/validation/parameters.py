"""The parameters of an action against its schema; a reference is judged by what it refers to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pilot.engine.language.catalogue import Action
from pilot.engine.language.formats import EXAMPLES
from pilot.engine.validation import conversions, schemas, types
from pilot.engine.validation.context import Context, Use, moved
from pilot.engine.validation.schemas import Schema
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

Keys = tuple[str | int, ...]


def check(context: Context, node: Node, action: Action, params: dict[str, Any]) -> Iterator[Issue]:
    """Yield E_PARAM_MISSING, E_PARAM_UNKNOWN, E_PARAM_TYPE and E_TYPE."""
    prefix = f"{node.path}/params"
    uses = {use.path: use for use in context.uses_of[id(node)] if use.path.startswith(prefix)}
    literal: Any = params
    for path, use in uses.items():
        keys = _keys(params, path.removeprefix(prefix))
        schema = wanted(action, keys)
        yield from _reference(context, use, schema, path)
        literal = _with(literal, keys, example(schema))
    for issue in action.check(literal):
        path = prefix + issue.path
        if not any(_related(path, known) for known in uses):
            yield moved(issue, lambda place: prefix + place)
        elif issue.code == "E_PARAM_UNKNOWN":  # what refers to something is moved, never dropped
            kept = [one for one in issue.fix or [] if one["op"] != "remove"]
            yield moved(replace(issue, fix=kept or None), lambda place: prefix + place)


def wanted(action: Action, keys: Keys) -> Schema:
    """Return the schema of a parameter, or of a place within one."""
    found = schemas.follow(schemas.params_of(action.params_model), keys)
    return schemas.ANY if isinstance(found, schemas.Missing) else found


def example(schema: Schema) -> Any:
    """Return a value that fits, to stand for one that is not there yet."""
    option = schemas.options(schema)[0]
    if option.get("enum"):
        return option["enum"][0]
    kind = option.get("type")
    if kind == "array":
        return [example(option.get("items", {}))] if option.get("minItems") else []
    if kind == "object":
        named = option.get("properties", {})
        return {name: example(named.get(name, {})) for name in option.get("required", ())}
    if kind in {"integer", "number"}:
        return option.get("minimum", option.get("maximum", 1))
    if kind == "string":
        return EXAMPLES.get(option.get("format", ""), "x" * max(option.get("minLength", 1), 1))
    return {"boolean": False}.get(str(kind), "x" if kind is None else None)


def _reference(context: Context, use: Use, schema: Schema, path: str) -> Iterator[Issue]:
    """Compare what a text gives with what the parameter takes."""
    if use.compiled.failed:
        return
    given = types.of_use(context, use)
    if schemas.fits(given, schema):
        return
    text = str(use.written.value)
    expected, got = schemas.in_words(schema), schemas.in_words(given)
    whole = types.whole_expression(text)
    if whole is None:
        message = f"This gives text; the parameter takes {expected}."
        listed = schemas.fits({"type": "array", "items": {"type": "string"}}, schema)
        fix = [{"op": "replace", "path": path, "value": [text]}] if listed else None
        yield Issue("E_PARAM_TYPE", path, message, expected=expected, got=got, fix=fix)
        return
    value = conversions.convert(whole, given, schema)
    fix = None if value is None else [{"op": "replace", "path": path, "value": value}]
    message = f"{whole.strip()[:80]} is {got}; the parameter takes {expected}."
    yield Issue("E_TYPE", path, message, expected=expected, got=got, fix=fix)


def _keys(params: Any, path: str) -> Keys:
    """Return the keys of a JSON Pointer; numbers are places in lists only."""
    found: list[str | int] = []
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        key: str | int = int(name) if isinstance(params, list) else name
        params = params[key]
        found.append(key)
    return tuple(found)


def _with(value: Any, keys: Keys, new: Any) -> Any:
    if not keys:
        return new
    if isinstance(value, list):
        return [_with(v, keys[1:], new) if n == keys[0] else v for n, v in enumerate(value)]
    return {**value, keys[0]: _with(value[keys[0]], keys[1:], new)}


def _related(path: str, known: str) -> bool:
    return path == known or known.startswith(f"{path}/") or path.startswith(f"{known}/")
