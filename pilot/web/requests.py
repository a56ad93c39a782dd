"""The request as Pilot reads it: an id, a nonce, strict bodies within their limits."""

import binascii
import re
import secrets
from functools import cached_property
from io import BytesIO
from typing import IO, Any

from flask import Flask, Request
from flask.json.provider import JSONProvider
from htmx_flask.requests import HtmxAwareRequest
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.formparser import FormDataParser

from pilot import strictjson
from pilot.errors import BadJsonError

FORM_FIELDS = 1_000
FORM_BYTES = 10 * 1024 * 1024
HEAD_BYTES = 8_192  # of a part of a form
HEAD_END = re.compile(rb"\r?\n\r?\n")
NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Form = MultiDict[str, str]
Files = MultiDict[str, FileStorage]


class StrictFormParser(FormDataParser):
    """Reads forms in a time that their size bounds, whatever they hold; Werkzeug does not."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], Form, Files]:
        """Parse a body; more than 1,000 fields are 413, what is no UTF-8 or no escape is 400."""
        if mimetype == "application/x-www-form-urlencoded":
            return stream, self.cls(_pairs(stream.read())), self.cls()
        if mimetype == "multipart/form-data":
            body = stream.read()
            _check_heads(body, (options or {}).get("boundary", ""))
            stream = BytesIO(body)
        return super().parse(stream, mimetype, content_length, options)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"&") >= FORM_FIELDS:
        raise RequestEntityTooLarge
    parts = [part.partition(b"=") for part in body.split(b"&") if part]
    return [(_decoded(name), _decoded(value)) for name, _, value in parts]


def _decoded(text: bytes) -> str:
    """Return what `%41` and `+` stand for: as quoted-printable, which is read in one call."""
    plain = text.replace(b"+", b" ")
    if b"%" in plain:
        if NO_ESCAPE.search(plain):
            raise BadRequest
        plain = binascii.a2b_qp(plain.replace(b"=", b"=3D").replace(b"%", b"="))
    try:
        return plain.decode()
    except UnicodeDecodeError as error:
        raise BadRequest from error


def _check_heads(body: bytes, boundary: str) -> None:
    """Refuse parts of many headers: Werkzeug takes long to read them."""
    mark = b"--" + boundary.encode("ascii", "replace")
    if body.count(mark) > FORM_FIELDS + 1:
        raise RequestEntityTooLarge
    for part in body.split(mark)[1:]:
        if len(part) > HEAD_BYTES and not HEAD_END.search(part[:HEAD_BYTES]):
            raise RequestEntityTooLarge


class PilotRequest(HtmxAwareRequest):
    """One request: `id` finds its log lines, `nonce` marks its scripts and htmx attributes."""

    form_data_parser_class = StrictFormParser
    outage: Exception | None = None  # set when the visitor could not be read

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        """Begin with what the server tells of the request."""
        if environ.get("CONTENT_LENGTH"):  # else a body that ended early would pass for whole
            environ.pop("wsgi.input_terminated", None)
        super().__init__(environ, *args, **kwargs)  # type: ignore[no-untyped-call]

    @cached_property
    def id(self) -> str:
        """Return the error id that pages show and log lines carry."""
        return secrets.token_hex(6)

    @cached_property
    def nonce(self) -> str:
        """Return the nonce of this answer's Content-Security-Policy."""
        return secrets.token_urlsafe(16)


class StrictJson(JSONProvider):
    """`request.get_json()` and Flask's own JSON go through the one decoder."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        """Return compact JSON text."""
        return strictjson.dumps(obj)

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        """Decode strictly.

        Raises:
            BadJsonError: 400, with the reason.
        """
        return strictjson.loads(s)


def refuse_nul(request: Request) -> None:
    """Refuse NUL, which PostgreSQL cannot store, before any view runs.

    Raises:
        BadJsonError: 400.
    """
    texts = [request.path, *request.args, *request.args.values()]
    for name, values in request.form.lists():
        texts += [name, *values]
    if any("\x00" in text for text in texts):
        raise BadJsonError("The request holds a NUL character; remove it and send it again.")


def refuse_json(request: Request) -> None:
    """Refuse JSON sent to a page: its forms would take any value for their fields.

    Raises:
        UnsupportedMediaType: 415.
    """
    if request.is_json:
        raise UnsupportedMediaType


def install(app: Flask) -> None:
    """Make `app` read requests this way."""
    app.request_class = PilotRequest
    app.json = StrictJson(app)
    app.config.update(
        MAX_CONTENT_LENGTH=FORM_BYTES, MAX_FORM_MEMORY_SIZE=FORM_BYTES, MAX_FORM_PARTS=FORM_FIELDS
    )
