"""JSON Pointers: the places that issues name."""

from collections.abc import Iterator

from pilot.errors import type_json


def pointer(*parts: str | int) -> str:
    """Return a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def texts(value: type_json, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of every text in a JSON value."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, path + pointer(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from texts(inner, f"{path}/{number}")
