"""Large outputs: stored once by the hash of their JSON; their row keeps the hash and a digest."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from pilot import db, strictjson
from pilot.errors import ErrorClass, NotFoundError, StepError

MAX_INLINE_BYTES = 256 * 1024  # of JSON in a row
MAX_BYTES = 50 * 1024 * 1024  # of JSON in a blob
MOST_BYTES_A_CHARACTER = 4
SHOWN_KEYS, SHOWN_ITEMS, SHOWN_CHARACTERS, SHOWN_DEPTH = 10, 3, 100, 3
VALUE = text(
    "SELECT convert_from(content, 'UTF8')::json FROM blob WHERE owner_id = :o AND sha256 = :h"
)


@dataclass(frozen=True)
class Blob:
    """Stands for a stored output where its value would be."""

    sha256: str  # in hexadecimal digits
    digest: dict[str, Any]

    @property
    def size(self) -> int:
        """The size of the output in bytes."""
        return int(self.digest["size_bytes"])


class Packed(NamedTuple):
    """An output as it is written."""

    text: str  # JSON for the row: the output, or the digest of a large one
    kept: Any  # what the run keeps: the output, or its blob
    content: bytes | None = None  # of a blob that has to be stored

    @property
    def sha256(self) -> str | None:
        """The hash of a large output."""
        return self.kept.sha256 if isinstance(self.kept, Blob) else None


def pack(output: Any) -> Packed:
    """Return an output as it is written; a blob is only referred to once more.

    Raises:
        StepError: it is larger than a blob may be (class output_too_large).
    """
    if isinstance(output, Blob):
        return Packed(strictjson.dumps(output.digest), output)
    written = strictjson.dumps(output)
    if len(written) * MOST_BYTES_A_CHARACTER <= MAX_INLINE_BYTES:
        return Packed(written, output)
    content = written.encode()
    if len(content) <= MAX_INLINE_BYTES:
        return Packed(written, output)
    refuse_beyond(len(content))
    blob = Blob(sha256(content).hexdigest(), {})
    blob.digest.update(_digest(output, blob.sha256, len(content)))
    return Packed(strictjson.dumps(blob.digest), blob, content)


def refuse_beyond(size: int) -> None:
    """Refuse an output of more bytes than a blob may have.

    Raises:
        StepError: class output_too_large.
    """
    if size > MAX_BYTES:
        said = (
            f"The output has {size / 1024 / 1024:.1f} MB; {MAX_BYTES // 1024 // 1024} MB is the "
            "limit. Select fewer rows or fields."
        )
        raise StepError(ErrorClass.OUTPUT_TOO_LARGE, said)


def shown(value: Any) -> Any:
    """Return what pages and models get of a value: of a large one its digest."""
    if isinstance(value, Blob):
        return value.digest
    size = len(strictjson.dumps(value).encode("utf-8", "replace"))
    return value if size <= MAX_INLINE_BYTES else _digest(value, None, size)


def load(owner_id: UUID, blob: Blob) -> Any:
    """Return the value of a stored output.

    Raises:
        NotFoundError: it is gone.
    """
    with db.reading(owner_id) as session:
        row = session.execute(VALUE, {"o": owner_id, "h": bytes.fromhex(blob.sha256)}).first()
    if row is None:
        raise NotFoundError("The stored output is gone: start a new execution.")
    return row[0]


def _digest(value: Any, sha256: str | None, size: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"blob": sha256} if sha256 else {}
    facts["size_bytes"] = size
    if isinstance(value, dict):
        keys = [str(key)[:SHOWN_CHARACTERS] for key in list(value)[:SHOWN_KEYS]]
        facts |= {"type": "object", "length": len(value), "keys": keys}
    elif isinstance(value, list):
        facts |= {"type": "array", "length": len(value)}
    else:
        facts |= {"type": "string", "length": len(value)}
    return facts | {"first": _first(value, SHOWN_DEPTH)}


def _first(value: Any, depth: int) -> Any:
    """Return the start of a value: few items, keys and characters of it, to a depth."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "..."
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return "..."
    if isinstance(value, list):
        return [_first(one, depth - 1) for one in value[:SHOWN_ITEMS]]
    some = list(value)[:SHOWN_KEYS]
    return {key[:SHOWN_CHARACTERS]: _first(value[key], depth - 1) for key in some}
