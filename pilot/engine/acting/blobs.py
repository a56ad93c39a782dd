"""Large outputs: stored once by the hash of their JSON; their row keeps the hash and a digest."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from pilot import db, strictjson
from pilot.engine import digests
from pilot.errors import NotFoundError

MAX_INLINE_BYTES = 256 * 1024  # of JSON in a row
MOST_BYTES_A_CHARACTER = 4
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
    written, output = strictjson.written(output)
    if len(written) * MOST_BYTES_A_CHARACTER <= MAX_INLINE_BYTES:
        return Packed(written, output)
    content = written.encode()
    if len(content) <= MAX_INLINE_BYTES:
        return Packed(written, output)
    digests.refuse_beyond(len(content))
    blob = Blob(sha256(content).hexdigest(), {})
    blob.digest.update(digests.digest(output, len(content), blob.sha256))
    return Packed(strictjson.dumps(blob.digest), blob, content)


def shown(value: Any) -> Any:
    """Return what pages and models get of a value: of a large one its digest."""
    if isinstance(value, Blob):
        return value.digest
    size = len(strictjson.dumps(value).encode("utf-8", "replace"))
    return value if size <= MAX_INLINE_BYTES else digests.digest(value, size)


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
