import subprocess
import sys
from urllib.parse import urlsplit

import psycopg
import pytest

from pilot.config import TEST_DATABASE
from pilot.errors import ConfigError, UnavailableError
from pilot.services import schema
from tests.patience import LONG_S


@pytest.fixture
def empty(servers):
    """Give the URL of a database without any table."""
    name = f"{TEST_DATABASE}_empty"
    schema.create_database(servers.admin_url, name)
    yield servers.cluster.url(name, schema.LOGIN)
    servers.execute("DROP DATABASE {name} WITH (FORCE)", name=name)


def name_of(url):
    return urlsplit(url).path.strip("/")


def test_an_empty_database_is_migrated_to_the_newest_schema(empty):
    assert schema.revision(empty) is None
    schema.migrate(empty)
    assert schema.revision(empty) == schema.head()


def test_two_starts_at_once_migrate_once(empty):
    command = [sys.executable, "-c", "import sys; from pilot.services import migrate; "]
    command[-1] += "migrate(sys.argv[1])"
    racers = [subprocess.Popen([*command, empty], stderr=subprocess.PIPE) for _ in range(2)]
    errors = [racer.communicate(timeout=LONG_S)[1] for racer in racers]
    assert errors == [b"", b""]
    assert schema.revision(empty) == schema.head()


def test_a_database_of_a_newer_pilot_is_refused(database, superuser):
    superuser.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match=r"newer Pilot.*9999"):
        schema.migrate(database)


def test_a_locked_table_ends_the_migration_and_nothing_is_changed(database, superuser):
    before = schema.revision(database)
    with superuser.transaction():
        superuser.execute("LOCK TABLE alembic_version")
        with pytest.raises(UnavailableError, match="stays locked"):
            schema.migrate(database)
    assert schema.revision(database) == before


def test_roles_are_made_once(servers):
    schema.prepare_roles(servers.admin_url)
    schema.prepare_roles(servers.admin_url)


def test_a_good_server_passes(database):
    schema.check_server(database)
    schema.check_row_security(database)


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
@pytest.mark.parametrize("role", ["pilot", "pilot_app"])
def test_a_role_above_row_security_is_refused(servers, database, role, attribute):
    servers.execute(f"ALTER ROLE {{role}} {attribute}", role=role)
    try:
        with pytest.raises(ConfigError, match=f"ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS"):
            schema.check_server(database)
    finally:
        servers.execute("ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS", role=role)


def test_a_login_that_may_not_become_the_application_is_refused(servers, database):
    servers.execute("CREATE ROLE stranger LOGIN")
    try:
        with pytest.raises(ConfigError, match="pilot migrate --roles"):
            schema.check_server(servers.cluster.url(name_of(database), "stranger"))
    finally:
        servers.execute("DROP ROLE stranger")


def test_an_older_server_is_refused(database, monkeypatch):
    monkeypatch.setattr(schema, "MINIMUM", 99)
    with pytest.raises(ConfigError, match="is PostgreSQL 18, Pilot needs 99"):
        schema.check_server(database)


def test_a_table_that_does_not_force_row_security_is_named(database, superuser):
    superuser.execute("ALTER TABLE execution NO FORCE ROW LEVEL SECURITY")
    with pytest.raises(ConfigError, match="not forced on execution"):
        schema.check_row_security(database)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://x@127.0.0.1:1/x", r"DATABASE_URL does not answer \(127.0.0.1: Connection"),
        ("postgresql://x@/x?host=/nowhere", "start Pilot with make run"),
    ],
)
def test_a_server_that_is_away_is_one_line(url, words):
    with pytest.raises(ConfigError, match=words) as caught:
        schema.check_server(url)
    assert "\n" not in caught.value.message


def test_the_application_role_changes_no_schema(database):
    with psycopg.connect(database, options="-c role=pilot_app") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine ()")
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE execution")
