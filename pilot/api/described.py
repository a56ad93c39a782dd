"""The API describes itself: as OpenAPI 3.1 for programs, as a page for people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app
from flask.typing import ResponseReturnValue
from spectree.utils import json_compatible_deepcopy

from pilot.api import CHANGES, LOCATED, OTHER, PREFIX, SPEC, TAGGED, public
from pilot.views import SIGNED_IN, json_answer, render, route

bp = Blueprint("api_described", __name__)
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = "application/problem+json"


def _header(name: str, description: str, *, required: bool = False, **schema: Any) -> Any:
    text = {"type": "string"} | schema
    return {"name": name, "in": "header", "required": required} | {
        "schema": text,
        "description": description,
    }


KEY = _header(
    "Idempotency-Key",
    "The same key, operation and body within 24 h act once; another body is 422, one whose first "
    "request goes on longer than 2 s is 409 (in_progress).",
    minLength=1,
    maxLength=255,
    examples=["order-4711"],
)
MATCH = _header("If-Match", "The ETag that you read.", required=True, examples=['"3-1763.25"'])
NONE_MATCH = _header("If-None-Match", "The ETag that you know: 304 if it still holds.")
TAG = {"schema": {"type": "string"}, "description": "Names this state, for If-Match."}
LOCATION = {"schema": {"type": "string"}, "description": "Where to read what was made or begun."}
REPLAYED = {
    "schema": {"const": "true"},
    "description": "Sent if this answer repeats that to an earlier request with the same key.",
}
REQUEST_ID = {"schema": {"type": "string"}, "description": "Finds the log lines of the request."}
RETRY_AFTER = {"schema": {"type": "integer"}, "description": "Seconds."}


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
    found: dict[str, Any] = json_compatible_deepcopy(SPEC.spec)
    for path, methods in found["paths"].items():
        for method, one in methods.items():
            _tell_kinds(path, one)
            _tell_headers(method, one)
            _tell_problems(one["responses"])
            _tell_body(one, found["components"]["schemas"])
    return found


def _tell_kinds(path: str, one: dict[str, Any]) -> None:
    """Add the second content type of an answer; at an address with `.csv` it is the only one."""
    kind = OTHER.get(one["operationId"])
    if kind is None:
        return
    good = one["responses"]["200"]["content"]
    if path.endswith(".csv"):
        one["operationId"] += "_csv"
        good.clear()
    good[kind] = {"schema": {"type": "string"}}


def _tell_headers(method: str, one: dict[str, Any]) -> None:
    """Add what requests and answers say in headers."""
    if method == "post":
        one["parameters"].append(KEY)
    answers = one["responses"]
    for code, answer in answers.items():
        answer["headers"] = {"X-Request-Id": REQUEST_ID}
        if method == "post" and code.startswith("2"):
            answer["headers"]["Idempotency-Replayed"] = REPLAYED
    found = {"201", "202"} if one["operationId"] in LOCATED else set()
    later = {"429", "503"} | ({"409"} if method == "post" else set())
    for codes, name, header in ((found, "Location", LOCATION), (later, "Retry-After", RETRY_AFTER)):
        for code in codes & answers.keys():
            answers[code]["headers"][name] = header
    if one["operationId"] in TAGGED:
        if method.upper() in CHANGES:
            one["parameters"].append(MATCH)
        for code in {"200", "201"} & answers.keys() if method != "delete" else ():
            answers[code]["headers"]["ETag"] = TAG
        if method == "get":
            one["parameters"].append(NONE_MATCH)
            answers["304"] = {"description": "Not Modified", "headers": {"ETag": TAG}}


def _tell_problems(answers: dict[str, Any]) -> None:
    """Give errors their own content type."""
    for answer in answers.values():
        content = answer.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/Problem"):
            answer["content"] = {PROBLEM: content["application/json"]}


def _tell_body(one: dict[str, Any], models: Mapping[str, Any]) -> None:
    """Leave out the body where none is an empty object."""
    schema = _schema(one.get("requestBody"), models)
    if schema is not None and not schema.get("required"):
        one["requestBody"]["required"] = False


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
