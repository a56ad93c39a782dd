"""One world for all tests: five people, made by the product's own operations."""

from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from pilot import db
from pilot.audit import Actor
from pilot.engine.people import passwords, users
from tests.servers import PEOPLED

PASSWORD = "four unrelated words here"


@dataclass(frozen=True)
class Person:
    """A test person; `stranger` is an operator whose rows appear in no list of the others."""

    id: UUID
    email: str
    actor: Actor

    def sign_in(self) -> str:
        """Return a session token; tests of signing in type the password instead, which is slow."""
        with db.transaction("users.sign_in", self.id) as session:
            return users.begin_session(session, self.id, users.Origin("198.51.100.7", "Firefox"))


@dataclass(frozen=True)
class World:
    """Everybody."""

    admin: Person
    operator: Person
    approver: Person
    viewer: Person
    stranger: Person


def person(name: str, *roles: str) -> Person:
    """Create a person with these roles."""
    email = f"{name}@pilot.test"
    user_id = users.create_user(
        email=email, name=name.title(), password=PASSWORD, roles=roles, by=Actor("system")
    )
    return Person(user_id, email, Actor(f"user:{user_id}"))


@pytest.fixture(scope="session")
def everybody(servers):
    """Create everybody once, in the database that those of tests with a world are copied from."""
    engine = db.configure(servers.copy(PEOPLED))
    made = people()
    engine.dispose()
    return made


@pytest.fixture
def world(everybody, database):
    """Admin, operator, approver, viewer and a stranger."""
    return everybody


def people() -> World:
    """Create everybody in the present database."""
    names = World.__annotations__
    with pytest.MonkeyPatch.context() as patch:  # one hash for all: they share their password
        patch.setattr(passwords, "hashed", _hashed_once)
        roles = {"stranger": "operator"}
        return World(**{name: person(name, roles.get(name, name)) for name in names})


_hashed_once = cache(passwords.hashed)


@pytest.fixture
def superuser(database, servers):
    """Give a superuser's connection to this test's database: what an intruder could do."""
    name = urlsplit(database).path.strip("/")
    with psycopg.connect(servers.cluster.url(name), autocommit=True) as connection:
        yield connection
