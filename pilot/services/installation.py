"""The data folder of one Pilot: who runs on it, its keys, whether its port is free."""

import base64
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from pilot.config import KEYS_FILE, Config
from pilot.engine import outages
from pilot.errors import ConfigError


@contextmanager
def occupied(data: Path) -> Iterator[None]:
    """Own the data folder, which is made where it is missing, until the block ends.

    What people keep in it is nobody else's: only its owner may look into it.

    Raises:
        ConfigError: another process owns it, or it cannot be written.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if data.stat().st_uid == os.geteuid():
            data.chmod(0o700)
        descriptor = os.open(data / "pilot.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unwritable(data, error) from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"Pilot already runs on {data} (process {lock.read().strip() or 'unknown'}): stop "
                "it first, or set PILOT_DATA and PILOT_PORT for a second one."
            ) from None
        try:
            os.ftruncate(descriptor, os.pwrite(descriptor, str(os.getpid()).encode(), 0))
        except OSError as error:
            raise unwritable(data, error) from error
        yield


def unwritable(data: Path, error: OSError) -> ConfigError:
    """Return what to tell of a data folder in which something could not be written."""
    todo = "make room on its disk" if error.errno in outages.FULL else "change its owner"
    return ConfigError(
        f"The data folder {data} cannot be written ({error.strerror}): {todo}, or set PILOT_DATA "
        "to a folder of yours."
    )


def marker(data: Path) -> Path:
    """Return the file that is there while a restore is under way, or after one was cut short."""
    return data / "restore.unfinished"


def refuse_unfinished_restore(data: Path) -> None:
    """Check that no restore was cut short here.

    Raises:
        ConfigError: one was.
    """
    if marker(data).exists():
        raise ConfigError(
            f"A restore into {data} was cut short: run pilot restore again with the same file."
        )


def refuse_busy_port(host: str, port: int) -> None:
    """Check that nobody listens at the address of the web server.

    Raises:
        ConfigError: somebody does, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"{host}:{port} cannot be used ({error.strerror}): stop what uses the port, or "
                f"set PILOT_PORT, for example PILOT_PORT={_free_port(host, family)} make run"
            ) from error


def _free_port(host: str, family: socket.AddressFamily) -> int:
    loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    own = host if host != "localhost" and ip_address(host).is_loopback else loopback
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((own, 0))
        return int(probe.getsockname()[1])


def ensure_keys(config: Config) -> None:
    """Make the key file of a new installation, readable by its owner only.

    Raises:
        ConfigError: it cannot be written.
    """
    if config.secret_keys:
        return
    key = base64.urlsafe_b64encode(secrets.token_bytes(32))
    try:
        descriptor = os.open(config.data / KEYS_FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"{config.data / KEYS_FILE} cannot be written: {error}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(key + b"\n")
