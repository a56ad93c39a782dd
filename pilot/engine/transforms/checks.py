"""Says before a run what cannot work: fields that the input lacks, data of the wrong kind."""

import re
from typing import Any

from pilot.engine.language.spelling import meant, suggestion
from pilot.engine.transforms.fields import Column, Config, Key, PerRow, field_pattern, walk
from pilot.engine.transforms.registry import Need
from pilot.engine.transforms.shapes import KIND_WORDS, Shape
from pilot.errors import Issue, type_json

_FITTING = {
    "any": {"unknown", "rows", "table", "list", "object", "value"},
    "list": {"unknown", "rows", "table", "list"},
    "rows": {"unknown", "rows"},
    "table": {"unknown", "table"},
}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WANTED = {"list": "a list", "rows": "a list of objects", "table": "a table, as a sheet is read"}


def pointer(*parts: str | int) -> str:
    """Return a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def need_issue(operation: str, need: Need, shape: Shape, number: int) -> Issue | None:
    """Return E_TYPE if the data that comes in is of a kind that the operation cannot take."""
    if shape.kind in _FITTING[need]:
        return None
    path = pointer(number)
    message = f"{operation} needs {_WANTED[need]}; it gets {KIND_WORDS[shape.kind]}."
    fix: list[dict[str, Any]] | None = None
    if shape.kind == "table":
        message += " Put rows_to_objects before it."
        fix = [{"op": "add", "path": path, "value": {"operation": "rows_to_objects"}}]
    elif shape.kind == "rows":
        message += " Its rows are objects already: leave it out."
        fix = [{"op": "remove", "path": path}]
    return Issue(
        "E_TYPE", path, message, expected=_WANTED[need], got=KIND_WORDS[shape.kind], fix=fix
    )


def column_issues(operation: str, config: Config, shape: Shape, number: int) -> list[Issue]:
    """Return E_REF_FIELD for each field that is read and that the known rows do not have."""
    if shape.kind != "rows" or shape.columns is None:
        return []
    known, issues = list(shape.columns), []
    for place, used in walk(config):
        path = pointer(number, "config", *place)
        if isinstance(used, Column) and used not in known:
            issues.append(_unknown(operation, str(used), known, path, _renamed(used, path, known)))
        elif isinstance(used, PerRow):
            for name in used.columns():
                if name not in known:
                    fix = _rewritten(used.source, name, known, path)
                    issues.append(_unknown(operation, name, known, path, fix))
            if operation == "with_fields":  # later fields see earlier ones
                known.append(str(place[-1]))
    return issues


def _unknown(
    operation: str, name: str, known: list[str], path: str, fix: list[dict[str, Any]] | None
) -> Issue:
    message = f"{operation}: the rows have no field {name!r}.{suggestion(name, known)}"
    return Issue("E_REF_FIELD", path, message, expected=meant(name, known), got=name, fix=fix)


def _renamed(column: Column, path: str, known: list[str]) -> list[dict[str, Any]] | None:
    sure = meant(column, known)
    if sure is None:
        return None
    if isinstance(column, Key):
        target = path.rpartition("/")[0] + pointer(sure)
        return [{"op": "move", "from": path, "path": target}]
    return [{"op": "replace", "path": path, "value": sure}]


def _rewritten(
    source: type_json, name: str, known: list[str], path: str
) -> list[dict[str, Any]] | None:
    """Return a fix that puts the meant name into an expression or a structured condition."""
    sure = meant(name, known)
    changed = source if sure is None else _replaced(source, name, sure)
    return None if changed == source else [{"op": "replace", "path": path, "value": changed}]


def _replaced(source: type_json, name: str, sure: str) -> type_json:
    if isinstance(source, str):
        return re.sub(field_pattern(name), lambda _: _written(sure), source)
    if isinstance(source, list):
        return [_replaced(inner, name, sure) for inner in source]
    if isinstance(source, dict):
        return {
            key: sure if key == "field" and inner == name else _replaced(inner, name, sure)
            for key, inner in source.items()
        }
    return source


def _written(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return f"item.{name}"
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"item['{escaped}']"
