import json

import pytest

from pilot import cli
from pilot.services import schema


@pytest.mark.capability(48)
def test_a_migrated_database_is_left_as_it_is(database, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", database)
    assert cli.main(["--json", "migrate"]) == 0
    present = schema.revision(database)
    assert json.loads(capsys.readouterr().out) == {"before": present, "after": present}


def test_the_roles_are_sql_that_a_superuser_can_run(superuser, capsys):
    assert cli.main(["migrate", "--roles"]) == 0
    superuser.execute(capsys.readouterr().out)


def test_without_a_server_it_says_how_to_start_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))
    assert cli.main(["migrate"]) == 1
    assert "make run" in capsys.readouterr().err
