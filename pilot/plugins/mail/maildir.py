"""One Maildir: delivery by key, flags and labels. Readers may move messages meanwhile."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import _disk as disk

BUSY = "The mailbox was in use by another step until the time was up."
_LABELS = TypeAdapter(dict[str, list[str]])


@dataclass(frozen=True)
class Stored:
    """A message file: its name without flags, and the flags."""

    path: Path
    unique: str
    flags: str

    @property
    def is_unread(self) -> bool:
        """Whether nobody has seen it."""
        return "S" not in self.flags


def stored(box: Path) -> list[Stored]:
    """Return all messages; one that a reader moves meanwhile is found in its new place."""
    found: dict[str, Stored] = {}
    for part in ("new", "cur"):  # in the order in which messages move
        for path in (box / part).iterdir() if (box / part).is_dir() else ():
            unique, _, flags = path.name.partition(":2,")
            if not unique.startswith("."):
                found[unique] = Stored(path, unique, flags)
    return list(found.values())


def deliver(box: Path, unique: str, data: bytes, deadline: float) -> bool:
    """File a message under `unique`, once: False if it is there already, wherever it moved."""
    for part in ("tmp", "new", "cur"):
        (box / part).mkdir(parents=True, exist_ok=True)
    with locked(box, deadline):
        if any(one.unique == unique for one in stored(box)):
            return False
        scratch = box / "tmp" / unique  # the lock's holder is its only writer
        disk.write(scratch, data)
        scratch.rename(box / "new" / unique)
        disk.sync_folder(box / "new")
    return True


def mark_read(box: Path, unique: str, deadline: float) -> bool:
    """Set the flag "seen"; False if it was set."""
    with locked(box, deadline):
        message = find(box, unique)
        if not message.is_unread:
            return False
        flags = "".join(sorted({*message.flags, "S"}))
        (box / "cur").mkdir(exist_ok=True)
        message.path.rename(box / "cur" / f"{unique}:2,{flags}")
        disk.sync_folder(box / "cur")
    return True


def move(box: Path, unique: str, target: Path, deadline: float) -> bool:
    """Move a message with its flags and labels; False if it is not here any more."""
    if box == target:
        return False
    for part in ("tmp", "new", "cur"):
        (target / part).mkdir(parents=True, exist_ok=True)
    with locked(box, deadline):
        message = next((one for one in stored(box) if one.unique == unique), None)
        if message is None:
            return False
        known = labels(box).get(unique, [])
        message.path.rename(target / message.path.parent.name / message.path.name)
        disk.sync_folder(target / message.path.parent.name)
    for label in known:
        set_label(target, unique, label, present=True, deadline=deadline)
    return True


def find(box: Path, unique: str) -> Stored:
    """Return one message.

    Raises:
        PluginError: class not_found.
    """
    for message in stored(box):
        if message.unique == unique:
            return message
    text = "A message is no longer in this mailbox: search again."
    raise PluginError(ErrorClass.NOT_FOUND, text, sent=False)


def labels(box: Path) -> dict[str, list[str]]:
    """Return the labels of all messages that have any, by unique name."""
    try:
        text = (box / "labels.json").read_bytes()
    except FileNotFoundError:
        return {}
    return _LABELS.validate_json(text)


def set_label(box: Path, unique: str, label: str, *, present: bool, deadline: float) -> bool:
    """Add or remove one label; False if nothing had to change."""
    with locked(box, deadline):
        find(box, unique)
        known = labels(box)
        before = known.get(unique, [])
        after = [one for one in before if one.casefold() != label.casefold()]
        if present == (len(after) < len(before)):
            return False
        known[unique] = [*after, label] if present else after
        scratch = box / "labels.json.tmp"
        disk.write(scratch, _LABELS.dump_json(known))
        scratch.rename(box / "labels.json")
        disk.sync_folder(box)
    return True


def locked(box: Path, deadline: float) -> AbstractContextManager[None]:
    """Hold the mailbox alone, over threads and processes; a killed holder frees it.

    Raises:
        PluginError: class timeout, when the deadline comes first.
    """
    return disk.alone(box / ".lock", deadline, BUSY)
