"""Whole outputs as files: a large one is sent piece by piece, and never held at once."""

from collections.abc import Iterator
from uuid import UUID

from flask import Response, stream_with_context

from pilot.reports import outputs
from pilot.reports.outputs import Output
from pilot.views import reading


def output(execution_id: UUID, path: str | None = None, attempt: int | None = None) -> Response:
    """Answer with the output of a step's attempt, or of the execution, as a file.

    Raises:
        NotFoundError: there is none (any more), or it is somebody else's.
    """
    with reading() as session:
        found = outputs.find(session, execution_id, path, attempt)
    body = found.text if found.sha256 is None else stream_with_context(_pieces(found))
    answer = Response(body, mimetype="application/json")
    answer.headers["Content-Length"] = str(found.size)
    answer.headers["Content-Disposition"] = 'attachment; filename="output.json"'
    return answer


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
