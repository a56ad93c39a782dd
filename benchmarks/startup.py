"""From `pilot up` to the first page, on an empty data folder and on one that exists; idle memory."""

import http.client
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter

import psutil

from benchmarks.figures import figure, percentile
from benchmarks.installation import GIVE_UP_S, as_installed, pause
from tests.servers import free_port

SECOND_STARTS = 3
IDLE_S = 5.0


def main() -> None:
    """Print the figures."""
    home = Path(tempfile.mkdtemp(prefix="pilot-bench-"))
    try:
        with up(home) as (first_s, _):
            pass
        times = []
        for _ in range(SECOND_STARTS):
            with up(home) as (second_s, pilot):
                times.append(second_s)
                pause(IDLE_S)
                memory = {name: own_memory_mb(pilot, name) for name in ("gunicorn", "worker")}
        figure("pilot up to the first page, empty data folder", first_s, "s", 1)
        figure(
            "pilot up to the first page, second start",
            percentile(times, 50),
            "s",
            SECOND_STARTS,
            goal=5.0,
        )
        figure("idle memory of the web server", memory["gunicorn"], "MB", 1)
        figure("idle memory of worker and web", sum(memory.values()), "MB", 1, None, 220)
    finally:
        place = home / "data" / "postgres"
        if place.is_symlink():
            shutil.rmtree(place.readlink().parent)
        shutil.rmtree(home)


@contextmanager
def up(home: Path) -> Iterator[tuple[float, psutil.Process]]:
    """Run `pilot up`; gives the seconds to its first page."""
    port = free_port()
    environment = as_installed(PILOT_DATA=str(home / "data"), PILOT_PORT=port)
    with (home / "out").open("ab") as out:
        before = perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pilot.cli", "up"], env=environment, stdout=out, stderr=out
        )
    try:
        wait_for_page(int(port), process, home / "out")
        yield perf_counter() - before, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def wait_for_page(port: int, process: subprocess.Popen, out: Path) -> None:
    """Ask for the sign-in page until it comes."""
    end = monotonic() + GIVE_UP_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/sign-in")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if monotonic() > end or process.poll() is not None:
            raise TimeoutError(out.read_text())
        pause(0.02)


def own_memory_mb(pilot: psutil.Process, word: str) -> float:
    """Return what the processes with a word in their command line hold for themselves.

    Pages that the web server's two processes share are counted once (PSS).
    """
    found = [one for one in pilot.children(recursive=True) if word in one.cmdline()]
    return sum(one.memory_full_info().pss for one in found) / 2**20


if __name__ == "__main__":
    main()
