"""The command line in this process, over an installation of the test."""

import pytest

from pilot import cli
from tests.engine import worker_process as wp


@pytest.fixture
def shell(world, database, redis_url, tmp_path, monkeypatch, capsys):
    """Give `shell(*arguments)`: the exit code and what was printed."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))
    wp.switch_on()

    def shell(*arguments):
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return shell
