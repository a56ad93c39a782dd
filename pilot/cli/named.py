"""Values that are named on the command line."""

from typing import Any

from pilot import db
from pilot.engine.agents import agents
from pilot.engine.people.users import SessionUser
from pilot.engine.workflow import inputs
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


def inputs_of(
    owner: SessionUser, agent: str, texts: list[str], number: int | None = None
) -> dict[str, Any]:
    """Return inputs that are given so, each as the agent's schema, of a version, asks for it."""
    with db.reading(owner.id) as session:
        found = agents.find(session, agent)
        if number is None:
            version = agents.newest(session, found)
        else:
            version = agents.version(session, found, number)
    schema = version.inputs_schema if version is not None else None
    return inputs.from_form(schema, dict(pairs(texts)))
