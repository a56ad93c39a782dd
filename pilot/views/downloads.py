"""Whole outputs, and all that approvals ask, as files: sent piece by piece, never held at once."""

from collections.abc import Iterator
from uuid import UUID

from flask import Response, stream_with_context

from pilot.reports import outputs
from pilot.reports.outputs import Output, Payload
from pilot.views import reading


def output(execution_id: UUID, path: str | None = None, attempt: int | None = None) -> Response:
    """Answer with the output of a step's attempt, or of the execution, as a file.

    Raises:
        NotFoundError: there is none (any more), or it is somebody else's.
    """
    with reading() as session:
        found = outputs.find(session, execution_id, path, attempt)
    body = found.text if found.sha256 is None else stream_with_context(_pieces(found))
    return _file(body, found.size, "output.json")


def payload(approval_id: UUID) -> Response:
    """Answer with all that an approval asks, as a file: the bytes of its hash.

    Raises:
        NotFoundError: there is none, or it is not for this person.
    """
    with reading() as session:
        found = outputs.payload(session, approval_id)
    return _file(stream_with_context(_parts(found)), found.size, "approval.json")


def _file(body: str | Iterator[bytes], size: int, name: str) -> Response:
    answer = Response(body, mimetype="application/json")
    answer.headers["Content-Length"] = str(size)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _parts(found: Payload) -> Iterator[bytes]:
    start = 0
    while True:
        with reading() as session:
            part = outputs.payload_piece(session, found, start)
        if not part:
            return
        yield part.encode()
        start += len(part)


def _pieces(found: Output) -> Iterator[bytes]:
    """Read each piece in a transaction of its own: a slow reader keeps none open."""
    start = 0
    while start < found.size:
        with reading() as session:
            piece = outputs.piece(session, found, start)
        if not piece:  # pruned meanwhile: the length tells the reader that it is cut
            return
        yield piece
        start += len(piece)
