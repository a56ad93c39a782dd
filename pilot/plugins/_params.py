"""Checks parameters against their shape, and says what is wrong with which fix."""

import re
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, to_json

from pilot import strictjson
from pilot.errors import Issue, type_json


class Model(BaseModel):
    """Base of every params and output shape: unknown fields are refused.

    Its checks are built with its first use: a process uses few of all that it knows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


M = TypeVar("M", bound=BaseModel)


def read(name: str, shape: type[M], params: type_json) -> tuple[M | None, list[Issue]]:
    """Return params in their shape, or every missing, unknown or mistyped one.

    Strict JSON typing: dates and enums come as text, but "5" is no number. Paths start at the
    params; `name` is what takes them.
    """
    model: M | None = None
    issues: list[Issue] = []
    try:
        model = shape.model_validate_json(to_json(params), strict=True)
    except ValidationError as error:
        issues = [
            _issue(name, shape, problem, params) for problem in error.errors(include_url=False)
        ]
    if isinstance(params, dict):
        required = properties(shape, required=True)
        blank = (one for one in required if one in params and _is_blank(params[one]))
        issues = [_missing(f"/{one}") for one in blank] + issues
    first = {issue.path: issue for issue in reversed(issues)}  # a union names a path many times
    issues = list(reversed(first.values()))
    return (None if issues else model), issues


def properties(model: type[BaseModel], *, required: bool = False) -> list[str]:
    """Return the names of the fields as JSON has them."""
    fields = model.model_fields.items()
    return [part.alias or name for name, part in fields if part.is_required() or not required]


def _is_blank(value: type_json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _missing(path: str) -> Issue:
    name = path.removeprefix("/") or "list"
    return Issue("E_PARAM_MISSING", path, f"The parameter {name} is missing or empty.")


def _issue(taker: str, shape: type[BaseModel], problem: ErrorDetails, params: type_json) -> Issue:
    path, value = _locate(problem["loc"], params)
    name = path.removeprefix("/")
    taken = properties(shape)
    if problem["type"] == "extra_forbidden":
        message = f"{taker} has no parameter {name}. It takes: {', '.join(sorted(taken))}."
        return Issue("E_PARAM_UNKNOWN", path, message, fix=_rename(taken, path, params))
    if problem["type"] == "missing" or _is_blank(value):
        return _missing(path)
    expected = _expected(problem)
    got = _kind(value) if problem["type"].endswith("_type") else to_json(value).decode()[:60]
    message = f"The parameter {name or 'list'} must be {expected}; it is {got}."
    if problem["type"] == "value_error":  # the sentence of our own validator
        message = f"The parameter{f' {name}' if name else 's'} {problem['ctx']['error']}"
    fix = _retype(problem["type"], path, value)
    return Issue("E_PARAM_TYPE", path, message, expected=expected, got=got, fix=fix)


def _locate(loc: tuple[int | str, ...], params: type_json) -> tuple[str, type_json]:
    """Follow a pydantic location through the data; its union tags are no part of the path."""
    path, value = "", params
    for part in loc:
        if isinstance(value, dict):
            escaped = str(part).replace("~", "~0").replace("/", "~1")  # RFC 6901
            path, value = f"{path}/{escaped}", value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            path, value = f"{path}/{part}", value[part]
    return path, value


def _expected(problem: ErrorDetails) -> str:
    words = {"list": "a list", "string": "text", "int": "a whole number", "float": "a number"}
    words |= {"bool": "true or false", "dict": "an object", "date": "a date like 2026-11-21"}
    kind = problem["type"].split("_")[0]
    if problem["type"].endswith(("_type", "_parsing", "_from_date")) and kind in words:
        return words[kind]
    if problem["type"] == "too_short":
        return "given, not empty"
    if "max_length" in problem.get("ctx", {}):
        return f"at most {problem['ctx']['max_length']} long"
    return re.sub(r"^.* should (be|match) ", "", problem["msg"])


def _kind(value: type_json) -> str:
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


def _retype(problem: str, path: str, value: type_json) -> list[dict[str, Any]] | None:
    """Offer the value in the wanted type where that loses nothing."""
    wanted: type_json = None
    if problem == "list_type" and isinstance(value, str):
        wanted = [value]
    elif problem == "string_type" and isinstance(value, int | float):
        wanted = to_json(value).decode()
    elif problem in {"int_type", "float_type"} and isinstance(value, str):
        wanted = strictjson.whole(value)
    return None if wanted is None else [{"op": "replace", "path": path, "value": wanted}]


def _rename(taken: list[str], path: str, params: type_json) -> list[dict[str, Any]]:
    """Move an unknown top-level parameter to the one it surely means, or drop it."""
    plain = {_plain(name): name for name in taken}
    meant = plain.get(_plain(path.removeprefix("/")))
    if meant is None:
        near = get_close_matches(_plain(path.removeprefix("/")), plain, 1, 0.8)
        meant = plain[near[0]] if near else None
    if meant is None or meant in params:
        return [{"op": "remove", "path": path}]
    return [{"op": "move", "from": path, "path": f"/{meant}"}]


def _plain(name: str) -> str:
    return re.sub(r"^is|[^a-z0-9]", "", name.lower())
