"""Secrets that are named where they must not be: anywhere but in headers and body of a request."""

from collections.abc import Iterator

from pilot.engine.language import secret_sinks
from pilot.engine.language.pointers import texts
from pilot.engine.validation.context import Context
from pilot.errors import Issue


def check(context: Context) -> Iterator[Issue]:
    """Yield E_SECRET_SINK."""
    allowed = {f"{node.path}/params": context.action(node) for node in context.nodes}
    for path, text in texts(context.document):
        if secret_sinks.MARK not in text:
            continue
        place = path
        while place and place not in allowed:
            place = place.rpartition("/")[0]
        action = allowed.get(place)
        if action is None or not secret_sinks.may_hold(action.name, path.removeprefix(place)):
            message = f"A secret must not go here: {secret_sinks.TELL}."
            expected = "no {{secret:...}}"
            yield Issue("E_SECRET_SINK", path, message, expected=expected, got=text[:60])
