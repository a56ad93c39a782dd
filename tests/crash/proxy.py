"""A proxy between workers and their database that breaks connections as a network does."""

import asyncio
import contextlib
import tempfile
import threading
from contextlib import contextmanager

CHUNK_BYTES = 16_384


class Proxy:
    """Forwards what comes over a unix socket; `cut`, `cut_after` and `stall` are for tests."""

    def __init__(self, here, there):
        self._here, self._there = here, there
        self._loop = asyncio.new_event_loop()
        self._writers = set()
        self._left = None  # bytes that still pass before all is cut
        self._open = asyncio.Event()
        self._open.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def cut(self):
        """Reset all connections."""
        self._loop.call_soon_threadsafe(self._abort)

    def cut_after(self, count):
        """Reset all connections after so many more bytes: amid a statement or its answer."""
        self._loop.call_soon_threadsafe(setattr, self, "_left", count)

    def stall(self, seconds):
        """Let nothing pass for a while; nobody is told."""
        self._loop.call_soon_threadsafe(self._open.clear)
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._open.set)

    def start(self):
        self._thread.start()
        self._ready.wait()

    def stop(self):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    async def _run(self):
        self._ended = asyncio.Event()
        server = await asyncio.start_unix_server(self._accept, self._here)
        self._ready.set()
        await self._ended.wait()
        server.close()
        self._abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader, writer):
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            back, forth = await asyncio.open_unix_connection(self._there)
            self._writers.add(forth)
            await asyncio.gather(self._pass(reader, forth), self._pass(back, writer))
        writer.transport.abort()

    async def _pass(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._open.wait()
                if self._left is not None:
                    data, self._left = data[: self._left], self._left - len(data)
                writer.write(data)
                if self._left is not None and self._left <= 0:
                    await writer.drain()
                    self._abort()
                    return
        writer.transport.abort()

    def _abort(self):
        self._left = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@contextmanager
def proxied(url):
    """Give a proxy and the URL of the same database through it."""
    sockets = url.split("host=")[1].split("&")[0]
    with tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(f"{folder}/.s.PGSQL.5432", f"{sockets}/.s.PGSQL.5432")
        proxy.start()
        try:
            yield proxy, url.replace(sockets, folder)
        finally:
            proxy.stop()
