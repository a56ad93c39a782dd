"""The embedded Valkey: doorbells and live signals, nothing that may not be lost."""

import signal
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from pilot.config import embedded_redis_url
from pilot.errors import ConfigError
from pilot.services import binaries, processes

START_S = 10.0
STOP_S = 5.0


def start(sockets: Path, log: Path, signals: processes.Signals) -> processes.Process:
    """Start the server with its socket in `sockets`, without any file on disk.

    Raises:
        ConfigError: it does not start.
        StopRequestedError: a signal came meanwhile.
    """
    arguments = [binaries.valkey_program(), "--port", "0"]
    arguments += ["--unixsocket", str(sockets / "valkey.sock"), "--unixsocketperm", "700"]
    arguments += ["--save", "", "--appendonly", "no", "--dir", str(sockets), "--daemonize", "no"]
    process = processes.start(processes.Command(arguments, signal.SIGTERM, log))
    deadline = time.monotonic() + START_S
    try:
        while not answers(embedded_redis_url(sockets)):
            _refuse_if_dead(process, log, deadline)
            signals.wait(0.02)
    except BaseException:
        stop(process)
        raise
    return process


def _refuse_if_dead(process: processes.Process, log: Path, deadline: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        raise ConfigError(f"Valkey does not start, see {log}: {processes.last_line(log)}")


def stop(process: processes.Process) -> None:
    """Stop the server."""
    processes.stop(process, signal.SIGTERM, STOP_S)


def answers(url: str) -> bool:
    """Tell whether a queue server answers at `url` within two seconds."""
    try:
        with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (RedisError, ValueError):
        return False
