"""The API describes itself: as OpenAPI 3.1 for programs, as a page for people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue

from pilot.api import PREFIX, SPEC, public
from pilot.views import SIGNED_IN, json_answer, render, route

bp = Blueprint("api_described", __name__)
METHODS = ("get", "post", "put", "patch", "delete")


@public(bp, "/openapi.json")
def openapi() -> Response:
    """Return the description of all operations."""
    return json_answer(describe())


@route(bp, "/api/docs", allow=SIGNED_IN)
def docs() -> ResponseReturnValue:
    """All operations, with what they take and give."""
    found = describe()
    groups: dict[str, list[Operation]] = {}
    for one in _operations(found):
        groups.setdefault(one.group, []).append(one)
    return render("api/docs.html", groups=groups, prefix=PREFIX)


@dataclass(frozen=True)
class Operation:
    """One operation, as people read it."""

    group: str
    method: str
    path: str
    summary: str
    scope: str
    parameters: list[dict[str, Any]]
    body: dict[str, Any] | None  # JSON Schema
    answer: dict[str, Any] | None  # JSON Schema of the good one


def describe() -> dict[str, Any]:
    """Return the OpenAPI document of the present application."""
    SPEC.app = current_app
    found: dict[str, Any] = SPEC.spec
    return found


def _operations(found: Mapping[str, Any]) -> Iterator[Operation]:
    models = found["components"]["schemas"]
    for path, methods in found["paths"].items():
        for method in METHODS:
            if method not in methods:
                continue
            one = methods[method]
            good = next(code for code in one["responses"] if code.startswith("2"))
            yield Operation(
                one["tags"][0],
                method.upper(),
                path,
                one.get("summary", ""),
                one["security"][0]["token"][0],
                one.get("parameters", []),
                _schema(one.get("requestBody"), models),
                _schema(one["responses"][good], models),
            )


def _schema(part: Mapping[str, Any] | None, models: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the JSON Schema of a body."""
    content = (part or {}).get("content", {}).get("application/json", {}).get("schema")
    if content is None:
        return None
    name = str(content.get("$ref", "")).rpartition("/")[2]
    schema: dict[str, Any] = models.get(name, content)
    return schema
