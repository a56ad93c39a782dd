"""Says what is wrong with a written operation, and how it surely can be repaired."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pilot.engine.language.spelling import meant, suggestion
from pilot.engine.transforms.checks import pointer
from pilot.engine.transforms.fields import Config
from pilot.engine.transforms.incoming import kind_of
from pilot.engine.transforms.registry import OPERATIONS
from pilot.errors import Issue, type_json

Path = tuple[str | int, ...]

_BOUNDS = ("too_", "string_too_", "greater_than", "less_than")


def operation_issues(written: type_json, number: int) -> list[Issue]:
    """Return what is wrong around the configuration: the name of the operation, unknown keys."""
    if not isinstance(written, dict):
        message = 'An operation is an object: {"operation": .., "config": {..}}.'
        return [Issue("E_SCHEMA", pointer(number), message, expected="an object")]
    issues = [
        _unknown_key(name, ["operation", "config"], written, (number,))
        for name in written
        if name not in {"operation", "config"}
    ]
    name = written.get("operation")
    if not isinstance(name, str) or name not in OPERATIONS:
        issues.append(_unknown_operation(name, number))
    if not isinstance(written.get("config", {}), dict):
        message = "config must be an object."
        issues.append(Issue("E_SCHEMA", pointer(number, "config"), message, expected="an object"))
    return issues


def config_issues(
    error: ValidationError, model: type[Config], config: dict[str, Any], number: int
) -> list[Issue]:
    """Return an issue for each place of a configuration that is wrong."""
    found: dict[str, Issue] = {}
    for problem in error.errors(include_url=False):
        place = _place(problem, config)
        for issue in _issues(problem, model, config, (number, "config"), place):
            found.setdefault(issue.path, issue)
    return list(found.values())


def _unknown_operation(name: type_json, number: int) -> Issue:
    path, known = pointer(number, "operation"), list(OPERATIONS)
    if not isinstance(name, str):
        message = f"The operation is missing. It is one of: {', '.join(known)}."
        return Issue("E_SCHEMA", path, message, expected="an operation")
    sure = meant(name, known)
    fix = [{"op": "replace", "path": path, "value": sure}] if sure else None
    message = f"There is no operation {name[:60]!r}.{suggestion(name, known)}"
    return Issue("E_SCHEMA", path, message, expected=sure, got=name[:60], fix=fix)


def _unknown_key(name: str, known: list[str], around: dict[str, Any], path: Path) -> Issue:
    place = pointer(*path, name)
    sure = meant(name, [one for one in known if one not in around])
    fix = [{"op": "move", "from": place, "path": pointer(*path, sure)}] if sure else None
    message = f"There is no field {name[:60]!r} here. It takes: {', '.join(known)}."
    return Issue("E_SCHEMA", place, message, expected=sure, got=name[:60], fix=fix)


def _place(problem: ErrorDetails, config: type_json) -> Path:
    """Return the keys to the wrong value; pydantic names the members of unions between them."""
    place: list[str | int] = []
    value = config
    for part in problem["loc"]:
        inside = isinstance(value, dict) and part in value
        if inside or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            place.append(part)
            value = value[part]
    if problem["type"] == "missing":
        place.append(problem["loc"][-1])
    return tuple(place)


def _issues(
    problem: ErrorDetails, model: type[Config], config: dict[str, Any], path: Path, place: Path
) -> Iterator[Issue]:
    kind, context = problem["type"], problem.get("ctx", {})
    where = pointer(*path, *place)
    if kind == "issues":  # of a structured condition
        yield from (_placed(issue, where) for issue in context["issues"])
    elif kind == "expression":
        column = context["column"]
        reason = context["reason"] + (f" (column {column})" if column else "")
        yield Issue("E_EXPRESSION", where, reason)
    elif kind == "extra_forbidden":
        known = _known_keys(model, place[:-1])
        yield _unknown_key(str(place[-1]), known, _at(config, place[:-1]), (*path, *place[:-1]))
    elif kind == "value_error":  # the sentence of a model's own check
        yield Issue("E_SCHEMA", where, str(context["error"]))
    else:
        yield _misfit(problem, where, _at(config, place), place)


def _placed(issue: Issue, where: str) -> Issue:
    """Return an issue of an inner value as one of the whole."""
    fix = issue.fix and [
        {key: where + part if key in {"path", "from"} else part for key, part in step.items()}
        for step in issue.fix
    ]
    return replace(issue, path=where + issue.path, fix=fix)


def _misfit(problem: ErrorDetails, where: str, found: type_json, place: Path) -> Issue:
    name = next((str(key) for key in reversed(place) if isinstance(key, str)), "config")
    if problem["type"] == "missing":
        return Issue("E_SCHEMA", where, f"{name} is missing: add it.", expected=name)
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    got = repr(found[:60]) if isinstance(found, str) else kind_of(found)
    fix: list[dict[str, Any]] | None = None
    if problem["type"] == "list_type" and isinstance(found, str):
        fix = [{"op": "replace", "path": where, "value": [found]}]
    elif problem["type"] == "literal_error" and isinstance(found, str):
        sure = meant(found, re.findall(r"'([^']*)'", problem["ctx"]["expected"]))
        fix = [{"op": "replace", "path": where, "value": sure}] if sure else None
    code = "E_LIMIT" if problem["type"].startswith(_BOUNDS) else "E_SCHEMA"
    message = f"{name} must be {expected}; it is {got}."
    return Issue(code, where, message, expected=expected, got=got, fix=fix)


def _known_keys(model: type[Config], place: Path) -> list[str]:
    """Return the keys of the configuration at a place; indices and free names lead no further."""
    models: list[type[BaseModel]] = [model]
    for key in place:
        fields = [pair for one in models for pair in one.model_fields.items()]
        inner = [field.annotation for name, field in fields if key in {name, field.alias}]
        models = [one for annotation in inner for one in _models(annotation)] or models
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _at(value: type_json, place: Path) -> type_json:
    for key in place:
        if isinstance(value, dict) and key not in value:
            return None
        value = value[key]
    return value
