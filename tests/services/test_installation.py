import os
import socket
import stat
import subprocess
import sys

import pytest

from pilot.config import Config
from pilot.errors import ConfigError
from pilot.services import installation


def test_a_data_folder_has_one_owner_at_a_time(tmp_path):
    with installation.occupied(tmp_path):
        second = installation.occupied(tmp_path)
        with pytest.raises(ConfigError, match=rf"process {os.getpid()}.*PILOT_PORT"):
            second.__enter__()
    with installation.occupied(tmp_path):
        pass


def test_a_killed_owner_leaves_the_folder_free(tmp_path):
    code = (
        "import sys, os; from pathlib import Path; from pilot.services import installation\n"
        "with installation.occupied(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert killed.returncode == -9
    with installation.occupied(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="PILOT_DATA"), installation.occupied(tmp_path / "file/x"):
        pass


def test_a_full_disk_is_one_line(tmp_path):
    (tmp_path / "pilot.lock").symlink_to("/dev/full")
    with (
        pytest.raises(ConfigError, match=r"No space left on device.*make room"),
        installation.occupied(tmp_path),
    ):
        pass


def test_only_its_owner_may_look_into_a_data_folder(tmp_path):
    before, new = tmp_path / "before", tmp_path / "new"
    before.mkdir(mode=0o755)
    for data in (before, new):
        with installation.occupied(data):
            assert stat.S_IMODE(data.stat().st_mode) == 0o700


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", 2), ("::1", 10), ("localhost", 2)])
def test_a_busy_port_is_one_line_with_a_free_one(host, family):
    with socket.socket(socket.AddressFamily(family)) as other:
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"{port} cannot be used.*PILOT_PORT=\d+ make run"):
            installation.refuse_busy_port(host, port)
    installation.refuse_busy_port(host, port)


def test_a_new_installation_gets_a_private_key_that_stays(tmp_path):
    environment = {"PILOT_DATA": str(tmp_path)}
    installation.ensure_keys(Config.from_env(environment))
    mode = (tmp_path / "secret_keys").stat().st_mode
    keys = Config.from_env(environment).secret_keys
    installation.ensure_keys(Config.from_env(environment))
    assert stat.S_IMODE(mode) == 0o600
    assert len(keys) == 1
    assert Config.from_env(environment).secret_keys == keys
