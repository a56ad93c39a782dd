"""What a person is created from, and the rules for it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from pilot.engine.language import emails
from pilot.engine.people import passwords
from pilot.errors import InvalidError, Issue


class Role(StrEnum):
    """What a person may do; several may be held."""

    ADMIN = "admin"
    OPERATOR = "operator"
    APPROVER = "approver"
    VIEWER = "viewer"


@dataclass(frozen=True)
class NewUser:
    """A person who does not exist yet."""

    email: str
    name: str
    roles: frozenset[str]
    password: str | None = None  # None: they are invited and choose one

    def checked(self) -> Self:
        """Return the same with trimmed name and lower-case e-mail.

        Raises:
            InvalidError: with every issue found (paths /email, /name, /password, /roles).
        """
        email, name = self.email.strip().lower(), self.name.strip()
        issues = []
        if not emails.is_email(email):
            message = "Enter an e-mail address, such as ada@example.org."
            issues.append(Issue("email", "/email", message, got=self.email[:100]))
        if not 1 <= len(name) <= 100 or not name.isprintable():
            issues.append(Issue("name", "/name", "Enter a name of 1 to 100 characters."))
        if self.password is not None:
            issues += passwords.issues(self.password, email=email)
        issues += role_issues(self.roles)
        if issues:
            raise InvalidError(issues)
        return replace(self, email=email, name=name)


def role_issues(roles: frozenset[str]) -> list[Issue]:
    """Return what is wrong with somebody's roles, with the path `/roles`."""
    if roles and roles <= set(Role):
        return []
    expected, got = ", ".join(Role), ", ".join(sorted(roles))[:100]
    message = f"Choose one or several of these roles: {expected}."
    return [Issue("roles", "/roles", message, expected, got)]
