"""500 live viewers on one web process: what reaches them how late, and what they cost the engine.

50 people follow 10 executions each. First the executions run, one step a second each, now spread
over the second and now all in the same moment, and each event is followed to each viewer; then the
viewers stay on executions that wait, while 200 others run at once, watched or not in turns.
"""

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Thread
from time import perf_counter
from typing import Any
from uuid import UUID

import psutil
import psycopg

from benchmarks import w1
from benchmarks.figures import commit_probe, figure, percentile
from benchmarks.installation import Installation, Looking, as_installed, installed, pause
from pilot import db
from pilot.config import Config
from pilot.services import up
from pilot.web import create_app
from tests import world

PEOPLE, EXECUTIONS = 50, 10
STEPS, PAUSE_S = 10, 0.95  # a shorter pause than 1 s stays on the worker, away from the sweep
BEGIN_S = 1.0  # the gate opens for all at once: what it lets through first is counted, not timed
ROUNDS = 8
IDLE_S = 15.0
GOAL_MS, GOAL_PERCENT = 100, 5
KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
HOST = "127.0.0.1"
SHARED = """
INSERT INTO agent_grant (agent_id, user_id, owner_id, level)
SELECT a.id, u.id, a.owner_id, 'read' FROM agent a, app_user u WHERE u.email LIKE 'viewer%%'
    ON CONFLICT DO NOTHING
"""


@dataclass
class Viewer:
    """One stream: which message had come when, by the clock of the database's machine."""

    execution: UUID
    cookie: str
    came: list[tuple[int, float]] = field(default_factory=list)
    open: bool = False


def main() -> None:
    """Print the figures."""
    with installed() as pilot, _web(pilot) as port, pilot.worker(), pilot.looking() as look:
        look.wait_for_worker()
        config = Config.from_env({"PILOT_SECRET_KEYS": KEY, "PILOT_DATA": str(pilot.folder)})
        name = create_app(config).config["SIGN_IN_COOKIE"]
        cookies = [_cookie(number, name) for number in range(PEOPLE)]
        commit_probe(pilot.superuser_url)
        spread = [number * PAUSE_S / EXECUTIONS for number in range(EXECUTIONS)]
        _follow_steps(pilot, look, cookies, port, spread, GOAL_MS)
        _follow_steps(pilot, look, cookies, port, [0.0] * EXECUTIONS, None)
        waiting = _started(pilot, [pilot.agent(_delay(0, 3600))] * EXECUTIONS)
        with _watching(waiting, cookies, port):
            web = next(psutil.Process(one.pid) for one in _connections(port) if one.pid)
            _idle(web)
        _cost(pilot, look, web, lambda: _watching(waiting, cookies, port))


def _idle(web: psutil.Process) -> None:
    """Print what the web process takes while nobody is told anything."""
    pause(BEGIN_S)
    begun = _cpu_s(web)
    pause(IDLE_S)
    figure("web process while 500 wait", (_cpu_s(web) - begun) / IDLE_S * 100, "% of a core", 1)


def _cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def _cost(
    pilot: Installation,
    look: Looking,
    web: psutil.Process,
    watching: Callable[[], AbstractContextManager[object]],
) -> None:
    """Print what the engine loses; in turns, so that what else the machine does meets both.

    What the web process takes meanwhile tells more than rates on a machine that others use.
    """
    rates: dict[bool, list[float]] = {False: [], True: []}
    busy_s = 0.0
    for number in range(2 * ROUNDS):
        watched = number % 4 in {1, 2}
        with watching() if watched else nullcontext():
            agent = pilot.noop_agent(w1.STEPS)
            first, begun = w1.queued(pilot, look, agent), _cpu_s(web)
            rates[watched].append(w1.rate(look, agent, first))
            busy_s += (_cpu_s(web) - begun) * watched
    alone, seen = percentile(rates[False], 50), percentile(rates[True], 50)
    figure("engine, watched by 500", seen, "steps/s", ROUNDS, alone)
    lost = (1 - seen / alone) * 100
    figure("engine's throughput lost to 500 viewers", lost, "%", ROUNDS, None, GOAL_PERCENT)
    took_s = sum(w1.AT_ONCE * w1.STEPS / rate for rate in rates[True])
    figure("web process while the engine runs", busy_s / took_s * 100, "% of a core", ROUNDS)


def _follow_steps(  # noqa: PLR0913 -- where, who, and when each execution begins
    pilot: Installation,
    look: Looking,
    cookies: list[str],
    port: int,
    begins: list[float],
    goal_ms: int | None,
) -> None:
    """Let the executions run, each from its moment on (s), and print how its events came."""
    rest = [_delay(number, PAUSE_S) for number in range(1, STEPS + 1)]
    agents = [pilot.agent(_delay(0, begin), *rest) for begin in begins]
    look.close_gate()
    started = _started(pilot, agents)
    with _watching(started, cookies, port) as viewers:
        look.open_gate(started[0])
        ids = [str(one) for one in started]
        query = "SELECT bool_and(status = 'completed') FROM execution WHERE id = ANY(%s::uuid[])"
        look.wait_until(query, ids, every_s=0.1)
        pause(3.0)
    _told(look, viewers, "in turn" if len(set(begins)) > 1 else "at once", goal_ms)


def _delay(number: int, seconds: float) -> dict:
    before = [f"s{number - 1}"] if number else []
    return {"id": f"s{number}", "type": "delay", "for_s": seconds, "dependencies": before}


def _cookie(number: int, name: str) -> str:
    viewer = world.person(f"viewer{number}", "viewer")
    return f"{name}={viewer.sign_in()}"


def _started(pilot: Installation, agents: list[UUID]) -> list[UUID]:
    with psycopg.connect(db.dsn(pilot.superuser_url), autocommit=True) as connection:
        connection.execute(SHARED)
    return [pilot.start(agent) for agent in agents]


@contextmanager
def _web(pilot: Installation) -> Iterator[int]:
    """Run the web server as `pilot up` does; gives its port."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    environment = as_installed(
        DATABASE_URL=pilot.database_url,
        REDIS_URL=pilot.redis_url,
        PILOT_DATA=str(pilot.folder / "data"),
        PILOT_SECRET_KEYS=KEY,
    )
    with (pilot.folder / "web.log").open("ab") as log:
        command = [sys.executable, "-P", *up.web_arguments(HOST, port)]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    while True:
        connection = HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/health/live")
            connection.getresponse()
        except (OSError, HTTPException):
            pause(0.1)
        else:
            return
        finally:
            connection.close()


@contextmanager
def _watching(started: list[UUID], cookies: list[str], port: int) -> Iterator[list[Viewer]]:
    """Keep 500 streams open."""
    viewers = [Viewer(execution, cookie) for cookie in cookies for execution in started]
    loop = asyncio.new_event_loop()
    thread = Thread(target=_run, args=[loop, _follow_all(viewers, port)], daemon=True)
    thread.start()
    end = perf_counter() + 60
    while not all(one.open for one in viewers):
        if perf_counter() > end:
            raise TimeoutError(f"{sum(one.open for one in viewers)} of {len(viewers)} are open")
        pause(0.1)
    figure("viewers", len(viewers), "", 1)
    yield viewers
    for task in asyncio.all_tasks(loop):
        loop.call_soon_threadsafe(task.cancel)
    thread.join()
    while [one for one in _connections(port) if one.status != psutil.CONN_TIME_WAIT]:
        pause(0.1)  # until the server has seen it too: who is gone still takes a seat


def _connections(port: int) -> list[Any]:
    """Return the server's ends of the connections to it."""
    every = psutil.net_connections("tcp")
    return [one for one in every if one.laddr and one.laddr.port == port and one.raddr]


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine) -> None:
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(work)


async def _follow_all(viewers: list[Viewer], port: int) -> None:
    await asyncio.gather(*(_follow(one, port) for one in viewers), return_exceptions=True)


async def _follow(viewer: Viewer, port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port, limit=2**20)
    head = f"GET /executions/{viewer.execution}/stream HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
    writer.write(f"{head}Cookie: {viewer.cookie}\r\n\r\n".encode())
    rest = b""
    try:
        while data := await reader.read(2**18):
            *messages, rest = (rest + data).split(b"\n\n")  # no line of a page is empty
            for message in messages:
                if found := ID.search(message):
                    viewer.came.append((int(found[1]), time.time()))  # noqa: TID251 -- the database's clock
                    viewer.open = True
                if b"event: done" in message[:80]:
                    return
    finally:
        writer.close()


def _told(look: Looking, viewers: list[Viewer], when: str, goal_ms: int | None) -> None:
    """Print how late each event came to each of its viewers, and how many never did."""
    delays, lost = [], 0
    for viewer in viewers:
        opened = viewer.came[0][1]
        rows = look.connection.execute(
            "SELECT seq, extract(epoch FROM at)::float FROM event WHERE execution_id = %s",
            [viewer.execution],
        )
        shown = sorted(viewer.came)
        found = rows.fetchall()
        begun = min(at for seq, at in found if at > opened) + BEGIN_S
        for seq, at in found:
            came = next((moment for number, moment in shown if number >= seq), None)
            if came is None:
                lost += 1
            elif at > begun:
                delays.append((came - at) * 1000)
    count = sum(len(one.came) for one in viewers)
    figure(f"messages to viewers, steps {when}", count, "", len(viewers))
    figure(f"events that never reached a viewer, steps {when}", lost, "", len(delays), None, 0)
    late = f"event to one of 500 viewers, steps {when}"
    figure(f"{late}, p50", percentile(delays, 50), "ms", len(delays))
    figure(f"{late}, p99", percentile(delays, 99), "ms", len(delays), None, goal_ms)


if __name__ == "__main__":
    main()
