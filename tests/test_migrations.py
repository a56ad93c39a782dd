"""The migrations: they equal the models, go down and up again, and force row security."""

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import pilot.models  # noqa: F401 - registers the tables
from pilot.db import Base, dsn
from pilot.services import schema

OWNER = {"options": "-c role=pilot_owner"}


@pytest.fixture
def owner(database):
    """Give a connection as the owner of the tables."""
    engine = create_engine(
        dsn(database).replace("postgresql", "postgresql+psycopg", 1),
        poolclass=NullPool,
        connect_args=OWNER,
    )
    with engine.connect() as connection:
        yield connection


def alembic(database):
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.attributes["url"] = dsn(database).replace("postgresql", "postgresql+psycopg", 1)
    return config


def differences(connection):
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": False,
            "include_object": lambda _o, name, *_: name != "alembic_version",
        },
    )
    return compare_metadata(context, Base.metadata)


@pytest.mark.capability(48)
def test_an_empty_database_becomes_what_the_models_say(owner):
    assert differences(owner) == []


def test_defaults_equal_the_models(owner):
    rows = owner.exec_driver_sql(
        "SELECT table_name, column_name, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' AND is_generated = 'NEVER'"
    )
    stored = {(table, column): default for table, column, default in rows}
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.computed is None:
                expected = column.server_default is not None
                assert (stored[table.name, column.name] is not None) == expected or (
                    (table.name, column.name) == ("worker", "number")
                ), f"{table.name}.{column.name}"


def catalogue(database):
    """Return every table, column, index, function, trigger, policy and grant."""
    query = """
      SELECT 'column', table_name || '.' || column_name || ' ' || data_type || ' '
             || is_nullable || coalesce(column_default, '') FROM information_schema.columns
       WHERE table_schema = 'public'
      UNION ALL SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
      UNION ALL SELECT 'constraint', conrelid::regclass || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT 'function', pg_get_functiondef(oid) || proowner::regrole
             || coalesce(proacl::text, '') FROM pg_proc
       WHERE pronamespace = 'public'::regnamespace
      UNION ALL SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT 'policy', p::text FROM pg_policies p
      UNION ALL SELECT 'grant', g.relname || g.relacl::text || g.relforcerowsecurity
        FROM pg_class g WHERE relnamespace = 'public'::regnamespace AND relacl IS NOT NULL
      ORDER BY 1, 2"""
    with psycopg.connect(dsn(database), options="-c role=pilot_owner") as connection:
        return connection.execute(query).fetchall()


@pytest.mark.capability(48)
def test_down_to_nothing_and_up_again_gives_the_same(database):
    before = catalogue(database)
    command.downgrade(alembic(database), "base")
    left = {line.split(".")[0] for kind, line in catalogue(database) if kind == "column"}
    assert left == {"alembic_version"}
    assert [line for kind, line in catalogue(database) if kind == "function"] == []
    command.upgrade(alembic(database), "head")
    assert catalogue(database) == before


@pytest.mark.capability(48)
def test_each_step_down_and_up_keeps_the_data(world, database):
    command.downgrade(alembic(database), "0002")
    command.upgrade(alembic(database), "head")
    with psycopg.connect(dsn(database), options="-c role=pilot_app") as connection:
        count = "SELECT (SELECT count(*) FROM app_user), (SELECT seq FROM audit_head)"
        assert connection.execute(count).fetchone() == (5, 5)


def test_the_numbers_have_no_gap():
    names = sorted(path.name for path in (schema.MIGRATIONS / "versions").glob("*.py"))
    assert [name[:4] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    assert schema.head() == names[-1][:4]


@pytest.mark.capability(280)
def test_every_owned_table_forces_row_security_for_the_application(owner):
    owned = {table.name for table in Base.metadata.tables.values() if "owner_id" in table.columns}
    rows = owner.exec_driver_sql(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,"
        " (SELECT array_agg(DISTINCT r::text) FROM pg_policies p, unnest(p.roles) r"
        "   WHERE p.tablename = c.relname)"
        " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    tables = {name: (forced, set(roles or ())) for name, forced, roles in rows}
    assert len(owned) >= 12
    for name in owned:
        forced, roles = tables[name]
        assert forced, name
        assert "pilot_app" in roles, name
    assert {name for name, (forced, _) in tables.items() if forced} == owned


@pytest.mark.capability(280)
def test_no_role_stands_above_row_security(owner):
    rows = owner.exec_driver_sql(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb, rolcanlogin"
        " FROM pg_roles WHERE rolname LIKE 'pilot%%' ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        ("pilot", False, True),
        ("pilot_app", False, False),
        ("pilot_audit", False, False),
        ("pilot_claim", False, False),
        ("pilot_owner", False, False),
    ]


@pytest.mark.capability(280)
def test_the_application_owns_nothing_and_cannot_delete_owned_rows(owner):
    rows = owner.exec_driver_sql(
        "SELECT relname, has_table_privilege('pilot_app', oid, 'DELETE'),"
        " has_table_privilege('pilot_app', oid, 'TRUNCATE'), relowner::regrole::text"
        " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    deletable = set()
    for name, delete, truncate, owned_by in rows:
        assert owned_by == "pilot_owner", name
        assert not truncate, name
        deletable |= {name} if delete else set()
    assert deletable == {
        "agent_grant",
        "connection",  # with its secret
        "flag_rule",
        "recovery_code",
        "request_key",
        "reset_request",
        "second_factor",
        "setting",
        "sign_in_failure",
    }


def test_functions_with_other_rights_pin_their_search_path(owner):
    rows = owner.exec_driver_sql(
        "SELECT proname, proowner::regrole::text, proconfig,"
        " has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    ).all()
    assert len(rows) >= 8
    for name, owned_by, config, anybody in rows:
        assert owned_by in {"pilot_claim", "pilot_audit"}, name
        assert config[0] == "search_path=pg_catalog, public", name
        assert not anybody, name


def test_only_one_function_reads_the_clock(owner):
    rows = owner.exec_driver_sql(
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    for name, source in rows:
        words = source.lower()
        clocks = ["now()", "current_timestamp", "clock_timestamp()"]
        found = any(clock in words.replace("pilot_now()", "") for clock in clocks)
        assert found == (name == "pilot_now"), name
