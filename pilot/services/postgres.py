"""The embedded PostgreSQL: its data folder, its start and its stop."""

import os
import pwd
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pilot import db
from pilot.config import child_environment
from pilot.errors import ConfigError
from pilot.services import binaries, processes

SOCKET_BYTES = 90  # longer socket paths do not fit into the kernel's address
START_S = 30.0
STOP_S = 30.0
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "jit": "off",
    # What it refuses it tells its client; in its log that would quote the data.
    "log_min_messages": "log",
}
FOR_TESTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # no database lives long
}


@dataclass(frozen=True)
class Cluster:
    """One data folder and the folder of its socket."""

    data: Path
    sockets: Path
    log: Path
    settings: tuple[tuple[str, str], ...] = ()

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """Return a libpq URL through the socket."""
        return f"postgresql://{user}@/{database}?host={self.sockets}&port=5432"


def prepare_folders(home: Path) -> Cluster:
    """Return the cluster of the data folder `home`, whose places are made where missing.

    `home/postgres` holds the database and `home/sockets` the sockets of both servers. For root
    they are links to a folder below /var/lib/pilot that `nobody` may reach.

    Raises:
        ConfigError: a folder cannot be made, or it was made by another PostgreSQL.
    """
    place, sockets = home / "postgres", home / "sockets"
    try:
        (home / "logs").mkdir(parents=True, exist_ok=True)
        _refuse_other_major(place)
        if binaries.runs_as_root():
            _link_to_shared(place)
            _link(sockets, place.readlink().with_name("run"))
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            _short_folder(sockets)
    except OSError as error:
        raise ConfigError(f"{error.filename or home} cannot be used: {error.strerror}.") from error
    return Cluster(place.resolve(), sockets.resolve(), home / "logs" / "postgres.log")


def _link_to_shared(place: Path) -> None:
    if place.is_symlink() and place.readlink().parent.is_dir():
        return
    if place.is_dir():
        raise ConfigError(
            f"{place} was made by a Pilot that did not run as root: run Pilot as that user, or "
            "set PILOT_DATA to a new folder."
        )
    binaries.open_folder(binaries.SHARED)
    home = binaries.SHARED / secrets.token_hex(6)
    home.mkdir(mode=0o700)
    (home / "run").mkdir(mode=0o700)
    for folder in (home, home / "run"):
        os.chown(folder, *binaries.server_user())
    _link(place, home / "data")


def _link(link: Path, target: Path) -> None:
    if not (link.is_symlink() and link.readlink() == target):
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _short_folder(sockets: Path) -> None:
    """Make the folder of the sockets; where its path is too long, a link to a short one."""
    if sockets.is_dir():
        return
    if len(os.fsencode(sockets / ".s.PGSQL.5432.lock")) <= SOCKET_BYTES:
        sockets.mkdir(mode=0o700)
    else:
        _link(sockets, Path(tempfile.mkdtemp(prefix="pilot-", dir="/tmp")))


def _refuse_other_major(place: Path) -> None:
    made_by, ours = binaries.installed_major(place), binaries.postgres_major()
    if made_by not in {None, ours}:
        raise ConfigError(
            f"{place} was made by PostgreSQL {made_by}, this Pilot brings {ours}: copy the data "
            f"with pg_dump and pg_restore of version {made_by}, or set PILOT_DATA to a new folder."
        )


def start(cluster: Cluster, signals: processes.Signals) -> processes.Process:
    """Start the server on its data folder, which is made first where it is missing.

    Raises:
        ConfigError: it does not start; the message ends with what its log says.
        StopRequestedError: a signal came meanwhile.
    """
    programs = binaries.postgres_programs()
    if binaries.installed_major(cluster.data) is None:
        _initialise(cluster, programs)
    _write_access_rules(cluster.data)
    deadline = time.monotonic() + START_S
    process = processes.start(_server(cluster, programs))
    try:
        while not _answers(cluster, process):
            if process.poll() is not None:
                # The server of a Pilot that was killed takes a moment to end: try again.
                _refuse_unless_shutting_down(cluster, deadline)
                process = processes.start(_server(cluster, programs))
            signals.wait(0.02)
    except BaseException:
        processes.stop(process, signal.SIGQUIT, 5)
        raise
    return process


def _refuse_unless_shutting_down(cluster: Cluster, deadline: float) -> None:
    reason = processes.last_line(cluster.log, "FATAL:")
    ending = any(sign in reason for sign in ("lock file", "shutting down"))  # either may log last
    if time.monotonic() > deadline and (other := _owner(cluster)):
        raise ConfigError(
            f"PostgreSQL process {other}, which something else started, has {cluster.data}: stop "
            f"it (kill -INT {other}); Pilot starts one of its own."
        )
    if time.monotonic() > deadline or not ending:
        raise ConfigError(f"PostgreSQL does not start, see {cluster.log}: {reason}")
    threading.Event().wait(0.2)


def stop(process: processes.Process) -> None:
    """Stop the server: sessions are ended, what was committed is written."""
    processes.stop(process, signal.SIGINT, STOP_S)


def _command(cluster: Cluster, arguments: list[str | Path]) -> processes.Command:
    user, group = binaries.server_user() if binaries.runs_as_root() else (None, None)
    return processes.Command(
        arguments, signal.SIGINT, cluster.log, user=user, group=group, folder=Path("/")
    )


def _initialise(cluster: Cluster, programs: Path) -> None:
    """Make the data folder beside its place and rename it: one that is there is complete."""
    unfinished = cluster.data.with_name(cluster.data.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    arguments: list[str | Path] = [programs / "initdb", "-D", unfinished, "-U", SUPERUSER]
    arguments += ["--auth=peer", "--encoding=UTF8"]
    arguments += ["--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8"]
    arguments += ["--no-sync"] if dict(cluster.settings).get("fsync") == "off" else []
    making = _command(cluster, arguments)
    if processes.start(making).wait():
        raise ConfigError(
            f"The database folder cannot be made, see {cluster.log}: "
            f"{processes.last_line(cluster.log, 'initdb: error:')}"
        )
    try:
        unfinished.rename(cluster.data)
    except OSError as error:
        raise ConfigError(
            f"{cluster.data} is in the way of the database: {error.strerror}. Move it elsewhere."
        ) from error


def _write_access_rules(data: Path) -> None:
    """Let only the operating-system user that runs Pilot in, and only through the socket."""
    name = pwd.getpwuid(os.geteuid()).pw_name
    rules = {
        "pg_hba.conf": "local all all peer map=pilot\n",
        "pg_ident.conf": f'pilot "{name}" all\n',
    }
    for file, text in rules.items():
        path = data / file
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        if binaries.runs_as_root():
            os.chown(path, *binaries.server_user())


def _server(cluster: Cluster, programs: Path) -> processes.Command:
    settings = {**SETTINGS, "unix_socket_directories": str(cluster.sockets)}
    arguments: list[str | Path] = [programs / "postgres", "-D", cluster.data]
    for name, value in (settings | dict(cluster.settings)).items():
        arguments += ["-c", f"{name}={value}"]
    return _command(cluster, arguments)


def _owner(cluster: Cluster) -> int | None:
    """Return the process that says of itself that it serves the folder."""
    try:
        return int((cluster.data / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return None


def _answers(cluster: Cluster, process: processes.Process) -> bool:
    if _owner(cluster) != process.pid:
        return False  # what answers is another server
    try:
        psycopg.connect(cluster.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def run_program(
    name: str, arguments: Sequence[str | Path], url: str, scratch: Path, *, output: bool = False
) -> None:
    """Run a program such as `pg_dump` on a database, as its owner, who sees every row.

    Args:
        name: of the program.
        arguments: what it is told besides the database.
        url: the database; its password goes by the environment, which others cannot read.
        scratch: a folder for what it says.
        output: it writes a file and needs no database.

    Raises:
        ConfigError: it failed; the message ends with what it said.
    """
    facts = conninfo_to_dict(db.dsn(url))
    password = str(facts.pop("password", "") or "")
    values = {"PGOPTIONS": "-c role=pilot_owner -c app.maintain=on", "PGCLIENTENCODING": "UTF8"}
    values |= {"PGPASSWORD": password} if password else {}
    database = [] if output else [f"--dbname={make_conninfo('', **facts)}"]
    log = scratch / f"{name}.log"
    command = processes.Command(
        [binaries.postgres_programs() / name, *database, *arguments],
        signal.SIGTERM,
        log,
        environment=child_environment(values),
    )
    if processes.start(command).wait():
        said = processes.last_line(log, "rror:") or processes.last_line(log)
        raise ConfigError(f"{name} failed: {said}")
