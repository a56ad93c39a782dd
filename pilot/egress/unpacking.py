"""Bodies of answers, unpacked: whole, or an error; never a part that looks like the whole."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import httpx2

from pilot.errors import ErrorClass, StepError

GZIP, ZLIB, RAW = 31, 15, -15  # what zlib is told to read
FORMATS = {"": 0, "identity": 0, "gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
PIECE_BYTES = 65_536


def body_of(response: httpx2.Response, method: str, max_bytes: int) -> bytes:
    """Return the body of an answer that is being received.

    Raises:
        StepError: schema: its encoding was not asked for, it is damaged or cut short;
            output_too_large.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in FORMATS and method != "HEAD":
        raise StepError(ErrorClass.SCHEMA, "The body has an encoding that was not asked for.")
    packed = _within(response.iter_raw(), 2 * max_bytes)  # much that unpacks to nothing is too much
    parts = unpacked(packed, FORMATS[encoding]) if FORMATS.get(encoding) else packed
    try:
        return b"".join(_within(parts, max_bytes))
    except zlib.error:
        raise StepError(ErrorClass.SCHEMA, "The answer has a body that is damaged.") from None
    except EOFError:
        raise StepError(ErrorClass.SCHEMA, "The answer has a body that is cut short.") from None


def unpacked(parts: Iterable[bytes], kind: int) -> Iterator[bytes]:
    """Yield what was packed, in pieces; one gzip member may follow another.

    Raises:
        zlib.error: it is damaged.
        EOFError: it ends too early.
    """
    stream, held = None, b""
    for part in parts:
        held += part
        while held and (stream is not None or len(held) > 1):  # two bytes tell its format
            if stream is None:
                stream = zlib.decompressobj(kind if kind == GZIP or _has_header(held) else RAW)
            yield from _pieces(stream, held)
            held = stream.unused_data
            if stream.eof:
                if kind != GZIP:
                    return
                stream = None
    if stream is not None or held:
        raise EOFError


def _pieces(stream: Any, packed: bytes) -> Iterator[bytes]:
    """Yield what comes of some bytes, never much at once."""
    piece = stream.decompress(packed, PIECE_BYTES)
    while piece:
        yield piece
        piece = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, PIECE_BYTES)


def _has_header(start: bytes) -> bool:
    """Tell zlib's format, which `deflate` means, from the bare one that some servers send."""
    return start[0] & 0x0F == 8 and int.from_bytes(start[:2]) % 31 == 0


def _within(parts: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > max_bytes:
            message = f"The answer is larger than {max_bytes} bytes."
            raise StepError(ErrorClass.OUTPUT_TOO_LARGE, message)
        yield part
