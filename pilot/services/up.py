"""`pilot up`: everything on one machine, until a signal stops it in order."""

import http.client
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pilot import db
from pilot.config import KEYS_FILE, NEW_KEY, Config, child_environment, local_address
from pilot.engine import outages
from pilot.engine.people import first_run
from pilot.engine.secrets import sealed
from pilot.errors import ConfigError, InvalidError
from pilot.services import installation, postgres, processes, schema, valkey
from pilot.services.supervision import Part, Supervisor

ROOT = Path(__file__).parent.parent.parent  # where app.py is
WEB_THREADS = 560  # a stream holds a thread: 500 of them, and pages beside
WEB_CONNECTIONS = 1200
WEB_GRACE_S = 5
READY_S = 60.0
DEATHS_AT_START = 3
DATABASE = "pilot"

Say = Callable[[str], None]


def run(config: Config, say: Say) -> None:
    """Run Pilot until SIGINT, SIGTERM or SIGHUP; `say` gets the lines for the person.

    Raises:
        ConfigError: something of the environment is wrong; one line says what to do.
    """
    signals = processes.Signals()
    signals.install()
    supervisor = Supervisor(signals)
    try:
        with installation.occupied(config.data):
            try:
                _run(config, supervisor, say)
            finally:
                supervisor.stop()
    except processes.StopRequestedError:
        say("Stopped.")
    except OSError as error:
        if error.errno in outages.FULL:
            raise installation.unwritable(config.data, error) from error
        raise
    finally:
        signals.uninstall()


def _run(config: Config, supervisor: Supervisor, say: Say) -> None:
    installation.refuse_unfinished_restore(config.data)
    installation.refuse_busy_port(config.host, config.port)
    start_servers(config, supervisor)
    _prepare_database(config)
    _ensure_keys(config)
    supervisor.signals.check()
    welcome = _welcome(config)
    started = Started(config)
    supervisor.add(Part("worker", started.worker, partial(_stop_worker, config)))
    supervisor.add(Part("web", started.web, _stop_web))
    _wait_until_ready(config, supervisor)
    say(f"Pilot runs at {config.url} (Ctrl+C stops it; logs in {config.data / 'logs'})")
    for line in welcome:
        say(line)
    while True:
        supervisor.watch()


def start_servers(config: Config, supervisor: Supervisor) -> None:
    """Start the embedded servers, or check that those of the environment answer.

    Raises:
        ConfigError: one does not.
    """
    if config.given_redis_url and not valkey.answers(config.given_redis_url):
        raise ConfigError(
            "REDIS_URL does not answer: start that server, correct the URL, or unset it to use "
            "the embedded Valkey."
        )
    if config.given_database_url:
        schema.check_server(config.given_database_url)
    cluster = postgres.prepare_folders(config.data)
    signals = supervisor.signals
    if not config.given_database_url:
        start = partial(postgres.start, cluster, signals)
        supervisor.add(Part("postgres", start, postgres.stop))
        schema.prepare_roles(cluster.url("postgres"))
        schema.create_database(cluster.url("postgres"), DATABASE)
    if not config.given_redis_url:
        log = config.data / "logs" / "valkey.log"
        start = partial(valkey.start, cluster.sockets, log, signals)
        supervisor.add(Part("valkey", start, valkey.stop))


def _prepare_database(config: Config) -> None:
    schema.migrate(config.database_url)
    schema.check_row_security(config.database_url)
    db.configure(config.database_url)


def _ensure_keys(config: Config) -> None:
    """Make the keys of a new installation, but none beside what another key sealed.

    Raises:
        ConfigError: the key is missing.
    """
    if not config.secret_keys and (count := sealed.state()[0]):
        raise ConfigError(
            f"There is no secret key, but of the secrets {count} are sealed with one: put it back "
            f"({config.data / KEYS_FILE}, or PILOT_SECRET_KEYS). If it is lost, put a new one "
            f"there, start Pilot, and store those secrets again: {NEW_KEY}"
        )
    installation.ensure_keys(config)


def _welcome(config: Config) -> list[str]:
    """Return what a new installation's person has to know: how to get in."""
    try:
        if config.admin_password:
            email = first_run.ensure_admin(config.admin_password)
            return [f"Sign in as {email} with PILOT_ADMIN_PASSWORD."] if email else []
        token = first_run.give_link()
    except InvalidError as error:
        raise ConfigError(f"PILOT_ADMIN_PASSWORD: {error.message}") from error
    finally:
        db.engine().dispose()
    link = f"{config.url}/first-run?token={token}"
    return [f"Create the first administrator: {link}"] if token else []


def web_arguments(host: str, port: int) -> list[str]:
    """Return what Python is told to run as the web server."""
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "chdir": ROOT,
        "worker-class": "pilot.serving.Worker",
        "threads": WEB_THREADS,
        "worker-connections": WEB_CONNECTIONS,
        "graceful-timeout": WEB_GRACE_S,
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return ["-m", "gunicorn", *arguments, "--no-control-socket", "app:app"]


@dataclass(frozen=True)
class Started:
    """Starts our own processes with the same environment, and paths that hold in any folder."""

    config: Config

    def worker(self) -> processes.Process:
        """Start a worker."""
        return self._start("worker", ["-m", "pilot.cli", "worker"])

    def web(self) -> processes.Process:
        """Start the web server."""
        return self._start("web", web_arguments(self.config.host, self.config.port))

    def _start(self, name: str, arguments: list[str]) -> processes.Process:
        values = {"PILOT_DATA": str(self.config.data), "PYTHONUNBUFFERED": "1"}
        command = processes.Command(
            [sys.executable, "-P", *arguments],
            signal.SIGTERM,
            self.config.data / "logs" / f"{name}.log",
            environment=child_environment(values),
        )
        return processes.start(command)


def _stop_web(process: processes.Process) -> None:
    processes.stop(process, signal.SIGTERM, WEB_GRACE_S + 5)


def _stop_worker(config: Config, process: processes.Process) -> None:
    processes.stop(process, signal.SIGTERM, config.drain_s + 5)


def _wait_until_ready(config: Config, supervisor: Supervisor) -> None:
    logs = config.data / "logs"
    deadline = time.monotonic() + READY_S
    while not answers(config):
        for part in supervisor.parts:
            if part.deaths >= DEATHS_AT_START:
                log = logs / f"{part.name}.log"
                reason = processes.last_line(log)
                raise ConfigError(f"The {part.name} ends at its start, see {log}: {reason}")
        if time.monotonic() > deadline:
            raise ConfigError(
                f"Pilot is not ready after {READY_S:.0f} s: see {logs / 'web.log'} and "
                f"{logs / 'worker.log'}, or ask pilot doctor while it runs."
            )
        supervisor.watch(0.1)


def answers(config: Config) -> bool:
    """Tell whether the web server's ready check passes."""
    host = local_address(config.host).strip("[]")
    connection = http.client.HTTPConnection(host, config.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
