"""From an event in the database to the page that shows it, over SSE, written by another process."""

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import UUID

from benchmarks.figures import figure, percentile, wait_for_quiet
from benchmarks.installation import Installation, Looking, installed, served
from pilot.config import Config
from pilot.web import create_app
from tests import world

PAUSES = 40
GOAL_MS = 300
ID = re.compile(rb"^id: (\d+)$")
STEPS = [
    {"id": f"s{n}", "type": "delay", "for_s": 0.1, "dependencies": [f"s{n - 1}"] if n else []}
    for n in range(PAUSES)
]


def main() -> None:
    """Print the figure."""
    with installed() as pilot, pilot.worker(), pilot.looking() as look:
        look.wait_for_worker()
        wait_for_quiet()
        with _served(pilot) as (url, cookie):
            execution = pilot.start(pilot.agent(*STEPS))
            page = f"{url}/executions/{execution}"
            urlopen(Request(page, headers={"Cookie": cookie})).close()  # as a browser begins
            seen = dict(_listen(f"{page}/stream", cookie))
        delays = _delays(look, execution, seen)
    figure("sse_event_to_page_p50_ms", percentile(delays, 50), "ms", len(delays))
    figure("sse_event_to_page_p95_ms", percentile(delays, 95), "ms", len(delays), None, GOAL_MS)


@contextmanager
def _served(pilot: Installation) -> Iterator[tuple[str, str]]:
    key = base64.urlsafe_b64encode(b"k" * 32).decode()
    app = create_app(
        Config.from_env({"PILOT_SECRET_KEYS": key, "PILOT_DATA": str(Path(pilot.folder))})
    )
    viewer = world.person("watcher", "admin")
    with served(app) as url:
        yield url, f"{app.config['SIGN_IN_COOKIE']}={viewer.sign_in()}"


def _listen(url: str, cookie: str) -> Iterator[tuple[int, float]]:
    """Yield for each message the newest event that it shows, and when it had come."""
    with urlopen(Request(url, headers={"Cookie": cookie})) as stream:
        number = 0
        for line in stream:
            found = ID.match(line.strip())
            number = int(found[1]) if found else number
            if not line.strip() and number:
                yield number, time.time()  # noqa: TID251 -- compared with the database's clock
            if line.startswith(b"event: done"):
                return


def _delays(look: Looking, execution: UUID, seen: dict[int, float]) -> list[float]:
    """Return for each event the ms from its row to the first message that shows it."""
    rows = look.connection.execute(
        "SELECT seq, extract(epoch FROM at)::float FROM event WHERE execution_id = %s", [execution]
    ).fetchall()
    shown = sorted(seen.items())
    found = []
    for seq, at in rows:
        came = next((moment for number, moment in shown if number >= seq), None)
        if came is not None and came >= at:
            found.append((came - at) * 1000)
    return found


if __name__ == "__main__":
    main()
