"""The file that holds a backup: a tar with the database's dump, files, and a manifest of sums.

The manifest is written last: a file without it is not complete. It names the secret keys that the
sealed secrets need; no key is ever in the file.
"""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pilot import strictjson
from pilot.errors import BadJsonError, ConfigError

FORMAT = 1
MANIFEST, DUMP = "manifest.json", "database.dump"
MANIFEST_BYTES = 256 * 1024 * 1024
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PUBLIC_KEY = re.compile(r"([0-9a-f]{64})?")
PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """What a backup is of; `members` is (size in bytes, SHA-256 in hex) by name."""

    format: int
    id: str
    made_at: str  # UTC, ISO 8601
    pilot: str
    schema: str
    postgres: int  # major version of the server
    secret_keys: list[str]  # see `key_id`
    anchor_key: str  # the public key of the anchors, in hex; "": there are none
    members: dict[str, list[Any]]


def key_id(key: str) -> str:
    """Return what names a secret key without telling it."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


class Writer:
    """Writes one file beside its place and renames it once it is complete."""

    def __init__(self, path: Path) -> None:
        """Begin; what a killed run left beside it is overwritten."""
        self.path = path
        self.members: dict[str, list[Any]] = {}
        self._part = path.with_name(path.name + ".part")
        self._file = os.fdopen(
            os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        )
        self._tar = tarfile.open(fileobj=self._file, mode="w")  # noqa: SIM115 - closed by `finish`

    def add(self, name: str, source: Path) -> None:
        """Take over a file; one that grows meanwhile is taken as long as it was."""
        with source.open("rb") as file:
            status = os.fstat(file.fileno())
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = status.st_size, int(status.st_mtime), 0o600
            counted = _Counted(file)
            self._tar.addfile(entry, counted)
        self.members[_in_text(name)] = [entry.size, counted.sum.hexdigest()]

    def add_folder(self, name: str) -> None:
        """Note a folder, which may stay empty."""
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o700
        self._tar.addfile(entry)

    def finish(self, manifest: Manifest) -> int:
        """Write the manifest and give the file its name; returns its size in bytes."""
        text = strictjson.canonical(asdict(manifest)).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(text), 0o600
        self._tar.addfile(entry, io.BytesIO(text))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self.path)
        return self.path.stat().st_size

    def abandon(self) -> None:
        """Take away what was written, unless it is finished."""
        if not self._file.closed:
            self._file.close()
            self._part.unlink(missing_ok=True)


class _Counted(io.RawIOBase):
    """A file whose sum is counted while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.sum.update(piece)
        return piece


def check(path: Path) -> Manifest:
    """Read a whole backup and return its manifest.

    Raises:
        ConfigError: it is no backup, or not complete, or damaged, or from a newer Pilot.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            manifest = _manifest(tar, path)
            found = {_in_text(one.name): _sum(tar, one) for one in tar if one.isfile()}
            strange = [_in_text(one.name) for one in tar if not (one.isfile() or one.isdir())]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except tarfile.TarError as error:
        raise ConfigError(f"{path} is not a backup, or was cut short: {error}.") from error
    del found[MANIFEST]
    wrong = sorted(
        {name for name in found.keys() | manifest.members.keys()
         if found.get(name) != manifest.members.get(name)}
        | {name for name in found if not _is_inside(name)} | set(strange)
    )  # fmt: skip
    if wrong:
        raise ConfigError(f"{path} is damaged: {', '.join(wrong[:3])}. Take another backup file.")
    if DUMP not in found:
        raise ConfigError(f"{path} is no backup of Pilot: it holds no database.")
    return manifest


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    try:
        file = tar.extractfile(MANIFEST)
        facts = strictjson.loads(file.read() if file else b"", max_bytes=MANIFEST_BYTES)
        number = facts.get("format")
        if isinstance(number, int) and number > FORMAT:
            raise ConfigError(f"{path} was made by a newer Pilot: update this one.")
        manifest = Manifest(**facts)
    except KeyError:
        raise ConfigError(f"{path} is not a backup, or not complete: it has no end.") from None
    except (BadJsonError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged: {MANIFEST} cannot be read.") from error
    wrong = _wrong_member(manifest)
    if wrong:
        raise ConfigError(f"{path} is damaged: {wrong} of {MANIFEST} cannot be used.")
    return manifest


def _wrong_member(manifest: Manifest) -> str | None:
    """Return the first member that is not what `Writer.finish` writes; some become SQL or names."""
    facts: dict[str, Any] = vars(manifest)
    keys, members = facts["secret_keys"], facts["members"]
    texts = ("id", "made_at", "pilot", "schema", "anchor_key")
    right = {name: isinstance(facts[name], str) for name in texts}
    right |= {name: type(facts[name]) is int for name in ("format", "postgres")}
    right |= {
        "id": right["id"] and bool(UUID.fullmatch(manifest.id)),
        "anchor_key": right["anchor_key"] and bool(PUBLIC_KEY.fullmatch(manifest.anchor_key)),
        "secret_keys": isinstance(keys, list) and all(isinstance(key, str) for key in keys),
        "members": isinstance(members, dict) and all(map(_is_sum, members.values())),
    }
    return next((name for name, is_right in right.items() if not is_right), None)


def _is_sum(value: Any) -> bool:
    match value:
        case [int(size), str()]:
            return size >= 0 and not isinstance(size, bool)
    return False


def _sum(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> list[Any]:
    file = tar.extractfile(entry)
    total, size = hashlib.sha256(), 0
    while file and (piece := file.read(PIECE_BYTES)):
        total.update(piece)
        size += len(piece)
    return [size, total.hexdigest()]


def _in_text(name: str) -> str:
    """Return the name of a file as text, with escapes for bytes that are no UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def unpack(path: Path, prefix: str, folder: Path) -> int:
    """Write the files and folders whose names begin with `prefix` below `folder`; their number.

    The backup was checked before.
    """
    count = 0
    with tarfile.open(path, "r:") as tar:
        for entry in _below(tar, prefix):
            target = folder / entry.name.removeprefix(prefix)
            if entry.isdir():
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
                continue
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = tar.extractfile(entry)
            with os.fdopen(
                os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as to:
                while file and (piece := file.read(PIECE_BYTES)):
                    to.write(piece)
                to.flush()
                os.fsync(to.fileno())
            os.utime(target, (entry.mtime, entry.mtime))
            count += 1
    return count


def _below(tar: tarfile.TarFile, prefix: str) -> Iterator[tarfile.TarInfo]:
    return (one for one in tar if one.name.startswith(prefix) and _is_inside(one.name))
