"""Child processes that die with this one, and the signals that stop this one."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pilot.errors import ConfigError

PR_SET_PDEATHSIG = 1
LOG_BYTES = 10_000_000  # at a start, a longer log becomes <name>.1


Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Command:
    """What to start: `death_signal` is sent to it by the kernel when this process dies."""

    arguments: Sequence[str | Path]
    death_signal: signal.Signals
    log: Path
    environment: Mapping[str, str] | None = None  # None: this process' own
    user: int | None = None
    group: int | None = None
    folder: Path | None = None


def start(command: Command) -> Process:
    """Start a child in a process group of its own, so that Ctrl+C reaches this process only.

    The kernel sends the death signal when the *thread* that started the child ends: only the main
    thread may start one.

    Raises:
        ConfigError: called from another thread, or its log cannot be written.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError("Servers are started from the main thread.")
    _rotate(command.log)
    try:
        with command.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  our own programs, no shell
                [str(argument) for argument in command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=command.environment,
                cwd=command.folder,
                user=command.user,
                group=command.group,
                extra_groups=None if command.user is None else [],
                process_group=0,
                preexec_fn=_die_with_parent(command.death_signal),  # noqa: PLW1509  Linux has no
                # other way; runs after the change of user, which would clear the death signal
            )
    except OSError as error:
        raise ConfigError(f"{command.arguments[0]} cannot be started: {error}.") from error


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        # `make run &` in a script ignores SIGINT, and ignored signals are inherited: PostgreSQL
        # would then never hear the one that stops it.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return prepare


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))


def stop(process: Process, by: signal.Signals, grace_s: float) -> None:
    """Stop a child politely; kill it when it is not gone after `grace_s` seconds."""
    if process.poll() is not None:
        return
    process.send_signal(by)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(log: Path, mark: str = "") -> str:
    """Return the last line of a log that holds `mark`, for a message; "" when there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if mark in line), "")


class StopRequestedError(Exception):
    """Ctrl+C or a signal asked this process to stop."""


def _quiet_pair() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


@dataclass
class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into a question that the main thread asks.

    Handlers are installed explicitly: a shell's `make run &` starts with SIGINT ignored.
    """

    stopping: bool = False
    _pair: tuple[socket.socket, socket.socket] = field(default_factory=_quiet_pair)

    def install(self) -> None:
        """Listen from now on; SIGCHLD ends a `wait` early."""
        signal.set_wakeup_fd(self._pair[1].fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def uninstall(self) -> None:
        """Give the signals back to Python."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.close()

    def close(self) -> None:
        """Give the sockets back, of one that was never installed too."""
        for end in self._pair:
            end.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or earlier when a signal came or a child ended.

        Raises:
            StopRequestedError: this process shall stop.
        """
        if not self.stopping:
            select.select([self._pair[0]], [], [], seconds)
        self.check()
        try:
            self._pair[0].recv(4096)
        except BlockingIOError:
            return

    def check(self) -> None:
        """Raise when this process shall stop.

        Raises:
            StopRequestedError: always then.
        """
        if self.stopping:
            raise StopRequestedError
