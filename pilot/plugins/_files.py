"""Files of an owner, stored once under the hash of what is in them, and named by handles."""

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, cast
from uuid import uuid4

from pydantic import AfterValidator, Field

from pilot.errors import ErrorClass, PluginError
from pilot.plugins._params import Model

MAX_BYTES = 50_000_000
UNKNOWN_TYPE = "application/octet-stream"
_FOLDER = "blobs"
_HASH = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w.+-]{0,62}/[A-Za-z0-9][\w.+-]{0,126}", re.ASCII)
_LONGEST_NAME = 200
_PIECE = 1 << 20
_PLACE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable() or re.search(r"[/\\]", text):
        raise ValueError("is no name of a file: it is empty, or holds line breaks or slashes.")
    return text


def _media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("is no media type, e.g. application/pdf.")
    return text


class File(Model):
    """A stored file, as steps hand it on: neither a path nor its bytes."""

    file: str = Field(description="SHA-256 of the content, in 64 hexadecimal digits.")
    name: Annotated[str, AfterValidator(_name)] = Field(
        max_length=_LONGEST_NAME, description="The file's name, e.g. invoice.pdf."
    )
    media_type: Annotated[str, AfterValidator(_media_type)] = Field(
        description="What it holds, e.g. application/pdf."
    )
    size: int = Field(ge=0, le=MAX_BYTES, description="Size in bytes.")


class Files:
    """The stored files below one private folder; those of others cannot be named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, handle: File) -> BinaryIO:
        """Return the content from its start; the caller closes it.

        Raises:
            PluginError: the owner has no such file (class not_found).
        """
        with _reading():
            if not _HASH.fullmatch(handle.file):
                raise FileNotFoundError
            with self._place() as place:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                number = os.open(handle.file, flags, dir_fd=place)
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode) or found.st_size != handle.size:
                os.close(number)
                raise FileNotFoundError
        return os.fdopen(number, "rb")

    def save(self, stream: BinaryIO, name: str, media_type: str) -> File:
        """Store what a stream gives and return its handle; the same content is stored once.

        `name` and `media_type` may come from outside: what no handle can have is replaced.

        Raises:
            PluginError: more than 50 MB (class output_too_large); nothing is kept then.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / _FOLDER).mkdir(exist_ok=True)
        with self._place() as place:
            scratch = f".{uuid4().hex}"
            try:
                digest, size = _write(stream, scratch, place)
                os.rename(scratch, digest, src_dir_fd=place, dst_dir_fd=place)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(scratch, dir_fd=place)
                raise
            os.fsync(place)
        kind = media_type.lower()
        kind = kind if _MEDIA_TYPE.fullmatch(kind) else UNKNOWN_TYPE
        return File(file=digest, name=clean_name(name), media_type=kind, size=size)

    @contextmanager
    def _place(self) -> Iterator[int]:
        """Open the folder that holds the files; no link on the way leads out of the owner's."""
        root = os.open(self._folder, _PLACE)
        try:
            place = os.open(_FOLDER, _PLACE, dir_fd=root)
        finally:
            os.close(root)
        try:
            yield place
        finally:
            os.close(place)


def clean_name(text: str) -> str:
    """Return a file's name as a handle may have it: its last part, on one line, not too long."""
    last = re.split(r"[/\\]", text)[-1]
    shown = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", last))
    name = " ".join(shown.split())
    stem, dot, ending = name.rpartition(".")
    if len(name) > _LONGEST_NAME and stem and len(ending) <= 10:  # what it is stays readable
        name = stem[: _LONGEST_NAME - len(ending) - 1] + dot + ending
    return name[:_LONGEST_NAME].strip() or "file"


@contextmanager
def _reading() -> Iterator[None]:
    """Tell nothing of what is there instead: absent, not yours, a link and no file are alike."""
    try:
        yield
    except OSError:
        text = "There is no such file of yours: take the handle that a step has given."
        raise PluginError(ErrorClass.NOT_FOUND, text, code="file", sent=False) from None


def _write(stream: BinaryIO, name: str, place: int) -> tuple[str, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=place), "wb") as file:
        for piece in cast("Iterator[bytes]", iter(lambda: stream.read(_PIECE), b"")):
            size += len(piece)
            if size > MAX_BYTES:
                text = f"The file is larger than {MAX_BYTES // 1_000_000} MB."
                raise PluginError(ErrorClass.OUTPUT_TOO_LARGE, text, code="file_size", sent=False)
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size
