"""Calls to web addresses through the egress client, which reaches public ones only."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field, JsonValue, model_validator

from pilot import strictjson
from pilot.egress import Reply
from pilot.errors import BadJsonError, ErrorClass, OutcomeUnknownError, PluginError, StepError
from pilot.plugins import Call, Category, Effect, Model, Plugin
from pilot.plugins.http.pages import Link, read_page
from pilot.plugins.http.replies import is_json, is_text, refuse, text_of

MAX_JSON_BYTES = 5_000_000
MAX_PAGE_BYTES = 2_000_000

# What to do about an answer; the codes are those of `replies.refuse`.
REMEDIES = {
    "http_400": "Check the parameters against what the receiver expects.",
    "http_401": "The receiver wants credentials: check the authorization header.",
    "http_403": "The receiver does not allow this: check what the credentials may do.",
    "http_404": "Check the address.",
    "http_405": "The receiver does not take this method at this address.",
    "http_409": "The receiver is in another state than expected: read it again.",
    "http_413": "Send less at once.",
    "http_415": "Send the body in a form that the receiver takes.",
    "http_422": "Check the values against what the receiver expects.",
    "http_429": "The receiver asks to send less often.",
    "http_500": "The receiver failed: try again later, or ask its operator.",
    "http_503": "The receiver is busy or away: try again later.",
}

plugin = Plugin(
    name="http",
    version="1.0",
    title="HTTP",
    category=Category.INTEGRATION,
    summary="Calls web addresses and reads web pages.",
)


class Request(Model):
    """A request; at most one of json, text and form."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "GET", description="GET and HEAD only read."
    )
    url: str = Field(description="The address, http or https.", json_schema_extra={"format": "uri"})
    query: dict[str, str | int | float | bool] = Field(
        {}, description="Parameters added to the address."
    )
    headers: dict[str, str] = Field({}, description="Header lines by name.")
    body_json: JsonValue = Field(None, alias="json", description="The body as JSON data.")
    text: str | None = Field(None, max_length=1_000_000, description="The body as text.")
    form: dict[str, str] | None = Field(None, description="The body as form fields.")
    expect_status: list[int] = Field(
        [], description="Answers that count as success, e.g. [200, 404]; without it 200 to 299."
    )
    idempotency: Literal["unknown", "receiver_honours_key"] = Field(
        "unknown",
        description="receiver_honours_key: it does a POST or PATCH once per Idempotency-Key.",
    )

    @model_validator(mode="after")
    def _has_one_body(self) -> "Request":
        given = [name for name in ("body_json", "text", "form") if name in self.model_fields_set]
        bodies = [name for name in given if getattr(self, name) is not None]
        if len(bodies) > 1:
            raise ValueError("json, text and form exclude each other: give one.")
        if bodies and self.method in {"GET", "HEAD"}:
            raise ValueError(f"hold a body, which a {self.method} request cannot have.")
        return self


class Answer(Model):
    """The answer; a body that is neither JSON nor text is left out."""

    status: int = Field(description="The status code, e.g. 200.")
    headers: dict[str, str] = Field(description="Header lines by name in lower case.")
    body_json: JsonValue = Field(alias="json", description="The body if it is JSON, else null.")
    text: str | None = Field(description="The body if it is other text, else null.")
    size_bytes: int = Field(description="Size of the body.")


class FetchPage(Model):
    """A web page."""

    url: str = Field(description="The address, http or https.", json_schema_extra={"format": "uri"})


class Page(Model):
    """What a reader sees of a page."""

    title: str = Field(description="The title, or an empty text.")
    text: str = Field(description="The text without markup, a line per block.")
    links: list[Link] = Field(description="The links, in their order; at most 1,000.")


def _effect(params: Request) -> Effect:
    """By RFC 9110, 9.2: what is safe, what is idempotent, and all else."""
    if params.method in {"GET", "HEAD"}:
        return Effect.PURE
    if params.method in {"PUT", "DELETE"} or params.idempotency == "receiver_honours_key":
        return Effect.KEYED
    return Effect.ONCE


def _place(params: Request | FetchPage) -> str:
    """Return host and port of an address, or nothing for what is none: the client refuses it."""
    try:
        parts = urlsplit(params.url)
        port = parts.port or {"http": 80}.get(parts.scheme, 443)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname else ""


@plugin.action(
    effect=_effect,
    place=_place,
    reaches=("url",),
    success="{method} {url}: {status}",
    guidance="Use it for services that have no plugin of their own. Set idempotency only if the"
    " receiver's documentation says that it honours Idempotency-Key. Example:"
    ' {"method": "POST", "url": "https://api.example.com/orders", "json": {"id": 7}}.',
    errors=REMEDIES,
)
def request(call: Call, params: Request) -> Answer:
    """Send a request to a web address and return the answer."""
    headers, content = _body(params)
    if _effect(params) is not Effect.PURE:
        headers["idempotency-key"] = call.key
    headers |= {name.lower(): value for name, value in params.headers.items()}
    expected = params.expect_status or range(200, 300)
    with _asking(_effect(params)):
        reply = _send(call, params.method, _with_query(params), headers, content)
        if reply.status not in expected and reply.method != params.method:
            raise refuse(reply, sent=True)  # what was sent was answered by a redirect
    if reply.status not in expected:
        raise refuse(reply)
    with _asking(_effect(params)):
        data = _json(reply) if is_json(reply) and reply.body else None
    return Answer.model_validate(
        {
            "status": reply.status,
            "headers": dict(reply.headers),
            "json": data,
            "text": text_of(reply) if is_text(reply) else None,
            "size_bytes": len(reply.body),
        }
    )


@plugin.action(
    effect=Effect.PURE,
    place=_place,
    success="Read {title}",
    guidance="Use it to read what a page says. It runs no scripts, so pages that scripts build"
    " may be empty.",
    errors=REMEDIES,
)
def fetch_page(call: Call, params: FetchPage) -> Page:
    """Read a web page as title, text and links."""
    headers = {"accept": "text/html, application/xhtml+xml, text/plain;q=0.8"}
    reply = _send(call, "GET", params.url, headers, None, max_bytes=MAX_PAGE_BYTES)
    if not 200 <= reply.status < 300:
        raise refuse(reply)
    if not is_text(reply):
        kind = reply.headers.get("content-type", "unknown")[:80]
        raise PluginError(ErrorClass.SCHEMA, f"The address gave no page, but {kind}.")
    title, text, links = read_page(text_of(reply), reply.url)
    return Page(title=title, text=text, links=links)


@contextmanager
def _asking(effect: Effect) -> Iterator[None]:
    """Let a person say what became of what must not be sent twice, if its answer cannot be read.

    A step that merely failed would be sent again by whoever retries it.
    """
    try:
        yield
    except PluginError as error:
        if error.sent and effect is Effect.ONCE:
            raise OutcomeUnknownError(
                error.error_class, error.message, code=error.remote_code
            ) from error
        raise


def _send(  # one place where errors of the client become the plugin's own
    call: Call,
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    *,
    max_bytes: int = MAX_JSON_BYTES,
) -> Reply:
    try:
        return call.http.request(
            method,
            url,
            headers=headers,
            content=content,
            deadline=call.deadline,
            max_bytes=max_bytes,
        )
    except StepError as error:
        raise PluginError(
            error.error_class, error.message, code=error.remote_code, sent=error.sent
        ) from None


def _body(params: Request) -> tuple[dict[str, str], bytes | None]:
    if params.body_json is not None:
        return {"content-type": "application/json"}, strictjson.dumps(params.body_json).encode()
    if params.form is not None:
        form = urlencode(params.form).encode()
        return {"content-type": "application/x-www-form-urlencoded"}, form
    if params.text is not None:
        return {"content-type": "text/plain; charset=utf-8"}, params.text.encode()
    return {}, None


def _with_query(params: Request) -> str:
    if not params.query:
        return params.url
    pairs = {name: _as_text(value) for name, value in params.query.items()}
    base, mark, fragment = params.url.partition("#")
    divider = "&" if "?" in base else "?"
    return f"{base}{divider}{urlencode(pairs)}{mark}{fragment}"


def _as_text(value: str | float | bool) -> str:  # noqa: FBT001  a JSON value, no switch
    return value if isinstance(value, str) else strictjson.dumps(value)


def _json(reply: Reply) -> Any:
    try:
        return strictjson.loads(reply.body, max_bytes=MAX_JSON_BYTES)
    except BadJsonError as error:
        message = f"The answer is not acceptable JSON: {error.message}"
        raise PluginError(ErrorClass.SCHEMA, message) from None
