"""Who acts on the command line, and the connection to the running installation.

The local shell is trusted: it acts as the first administrator unless --as names somebody.
"""

import getpass
from argparse import Namespace

from pilot import db, jobs, logs, progress, vault
from pilot.audit import Actor
from pilot.config import Config, read_secret_keys
from pilot.engine.life import preflight
from pilot.engine.people import levels, users
from pilot.engine.people.levels import Level
from pilot.engine.people.new_user import Role
from pilot.engine.secrets import known_secrets
from pilot.errors import ForbiddenError, NotFoundError
from pilot.services import schema


def connect() -> Config:
    """Connect this process to the installation and return its config.

    Raises:
        ConfigError: its database does not answer.
    """
    logs.configure()
    config = Config.from_env()
    schema.connect(config.database_url).close()
    db.configure(config.database_url)
    jobs.configure(config.redis_url)
    progress.configure(config.redis_url)
    vault.configure(config.secret_keys, lambda: read_secret_keys(config.data))
    known_secrets.begin(config)
    return config


def setup(config: Config) -> preflight.Setup:
    """Return what the installation offers to executions."""
    return preflight.Setup(config.data, has_models=config.script is not None)


def actor() -> Actor:
    """Return who the audit trail names: the user of the operating system."""
    return Actor(f"cli:{getpass.getuser()}")


def person(args: Namespace) -> users.SessionUser:
    """Return the person as whom the command acts: --as, or the first administrator.

    Raises:
        NotFoundError: there is no such active person.
    """
    if args.acting_as is None:
        found = users.first_admin()
        if found is None:
            raise NotFoundError("Nobody exists yet: open the first-run link that pilot up prints.")
        return found
    with db.reading(None) as session:
        return users.find(session, args.acting_as)


def admit(args: Namespace, needs: Level) -> None:
    """Let a command run as the person of --as only with the level that it needs.

    Raises:
        ForbiddenError: none of their roles includes it.
    """
    connect()
    who = person(args)
    if not levels.include(who.roles, needs):
        raise ForbiddenError(f"{who.email} may not do this: none of their roles allows it.")


def sees_all(who: users.SessionUser) -> bool:
    """Return whether this person sees and may touch the rows of all owners."""
    return Role.ADMIN in who.roles
