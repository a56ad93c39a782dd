"""What a failed request to a provider means, alike for all providers."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from pilot import strictjson
from pilot.egress import retry_after
from pilot.egress.refusals import BLOCKED
from pilot.errors import BadJsonError, ErrorClass, StepError
from pilot.llm.messages import Model
from pilot.llm.reasons import FailureReason, ModelFaultError
from pilot.redaction import redact

R = FailureReason
MAX_BYTES = 16 * 1024 * 1024
SAID_CHARACTERS = 200
STATUSES = {
    400: R.CONFIG,
    401: R.AUTH,
    402: R.CONFIG,
    403: R.AUTH,
    404: R.CONFIG,
    408: R.TIMEOUT,
    409: R.API,
    413: R.TRUNCATED,
    422: R.CONFIG,
    429: R.RATE_LIMIT,
    504: R.TIMEOUT,
}
# Codes of a 429 that no waiting ends.
QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_error"})
_TOO_LONG = re.compile(
    r"context.length|context.window|maximum context|prompt is too long|too many (input )?tokens",
    re.IGNORECASE,
)
_WHAT = {
    401: "refused the key: enter a valid one under System config",
    402: "wants to be paid: check the account's billing",
    403: "does not allow this key to use the model",
    404: "does not know the model or the address: choose another model",
    408: "gave no answer in time",
    413: "cannot take a prompt of this length",
    429: "limits the rate of requests",
    504: "gave no answer in time",
}


class Answered(Protocol):
    """What an HTTP client received."""

    @property
    def status_code(self) -> int:
        """The status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""

    @property
    def content(self) -> bytes:
        """The body."""


def provider_of(model: Model) -> str:
    """Return whose model it is, for messages."""
    return model.offered_by or model.provider


def of_status(model: Model, answered: Answered) -> ModelFaultError:
    """Return what a status other than success means."""
    status = answered.status_code
    code, said = _error(answered.content)
    too_long = status == 413 or (status in {400, 422} and _is_too_long(code, said))
    no_quota = status == 429 and code in QUOTA
    what = _what(status)
    reason = STATUSES.get(status, R.API if status >= 500 else R.CONFIG)
    if too_long:
        reason, what = R.TRUNCATED, _WHAT[413]
    elif no_quota:
        reason, what = R.CONFIG, "says that the quota is used up: check the account's billing"
    quoted = f' ("{clean(model, said)}")' if said else ""
    return ModelFaultError(
        reason,
        f"{provider_of(model)} {what}{quoted}.",
        http_status=status,
        retry_after_s=retry_after.seconds(answered.headers) if status == 429 else None,
        too_long=too_long,
    )


def of_egress(model: Model, error: StepError) -> ModelFaultError:
    """Return what it means that no reply came through."""
    where, text = provider_of(model), clean(model, error.message)
    if error.remote_code == BLOCKED:
        return ModelFaultError(R.CONFIG, f"{where} cannot be reached: {text}")
    reason = R.TIMEOUT if error.error_class is ErrorClass.TIMEOUT else R.API
    return ModelFaultError(reason, f"{where}: {text}", maybe_billed=error.sent)


def unreadable(model: Model, why: str) -> ModelFaultError:
    """Return the fault of a reply that cannot be used, but may have been billed."""
    text = f"The reply of {provider_of(model)} cannot be read: {clean(model, why)}"
    return ModelFaultError(R.API, text, http_status=200, maybe_billed=True)


def object_of(model: Model, body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a reply.

    Raises:
        ModelFaultError: api; it is none.
    """
    try:
        value = strictjson.loads(body, max_bytes=MAX_BYTES)
    except BadJsonError as error:
        raise unreadable(model, error.message) from None
    if not isinstance(value, dict):
        raise unreadable(model, "It is not an object.")
    return value


def clean(model: Model, text: str) -> str:
    """Return what somebody else said, short and without secrets."""
    key = model.connection.get("key", "")
    without = text.replace(key, "[key]") if key else text
    return str(redact(" ".join(without.split())))[:SAID_CHARACTERS]


def _what(status: int) -> str:
    if status in _WHAT:
        return _WHAT[status]
    if 300 <= status < 400:
        return "redirects to another address: correct it under System config"
    return "failed" if status >= 500 or status == 409 else "refused the request"


def _is_too_long(code: str, said: str) -> bool:
    return code == "context_length_exceeded" or _TOO_LONG.search(said) is not None


def _error(body: bytes) -> tuple[str, str]:
    """Return the code and the message of an error body, as far as it has them."""
    try:
        value = strictjson.loads(body)
    except BadJsonError:
        return "", ""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code = error.get("code") or error.get("type")
    said = error.get("message")
    return str(code or ""), said.rstrip(".") if isinstance(said, str) else ""
