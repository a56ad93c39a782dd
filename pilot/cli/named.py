"""Values that are named on the command line."""

from typing import Any

from pilot.errors import InvalidError, Issue


def pairs(texts: list[str]) -> dict[str, Any]:
    """Return NAME=VALUE texts as a mapping; a name given twice becomes a list.

    Raises:
        InvalidError: a text is none.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            message = f"{text!r} must be NAME=VALUE."
            raise InvalidError([Issue("usage", "", message)])
        if name in found:
            before = found[name] if isinstance(found[name], list) else [found[name]]
            found[name] = [*before, value]
        else:
            found[name] = value
    return found
