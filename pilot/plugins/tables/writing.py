"""Changing a table exactly once: lock, journal line on disk, then atomic rename.

The journal knows for each key what the file was before and after, so that a probe can tell
whether the rename happened, also when later writes followed.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import _disk as disk

MAX_JOURNAL_BYTES = 4_000_000

Change = Callable[[bytes | None], tuple[bytes, dict[str, Any]]]


class _Line(BaseModel):
    key: str
    before: str
    after: str
    output: dict[str, Any]


def change(path: Path, key: str, deadline: float, edit: Change) -> dict[str, Any]:
    """Write what `edit` makes of the file's content, once per key; return its output.

    Args:
        path: the table; it need not exist.
        key: idempotency key; a key that was applied returns its first output.
        deadline: on time.monotonic(), for the wait on other writers.
        edit: takes the content (None: no file) and returns the new content and the output.

    Raises:
        PluginError: class timeout, or what `edit` raises; then nothing was written.
    """
    with _locked(path, deadline):
        content = path.read_bytes() if path.exists() else None
        lines = _journal(path)
        if _verdict(lines, key, _digest(content)) is True:
            return next(line.output for line in reversed(lines) if line.key == key)
        changed, output = edit(content)
        line = _Line(key=key, before=_digest(content), after=_digest(changed), output=output)
        scratch = path.with_name(f".{path.name}.tmp")
        if changed != content:
            disk.write(scratch, changed)
        _note(path, lines, line)
        if changed != content:
            scratch.rename(path)
            disk.sync_folder(path.parent)
    return output


def applied(path: Path, key: str, deadline: float) -> dict[str, Any] | None:
    """Return the output of the change with this key, or None if it was surely not made.

    Raises:
        PluginError: class conflict: the file was changed by others and nobody can tell.
    """
    if not path.parent.is_dir():
        return None
    with _locked(path, deadline):
        lines = _journal(path)
        content = path.read_bytes() if path.exists() else None
        verdict = _verdict(lines, key, _digest(content))
    if verdict is None:
        message = f"{path.name} was changed from outside: nobody can tell whether it has the rows."
        raise PluginError(ErrorClass.CONFLICT, message)
    return next(line.output for line in reversed(lines) if line.key == key) if verdict else None


def _verdict(lines: list[_Line], key: str, now: str) -> bool | None:
    """Say whether the newest change with this key was made; None: unknown.

    All changes are noted one after another under the lock, so what the next one found, or what
    is there now, is what this one left.
    """
    place = max((number for number, line in enumerate(lines) if line.key == key), default=None)
    if place is None:
        return False
    left = lines[place + 1].before if place + 1 < len(lines) else now
    if left == lines[place].after:
        return True
    return False if left == lines[place].before else None


def _digest(content: bytes | None) -> str:
    return "absent" if content is None else sha256(content).hexdigest()


def _journal_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.journal")


def _journal(path: Path) -> list[_Line]:
    """Return all whole lines; one that a crash cut short was followed by no rename."""
    try:
        texts = _journal_path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    lines: list[_Line] = []
    for text in texts:
        try:
            lines.append(_Line.model_validate_json(text))
        except ValidationError:
            continue
    return lines


def _note(path: Path, lines: list[_Line], line: _Line) -> None:
    """Append a line, on disk before this returns; a journal that grew long keeps its newer half."""
    journal = _journal_path(path)
    if journal.exists() and journal.stat().st_size > MAX_JOURNAL_BYTES:
        scratch = journal.with_name(f"{journal.name}.tmp")
        kept = [one.model_dump_json() for one in lines[len(lines) // 2 :]]
        disk.write(scratch, "".join(f"{text}\n" for text in kept).encode())
        scratch.rename(journal)
    with journal.open("ab") as file:
        file.write(f"\n{line.model_dump_json()}\n".encode())  # the first ends a line cut short
        file.flush()
        os.fsync(file.fileno())
    disk.sync_folder(path.parent)


def _locked(path: Path, deadline: float) -> AbstractContextManager[None]:
    """Hold the table alone, over threads and processes; a killed holder frees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = f"{path.name} was in use by another step until the time was up."
    return disk.alone(path.with_name(f".{path.name}.lock"), deadline, busy)
