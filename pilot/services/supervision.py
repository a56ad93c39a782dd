"""Parts of a running Pilot: started in order, restarted when they die, stopped in reverse."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from pilot.errors import ConfigError
from pilot.services.processes import Process, Signals

log = structlog.get_logger()

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
HEALTHY_S = 30.0  # a part that lived so long starts again with the first pause
WATCH_S = 1.0


@dataclass
class Part:
    """One process of Pilot and how to start and stop it."""

    name: str
    start: Callable[[], Process]
    stop: Callable[[Process], None]
    process: Process | None = None
    started_at_s: float = 0.0  # monotonic
    deaths: int = 0  # in a row, each soon after the start

    def run(self) -> None:
        """Start the process."""
        self.process = self.start()
        self.started_at_s = time.monotonic()

    def is_down(self) -> bool:
        """Tell whether the process has ended."""
        return self.process is None or self.process.poll() is not None

    def pause_s(self) -> float:
        """Return how long a part that died now waits before its next start."""
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.deaths, 10))


@dataclass
class Supervisor:
    """Keeps the parts alive until a signal comes."""

    signals: Signals
    parts: list[Part] = field(default_factory=list)
    _due_s: dict[str, float] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        """Start a part now; it is watched from now on.

        Raises:
            ConfigError: it does not start.
        """
        self.signals.check()
        part.run()
        self.parts.append(part)

    def watch(self, seconds: float = WATCH_S) -> None:
        """Restart what has died; return after `seconds`, or earlier when something happened.

        Raises:
            StopRequestedError: a signal came.
        """
        now_s = time.monotonic()
        for part in self.parts:
            if part.is_down():
                self._restart(part, now_s)
        next_s = min(self._due_s.values(), default=now_s + seconds)
        self.signals.wait(max(0.01, min(seconds, next_s - now_s)))

    def _restart(self, part: Part, now_s: float) -> None:
        if part.name not in self._due_s:
            part.deaths = 0 if now_s - part.started_at_s > HEALTHY_S else part.deaths + 1
            code = part.process.returncode if part.process else None
            log.warning("part_died", part=part.name, exit_code=code, restart_in_s=part.pause_s())
            self._due_s[part.name] = now_s + part.pause_s()
        if now_s < self._due_s[part.name]:
            return
        del self._due_s[part.name]
        try:
            part.run()
        except ConfigError as error:
            part.started_at_s = now_s
            log.warning("part_not_restarted", part=part.name, reason=error.message)

    def stop(self) -> None:
        """Stop all parts, the last started first."""
        while self.parts:
            part = self.parts.pop()
            if part.process is not None:
                part.stop(part.process)
