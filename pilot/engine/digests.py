"""What stands for a large value where people and models look: its size, its shape, its start."""

from typing import Any

from pilot.errors import ErrorClass, StepError

MAX_BYTES = 50 * 1024 * 1024  # of JSON that is stored
SHOWN_KEYS, SHOWN_ITEMS, SHOWN_CHARACTERS, SHOWN_DEPTH = 10, 3, 100, 3


def refuse_beyond(size: int, what: str = "The output") -> None:
    """Refuse an output of more bytes than a blob may have.

    Raises:
        StepError: class output_too_large.
    """
    if size > MAX_BYTES:
        said = (
            f"{what} has {size / 1024 / 1024:.1f} MB; {MAX_BYTES // 1024 // 1024} MB is the "
            "limit. Select fewer rows or fields."
        )
        raise StepError(ErrorClass.OUTPUT_TOO_LARGE, said)


def digest(value: Any, size: int, sha256: str | None = None) -> dict[str, Any]:
    """Return what stands for a large value: its size and type, its keys, the start of it."""
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
