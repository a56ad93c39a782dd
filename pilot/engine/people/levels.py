"""What roles allow: each route and each command names the level that it needs."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pilot.engine.people.new_user import Role


class Level(StrEnum):
    """Who may use a route or a command."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    VIEW = "view"
    DECIDE = "decide"
    OPERATE = "operate"
    ADMIN = "admin"


PUBLIC, SIGNED_IN, VIEW = Level.PUBLIC, Level.SIGNED_IN, Level.VIEW
DECIDE, OPERATE, ADMIN = Level.DECIDE, Level.OPERATE, Level.ADMIN

ROLES: Mapping[str, frozenset[Level]] = {
    Role.VIEWER: frozenset({VIEW}),
    Role.APPROVER: frozenset({VIEW, DECIDE}),
    Role.OPERATOR: frozenset({VIEW, OPERATE}),
    Role.ADMIN: frozenset({VIEW, DECIDE, OPERATE, ADMIN}),
}


def include(roles: Iterable[str], level: Level) -> bool:
    """Return whether one of somebody's roles includes a level."""
    return any(level in ROLES.get(role, frozenset()) for role in roles)
