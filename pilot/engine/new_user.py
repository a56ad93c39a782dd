"""What a person is created from, and the rules for it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from pilot.engine import passwords
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
    password: str
    roles: frozenset[str]

    def checked(self) -> Self:
        """Return the same with trimmed name and lower-case e-mail.

        Raises:
            InvalidError: with every issue found (paths /email, /name, /password, /roles).
        """
        email, name = self.email.strip().lower(), self.name.strip()
        issues = []
        if not _is_email(email):
            message = "Enter an e-mail address, such as ada@example.org."
            issues.append(Issue("email", "/email", message, got=self.email[:100]))
        if not 1 <= len(name) <= 100 or not name.isprintable():
            issues.append(Issue("name", "/name", "Enter a name of 1 to 100 characters."))
        issues += passwords.issues(self.password, email=email)
        if not self.roles or not self.roles <= set(Role):
            expected, got = ", ".join(Role), ", ".join(sorted(self.roles))[:100]
            message = f"Choose one or several of these roles: {expected}."
            issues.append(Issue("roles", "/roles", message, expected, got))
        if issues:
            raise InvalidError(issues)
        return replace(self, email=email, name=name)


def _is_email(email: str) -> bool:
    local, at, domain = email.rpartition("@")
    plain = email.isprintable() and " " not in email and "@" not in local
    return bool(local and at and domain and plain) and len(email) <= 254
