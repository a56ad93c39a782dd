"""Reading answers: what kind of body it is, and which error a status stands for."""

from email.message import Message
from http import HTTPStatus

from pilot.egress import Reply, retry_after
from pilot.errors import ErrorClass, PluginError

_CLASSES = {
    401: ErrorClass.AUTH,
    403: ErrorClass.AUTH,
    404: ErrorClass.NOT_FOUND,
    408: ErrorClass.TIMEOUT,
    409: ErrorClass.CONFLICT,
    410: ErrorClass.NOT_FOUND,
    412: ErrorClass.CONFLICT,
    413: ErrorClass.LIMIT,
    429: ErrorClass.RATE_LIMIT,
    504: ErrorClass.TIMEOUT,
}
_REFUSED = frozenset({429, 503})  # the receiver says that it did nothing


def refuse(reply: Reply, *, sent: bool = False) -> PluginError:
    """Return the error for an answer that is not a success.

    Some say that nothing was done, which is so unless something was `sent` before.
    """
    status = reply.status
    usual = ErrorClass.SERVER if status >= 500 else ErrorClass.INPUT
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    return PluginError(
        _CLASSES.get(status, usual),
        f"The receiver answered {phrase}.",
        code=f"http_{status}",
        retry_after_s=retry_after.seconds(reply.headers),
        sent=sent or status not in _REFUSED,
    )


def is_json(reply: Reply) -> bool:
    """Say whether the body is declared to be JSON."""
    kind = _content_type(reply).get_content_type()
    return kind == "application/json" or kind.endswith("+json")


def is_text(reply: Reply) -> bool:
    """Say whether the body is declared to be text that is not JSON."""
    kind = _content_type(reply).get_content_type()
    is_xml = kind.endswith(("/xml", "+xml")) or kind.startswith("application/x-www-form")
    return "content-type" in reply.headers and (kind.startswith("text/") or is_xml)


def text_of(reply: Reply) -> str:
    """Return the body in its declared charset; what does not fit is replaced."""
    charset = _content_type(reply).get_content_charset("utf-8")
    try:
        text = reply.body.decode(charset, "replace")
    except (
        LookupError,
        UnicodeError,
    ):  # unknown, or one for names of hosts, which replaces nothing
        return reply.body.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()  # some charsets make lone surrogates


def _content_type(reply: Reply) -> Message:
    header = Message()
    header["content-type"] = reply.headers.get("content-type", "application/octet-stream")
    return header
