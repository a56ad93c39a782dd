"""Finding the files of tables: names are compared with those present, never joined to a path."""

import re
from difflib import get_close_matches
from pathlib import Path

from pilot.errors import ErrorClass, PluginError

SUFFIXES = (".csv", ".xlsx")
_NEW_NAME = re.compile(r"[^\W_][\w .()-]{0,99}\.(csv|xlsx)")


def present(folder: Path) -> list[Path]:
    """Return the tables of a folder by name; links and hidden files are none."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith((".", "~$"))
        and path.is_file()
        and not path.is_symlink()
    )


def find(folder: Path, name: str) -> Path:
    """Return the table called `name`, with or without its extension, in any case.

    Raises:
        PluginError: not_found, with the nearest names; conflict, if two tables share the name.
    """
    tables = present(folder)
    wanted = name.strip().casefold()
    exact = [path for path in tables if path.name == name.strip()]
    found = exact or [
        path for path in tables if wanted in {path.name.casefold(), path.stem.casefold()}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(path.name for path in found)
        message = f"{name[:80]!r} is ambiguous: say {names}."
        raise PluginError(ErrorClass.CONFLICT, message, sent=False)
    raise _unknown("table", name, [path.name for path in tables])


def new_path(folder: Path, name: str) -> Path | None:
    """Return where a new table of this name goes, or None if it can have no such name."""
    return folder / name if _NEW_NAME.fullmatch(name) else None


def choose(kind: str, name: str, known: list[str]) -> str:
    """Return the one of `known` that equals `name`, exactly or else in any case.

    Raises:
        PluginError: not_found, with the nearest names.
    """
    if name in known:
        return name
    folded = [one for one in known if one.strip().casefold() == name.strip().casefold()]
    if len(folded) == 1:
        return folded[0]
    raise _unknown(kind, name, known)


def _unknown(kind: str, name: str, known: list[str]) -> PluginError:
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in get_close_matches(name.casefold(), folded, 1, 0.5)]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(known[:10]) or "none"
    message = f"There is no {kind} {name[:80]!r}.{hint} Present: {names}."
    return PluginError(ErrorClass.NOT_FOUND, message, sent=False)
