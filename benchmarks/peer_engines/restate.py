"""Restate: its server keeps the journal, one process of its Python SDK runs the steps.

`python -m benchmarks.peer_engines.restate serve SERVICE` runs the steps, on the port SERVICE;
`python -m benchmarks.peer_engines.restate drive PORT INGRESS ADMIN SERVICE PROCESS` answers the
benchmark at PORT: it asks the server, and holds the process that serves while it queues.
"""

import asyncio
import http.client
import json
import sys
from collections.abc import Iterable
from datetime import timedelta
from time import monotonic, perf_counter, sleep

from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate import Context, RunOptions, Service, app, gather
from restate.serde import JsonSerde

from benchmarks.peer_engines.answering import answer, held

START_S = 60
AT_ONCE = 500  # the server awaits at most 1,000 steps of one execution, and slows down before
AS_JSON = RunOptions(serde=JsonSerde())

bench = Service("bench")


async def same(output: object) -> object:
    """Return the output of a step."""
    return output


@bench.handler()
async def chain(context: Context, asked: dict) -> None:
    """Run steps one after the other: 1 KB of input, 1 KB of output."""
    rows = asked["rows"]
    for n in range(asked["steps"]):
        rows = await context.run_typed(f"s{n}", same, AS_JSON, output=rows[:100])


@bench.handler()
async def waits(context: Context, asked: dict) -> None:
    """Wait, and again."""
    for _ in range(asked["steps"]):
        await context.sleep(timedelta(seconds=asked["seconds"]))


@bench.handler()
async def items(context: Context, asked: dict) -> None:
    """Run a step for each item."""
    for first in range(0, len(asked["items"]), AT_ONCE):
        some = asked["items"][first : first + AT_ONCE]
        await gather(*(context.run_typed("same", same, AS_JSON, output=one) for one in some))


class Driver:
    """Asks the server for executions."""

    def __init__(self, ingress: int, admin: int, service: int, process: int) -> None:
        self.ingress, self.process = ingress, process
        until_done(admin, "/deployments", {"uri": f"http://127.0.0.1:{service}"})
        until_done(ingress, "/bench/chain", {"steps": 1, "rows": []})

    def one(self, **asked: object) -> float:
        """Time one execution of a chain, from asking for it until the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ingress)
        connection.connect()
        begun = perf_counter()
        request(connection, "/bench/chain", asked)
        return perf_counter() - begun

    def at_once(self, executions: int, **asked: object) -> float:
        """Time so many executions of a chain."""
        return asyncio.run(self.queued("chain", executions, asked))

    def waits(self, executions: int, **asked: object) -> float:
        """Time so many executions that wait."""
        return asyncio.run(self.queued("waits", executions, asked))

    def items(self, **asked: object) -> float:
        """Time one execution over items."""
        return asyncio.run(self.queued("items", 1, asked))

    async def queued(self, handler: str, executions: int, asked: dict) -> float:
        """Queue executions while nothing runs them; return the seconds from then to their end."""
        lines = [
            await asyncio.open_connection("127.0.0.1", self.ingress) for _ in range(executions)
        ]
        with held(self.process):
            sent = (exchange(*line, "POST", f"/bench/{handler}/send", asked) for line in lines)
            ids = [json.loads(reply)["invocationId"] for reply in await asyncio.gather(*sent)]
            ends = [
                asyncio.ensure_future(exchange(*line, "GET", f"/restate/invocation/{one}/attach"))
                for line, one in zip(lines, ids, strict=True)
            ]
            await asyncio.sleep(0)  # so that they ask now
        begun = perf_counter()
        await asyncio.gather(*ends)
        seconds = perf_counter() - begun
        for _, writer in lines:
            writer.close()
        return seconds


def request(connection: http.client.HTTPConnection, path: str, asked: dict) -> None:
    """Ask, and take the answer.

    Raises:
        ConnectionError: it is not a good one.
    """
    connection.request("POST", path, json.dumps(asked), {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status >= 300:
        raise ConnectionError(f"{path}: {response.status} {text!r}")


def until_done(port: int, path: str, asked: dict) -> None:
    """Ask again until the server is ready."""
    end = monotonic() + START_S
    while True:
        try:
            request(http.client.HTTPConnection("127.0.0.1", port), path, asked)
        except (OSError, http.client.HTTPException):
            if monotonic() > end:
                raise
            sleep(0.05)
        else:
            return


async def exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    asked: dict | None = None,
) -> bytes:
    """Return the body of an answer; a client library would take a good part of the time measured.

    Raises:
        ConnectionError: the answer is not a good one.
    """
    body = b"" if asked is None else json.dumps(asked).encode()
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    status, *fields = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    reply = await reader.readexactly(length(fields))
    if not status.split()[1].startswith(b"2"):
        raise ConnectionError(f"{path}: {status!r} {reply!r}")
    return reply


def length(fields: Iterable[bytes]) -> int:
    """Return how long the body is."""
    named = (field.partition(b":") for field in fields)
    return next((int(value) for name, _, value in named if name == b"content-length"), 0)


def main() -> None:
    """Serve, or answer the benchmark."""
    role, port, *others = sys.argv[1:]
    if role == "serve":
        config = Config.from_mapping(bind=[f"127.0.0.1:{port}"])
        asyncio.run(serve(app([bench]), config))
    else:
        driver = Driver(*map(int, others))
        works = {name: getattr(driver, name) for name in ("one", "at_once", "waits", "items")}
        answer(int(port), works)


if __name__ == "__main__":
    main()
