"""The REST API's kit: one decorator per operation, bodies checked by models, pages of lists.

A request acts as the owner of its token, within the token's scopes; it has no cookies and no
session. Errors are problem+json (pilot.web.errors).
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import flask
from flask import Blueprint, Response, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from spectree import Response as Answers
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData
from spectree.plugins.base import Context
from spectree.plugins.flask_plugin import FlaskPlugin
from spectree.utils import get_multidict_items

from pilot.engine import idempotency
from pilot.engine.language.pointers import pointer
from pilot.engine.people.api_tokens import Scope
from pilot.errors import (
    ForbiddenError,
    InvalidError,
    Issue,
    NotFoundError,
    PreconditionError,
    StaleError,
)
from pilot.reports.listing import Listed, Wanted
from pilot.views import ADMIN, OPERATE, PUBLIC, SCOPES, VIEW, View, json_answer, permit, visitor

PREFIX = "/api/v1"
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
LEVELS = {
    Scope.EXECUTIONS_RUN: OPERATE,
    Scope.EVENTS_WRITE: OPERATE,
    Scope.AGENTS_WRITE: OPERATE,
    Scope.SETTINGS_READ: ADMIN,
    Scope.AUDIT_READ: ADMIN,
}


WRITE_FAILURES = {409, 410, 413, 415}
CHANGES = {"PUT", "PATCH", "DELETE"}  # of what was read before: by its ETag
TAGGED: set[str] = set()  # ids of the operations whose answer has an ETag
LOCATED: set[str] = set()  # of those whose 202 says where to follow up
OTHER: dict[str, str] = {}  # ids of those that answer in a second content type -> that
CSV, STREAM = "text/csv", "text/event-stream"


def _iso_day(value: Any) -> date:
    """Return a day that is written out: a number would be read as seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("must be one day")  # noqa: TRY004 - pydantic turns this into a 422
    return date.fromisoformat(value)


Day = Annotated[date, PlainValidator(_iso_day, json_schema_input_type=date)]


class Strict(BaseModel):
    """What a request may say; another member is refused by name."""

    model_config = ConfigDict(extra="forbid")


class Body(Strict):
    """What a JSON body may say: "1" is no number there, as the description tells."""

    model_config = ConfigDict(strict=True)


def example(value: dict[str, Any]) -> ConfigDict:
    """Return what adds an example to the description of a body."""
    return ConfigDict(json_schema_extra={"examples": [value]})


class Page(Strict):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=200, description="Rows of the page.")
    cursor: str | None = Field(None, max_length=500, description="`next` of the page before.")


class Money(BaseModel):
    """An amount; null in its place: the price is not known, which is not free."""

    amount: str = Field(examples=["0.000420000000"])
    currency: Literal["USD"]


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[dict[str, Any]] | None = None


class _Plugin(FlaskPlugin):
    """Checks what comes in; what goes out is checked by the tests, not again for each answer."""

    def request_validation(self, request: Any, query: Any, json: Any, *_: Any) -> None:
        """Read query and body by their models; a body has to be JSON, none is an empty object.

        An operation without a model takes nothing: what nobody reads is refused too.
        """
        key()
        args = get_multidict_items(request.args, query)
        is_sent = bool(request.content_length) or bool(request.get_data())
        body = request.get_json() if is_sent else {}
        request.context = Context(
            _checked(query or Strict, args),
            _checked(json or Strict, body),
            form=None,
            headers=None,
            cookies=None,
        )

    def validate_response(self, resp: Any, *_: Any) -> tuple[Response, None]:
        return flask.make_response(resp), None


def _name(model: type[BaseModel]) -> str:
    """Return how the description calls a model: by its part of the API and its own name."""
    part = model.__module__.removeprefix(__name__).strip(".")
    return f"{part.title().replace('_', '')}{model.__name__}"


def _checked(model: type[BaseModel], value: Any) -> Any:
    """Return what a request says, read by its model.

    Raises:
        InvalidError: what does not fit, each by its field.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        issues = [_issue(model, cast("dict[str, Any]", one)) for one in error.errors()[:50]]
    raise InvalidError(issues)


def _issue(model: type[BaseModel], one: dict[str, Any]) -> Issue:
    """Return what is wrong with one field; of an unknown one, which there are, and to leave it."""
    code, path = f"api_{one['type']}", pointer(*one["loc"])
    got = str(one.get("input"))[:80]
    if one["type"] != "extra_forbidden":
        return Issue(code, path, f"{one['msg']}.", got=got)
    *above, name = one["loc"]
    for part in above:
        model = cast("type[BaseModel]", model.model_fields[str(part)].annotation)
    known = ", ".join(model.model_fields) or "none"
    message = f"There is no field {str(name)[:80]}; the fields are: {known}."
    return Issue(code, path, message, known, got, fix=[{"op": "remove", "path": path}])


SPEC = SpecTree(
    "flask",
    backend=_Plugin,
    mode="strict",
    title="Pilot",
    version="1",
    validation_error_model=Problem,
    naming_strategy=_name,
    nested_naming_strategy=lambda _parent, child: child,
    security_schemes=[
        SecurityScheme(
            name="token",
            data=SecuritySchemeData(SecureType.HTTP, "A token: plt_...", scheme="bearer"),
        )
    ],
)


def operation(  # noqa: PLR0913 -- one keyword for each thing that the description tells
    bp: Blueprint,
    rule: str,
    *,
    scope: Scope,
    gives: type[BaseModel],
    method: Method = "GET",
    status: int = 200,
    also: dict[int, type[BaseModel]] | None = None,
    tagged: bool = False,
    at: str = "",
    other: str = "",
) -> Callable[[View], View]:
    """Register an operation: its permission, its models (by annotations `query`, `json`) and docs.

    The view returns JSON data, or that and a status; `also` names other statuses than `status`,
    `tagged` says that it gives an ETag and heeds it, `at` the address of what a 201 made or a 202
    began, by names of the rule and the data; `other` is the content type that it has beside JSON,
    for who accepts that; text/csv at the same address with `.csv` at its end, too.
    """
    failures = {400, 401, 403, 404, 422, 429, 503} | (set() if method == "GET" else WRITE_FAILURES)
    if tagged and method in CHANGES:
        failures |= {412, 428}

    def register(view: View) -> View:
        endpoint, tag = f"{bp.name}.{view.__name__}", bp.name.removeprefix("api_")
        permit(endpoint, LEVELS.get(scope, VIEW))
        SCOPES[endpoint] = str(scope)
        if tagged:
            TAGGED.add(f"{tag}_{view.__name__}")
        if at:
            LOCATED.add(f"{tag}_{view.__name__}")
        if other:
            OTHER[f"{tag}_{view.__name__}"] = other
        models: dict[int, type[BaseModel]] = dict.fromkeys(sorted(failures), Problem)
        models |= (also or {}) | {status: gives}
        checked = SPEC.validate(
            resp=Answers(**{f"HTTP_{code}": model for code, model in models.items()}),
            tags=[tag],
            security={"token": [str(scope)]},
            operation_id=f"{tag}_{view.__name__}",
        )(_answered(view, at))
        bp.add_url_rule(f"{PREFIX}{rule}", view.__name__, checked, methods=[method])
        if other == CSV:
            permit(f"{endpoint}_csv", LEVELS.get(scope, VIEW))
            SCOPES[f"{endpoint}_csv"] = str(scope)
            bp.add_url_rule(f"{PREFIX}{rule}.csv", f"{view.__name__}_csv", checked)
        return view

    return register


def public(bp: Blueprint, rule: str) -> Callable[[View], View]:
    """Register what a program may read without a token."""

    def register(view: View) -> View:
        permit(f"{bp.name}.{view.__name__}", PUBLIC)
        bp.add_url_rule(f"{PREFIX}{rule}", view.__name__, view)
        return view

    return register


def _answered(view: View, at: str) -> View:
    """Return a view whose data become JSON; headers say whether it repeats, where it goes on.

    What is known by its ETag is not told again.
    """

    def answered(*args: Any, **values: Any) -> Response:
        idempotency.replayed.set(False)
        found: Any = view(*args, **values)
        data, status = found if isinstance(found, tuple) else (found, 200)
        answer = data if isinstance(data, Response) else json_answer(data, status=status)
        if idempotency.replayed.get():
            answer.headers["Idempotency-Replayed"] = "true"
        if at and answer.status_code in {201, 202}:
            answer.headers["Location"] = PREFIX + at.format(**values | (answer.json or {}))
        if request.method == "GET" and not answer.is_streamed:
            answer.make_conditional(request)
        return answer

    answered.__name__, answered.__doc__ = view.__name__, view.__doc__
    answered.__annotations__ = {
        name: kind for name, kind in view.__annotations__.items() if name != "return"
    }
    answered.__module__ = view.__module__
    return answered


def key() -> str | None:
    """Return the request's idempotency key."""
    text = request.headers.get("Idempotency-Key")
    if text is not None and not 0 < len(text) <= 255:
        issue = Issue("idempotency_key", "/Idempotency-Key", "A key has 1 to 255 characters.")
        raise InvalidError([issue])
    return text


def match(etag: str, present: Any) -> None:
    """Refuse a change that was not made from what holds now.

    Raises:
        PreconditionError: it does not say from what.
        StaleError: that was another state.
    """
    if not request.if_match:
        raise PreconditionError("Send the ETag that you read in the header If-Match.")
    if not request.if_match.contains_raw(etag):
        raise StaleError("It was changed since you read it.", present)


def reach(agent_id: UUID) -> None:
    """Refuse an agent that the token is not for.

    Raises:
        NotFoundError: as if it did not exist.
    """
    only = only_agents()
    if only is not None and agent_id not in only:
        raise NotFoundError("There is no such agent, or it is not yours.")


def only_agents() -> frozenset[UUID] | None:
    """Return the agents that the token is for; None: all of its owner."""
    token = visitor().token
    return None if token is None else token.agent_ids


def for_all_agents() -> None:
    """Refuse a token that is for some agents only: what is asked for is of all.

    Raises:
        ForbiddenError: it is.
    """
    if only_agents() is not None:
        raise ForbiddenError("This token is for some agents only: use one that is for all.")


def wants(kind: str) -> bool:
    """Return whether the answer is to be of this content type, and not JSON."""
    if kind == CSV and request.path.endswith(".csv"):
        return True
    return request.accept_mimetypes.best_match(("application/json", kind)) == kind


def wanted(page: Page, sort: str, filters: Mapping[str, Any]) -> Wanted:
    """Return the page of a list that is asked for.

    Raises:
        InvalidError: a cursor that was not made here, or for other filters.
    """
    after = None
    if page.cursor:
        try:
            after_key, after_id = _cursors(sort, filters).loads(page.cursor)
            after = (str(after_key), str(after_id))
        except (BadSignature, ValueError, TypeError) as error:
            text = "This cursor is of another list or other filters: begin without one."
            raise InvalidError([Issue("api_cursor", "/cursor", text)]) from error
    return Wanted(sort, after, page.limit)


def listed(found: Listed, sort: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page as the API gives it."""
    cursor = None if found.next is None else _cursors(sort, filters).dumps(list(found.next))
    return {"items": found.rows, "next": cursor}


def _cursors(sort: str, filters: Mapping[str, Any]) -> URLSafeSerializer:
    secret = str(current_app.secret_key)
    bound = repr((request.endpoint, sort, sorted((k, str(v)) for k, v in filters.items())))
    return URLSafeSerializer(secret, salt=f"api cursor {bound}")
