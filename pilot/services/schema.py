"""Roles, the database and its migrations, and what a foreign server must offer."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pilot import db
from pilot.engine.providers import model_catalogue
from pilot.errors import ConfigError, UnavailableError

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"
MINIMUM = 18
LOGIN = "pilot"
LOCK_NOT_AVAILABLE = "55P03"

# A role that exists already (another Pilot on this server) is left as it is. The grants do not
# inherit: a session has the rights of one role at a time, the one it has SET.
ROLES = """\
DO $$ DECLARE r text; BEGIN
  FOREACH r IN ARRAY ARRAY['pilot_owner', 'pilot_app', 'pilot_claim', 'pilot_audit'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', r);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END LOOP;
  BEGIN
    CREATE ROLE pilot LOGIN NOSUPERUSER NOBYPASSRLS;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
  END;
END $$;
GRANT pilot_owner, pilot_app TO pilot WITH INHERIT FALSE, SET TRUE;
GRANT pilot_claim, pilot_audit TO pilot_owner WITH INHERIT FALSE, SET TRUE;
"""


def prepare_roles(admin_url: str) -> None:
    """Create the roles of Pilot on a server, as its superuser; those that exist stay."""
    with psycopg.connect(db.dsn(admin_url), autocommit=True) as connection:
        connection.execute(ROLES)


def create_database(admin_url: str, name: str) -> None:
    """Create a database owned by `pilot_owner`; one that exists stays."""
    with psycopg.connect(db.dsn(admin_url), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            statement = sql.SQL("CREATE DATABASE {} OWNER pilot_owner")
            connection.execute(statement.format(sql.Identifier(name)))


def migrate(url: str) -> None:
    """Bring a database to the newest schema, with the models and prices that Pilot brings along.

    Runs as `pilot_owner`, one process at a time.

    Raises:
        ConfigError: it was made by a newer Pilot.
        UnavailableError: somebody holds a lock that a change needs; nothing was changed.
    """
    config = _alembic()
    config.attributes["url"] = _sqlalchemy_url(url)
    try:
        present = revision(url)
        if present is not None and present not in _known():
            raise ConfigError(
                f"The database was made by a newer Pilot (its schema is {present}): update this "
                "one."
            )
        command.upgrade(config, "head")
        _fill(url)
    except SQLAlchemyError as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise UnavailableError(
            "A table stays locked by another session: the migration was not done. Try again."
        ) from error


def _fill(url: str) -> None:
    engine = create_engine(_sqlalchemy_url(url), poolclass=NullPool, connect_args=_AS_OWNER)
    with engine.begin() as connection, Session(connection) as session:
        model_catalogue.initialise(session)
        session.flush()


def revision(url: str) -> str | None:
    """Return the schema's revision, None for an empty database."""
    engine = create_engine(_sqlalchemy_url(url), poolclass=NullPool, connect_args=_AS_OWNER)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_unused(url: str) -> bool:
    """Tell whether nobody has an account in a database: empty, or only migrated."""
    with connect(url) as connection:
        connection.execute("SET ROLE pilot_owner")
        found = connection.execute("SELECT to_regclass('public.app_user')").fetchone()
        if found is None or found[0] is None:
            return True
        return connection.execute("SELECT 1 FROM app_user LIMIT 1").fetchone() is None


def clear(url: str) -> None:
    """Take everything out of a database that nobody uses."""
    config = _alembic()
    config.attributes["url"] = _sqlalchemy_url(url)
    command.downgrade(config, "base")
    with connect(url) as connection:
        connection.execute("SET ROLE pilot_owner")
        connection.execute("DROP TABLE IF EXISTS alembic_version")


def knows(revision: str) -> bool:
    """Tell whether this code can bring a database of that revision to its own."""
    return revision in _known()


def head() -> str:
    """Return the newest revision that this code knows."""
    return max(_known())


def connect(url: str) -> psycopg.Connection:
    """Open a connection of one's own.

    Raises:
        ConfigError: the server does not answer, or the URL cannot be read.
    """
    db.read_url(url)
    try:
        return psycopg.connect(db.dsn(url), connect_timeout=5)
    except (psycopg.ProgrammingError, UnicodeError):  # they quote the URL, which holds a password
        raise ConfigError(db.BAD_URL) from None
    except psycopg.OperationalError as error:
        reason = str(error).strip().partition("\n")[0].rpartition("failed: ")[2]
        place = urlsplit(url)
        if place.hostname is None:
            raise ConfigError(
                f"The database does not answer on its socket ({reason}): start Pilot with make "
                "run (or pilot up); PILOT_DATA names the folder of the one you mean."
            ) from error
        raise ConfigError(
            f"DATABASE_URL does not answer ({place.hostname}: {reason}): start that server, "
            "correct the URL, or unset it to use the embedded PostgreSQL."
        ) from error


def check_server(url: str) -> None:
    """Check that a foreign server is new enough and its roles respect row-level security.

    Raises:
        ConfigError: one line that says what to do.
    """
    with connect(url) as connection:
        version = connection.info.server_version // 10_000
        if version < MINIMUM:
            raise ConfigError(
                f"DATABASE_URL is PostgreSQL {version}, Pilot needs {MINIMUM} or newer: upgrade "
                "that server, or unset DATABASE_URL to use the embedded one."
            )
        _check_roles(connection)


def _check_roles(connection: psycopg.Connection) -> None:
    powerful = connection.execute(
        "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname IN "
        "(session_user, 'pilot_owner', 'pilot_app', 'pilot_claim', 'pilot_audit')"
    ).fetchone()
    if powerful:
        raise ConfigError(
            f"DATABASE_URL: the role {powerful[0]} is superuser or has BYPASSRLS, so row-level "
            f"security would not hold: ALTER ROLE {powerful[0]} NOSUPERUSER NOBYPASSRLS, or use "
            "another login."
        )
    able = connection.execute(
        "SELECT count(*) FROM pg_roles WHERE rolname IN ('pilot_owner', 'pilot_app') "
        "AND pg_has_role(session_user, oid, 'SET')"
    ).fetchone()
    if able is None or able[0] != 2:
        raise ConfigError(
            "DATABASE_URL: its login may not act as pilot_owner and pilot_app. Make the roles as "
            "that server's superuser: pilot migrate --roles | psql ..."
        )


def check_row_security(url: str) -> None:
    """Check that every table with an owner forces row-level security.

    Raises:
        ConfigError: names the tables that do not.
    """
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE a.attname = 'owner_id' AND c.relkind IN ('r', 'p') AND NOT "
            "(c.relrowsecurity AND c.relforcerowsecurity) "
            "AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
    if rows:
        raise ConfigError(
            f"Row-level security is not forced on {', '.join(row[0] for row in rows)}: ALTER "
            "TABLE ... FORCE ROW LEVEL SECURITY, or restore the database."
        )


_AS_OWNER = {"options": "-c role=pilot_owner -c lock_timeout=3s", "connect_timeout": 5}


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _known() -> list[str]:
    return [each.revision for each in ScriptDirectory.from_config(_alembic()).walk_revisions()]


def _sqlalchemy_url(url: str) -> str:
    return "postgresql+psycopg://" + db.dsn(url).split("://", 1)[1]
