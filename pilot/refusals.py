"""What the web server refuses before any page is asked, as problem+json like all other errors."""

import json
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http import errors  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Refusal:
    """What the answer says."""

    status: HTTPStatus
    code: str
    title: str
    detail: str


MALFORMED = Refusal(
    HTTPStatus.BAD_REQUEST,
    "bad_request",
    "This request makes no sense",
    "Its first line or a header is malformed. Mend it and send it again.",
)
KINDS = {
    errors.LimitRequestLine: Refusal(
        HTTPStatus.REQUEST_URI_TOO_LONG,
        "uri_too_long",
        "The address is too long",
        "Send a first line of less than 4 KB.",
    ),
    errors.LimitRequestHeaders: Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "The headers are too large",
        "Send at most 100 headers, each of less than 8 KB.",
    ),
    errors.UnsupportedTransferCoding: Refusal(
        HTTPStatus.NOT_IMPLEMENTED,
        "transfer_coding",
        "This transfer coding is not known",
        "Send the body chunked or with its length.",
    ),
    errors.ExpectationFailed: Refusal(
        HTTPStatus.EXPECTATION_FAILED,
        "expectation",
        "This cannot be expected",
        "Send it without the header Expect, or with 100-continue.",
    ),
}
FAILED = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal",
    "Something failed here",
    "Try again; give the error id to whoever runs this.",
)
OURS = (
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
    errors.ConfigurationProblem,
)


def refusal(error: Exception) -> Refusal:
    """Return what is said of an error: the sender's, or else ours."""
    if not isinstance(error, errors.ParseException) or isinstance(error, OURS):
        return FAILED
    return next((found for kind, found in KINDS.items() if isinstance(error, kind)), MALFORMED)


def answer(found: Refusal, error_id: str) -> bytes:
    """Return the whole answer."""
    problem = {
        "type": "about:blank",
        "title": found.title,
        "status": found.status,
        "code": found.code,
        "detail": found.detail,
        "request_id": error_id,
    }
    body = json.dumps(problem)
    lines = [
        f"HTTP/1.1 {found.status} {found.status.phrase}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {error_id}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", body]).encode()
