from argparse import Namespace

import pytest

from pilot import db
from pilot.cli import acting
from pilot.errors import ConfigError, NotFoundError


def as_whom(email=None):
    return acting.person(Namespace(acting_as=email))


def test_the_shell_acts_as_the_first_administrator(world):
    assert as_whom().id == world.admin.id


def test_it_acts_as_the_person_it_is_told(world):
    assert as_whom(" Viewer@pilot.test ").id == world.viewer.id


def test_an_unknown_or_disabled_person_is_not_found(world, superuser):
    superuser.execute("UPDATE app_user SET active = false WHERE id = %s", [world.viewer.id])
    for email in ("viewer@pilot.test", "nobody@pilot.test"):
        with pytest.raises(NotFoundError, match=email):
            as_whom(email)


def test_before_anybody_exists_it_names_the_link(database):
    with pytest.raises(NotFoundError, match="first-run"):
        as_whom()


def test_the_trail_names_the_user_of_the_system(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    assert acting.actor().name == "cli:ada"


def test_commands_connect_to_the_running_installation(servers, database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("REDIS_URL", servers.redis_url)
    assert acting.connect().database_url == database
    with db.reading(None) as session:
        assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1


def test_commands_say_when_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match="make run"):
        acting.connect()
