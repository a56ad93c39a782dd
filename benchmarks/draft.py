"""From a typed goal to the saved agent, drafted by a model; then another primary model chosen.

Over real HTTP with a worker process and the scripted peer. A click is a form that is sent or a
choice that is made; what a page fetches by itself is none.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from time import monotonic, perf_counter
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.figures import figure, percentile, timed_ms, wait_for_quiet
from benchmarks.installation import GIVE_UP_S, Installation, installed, pause, peer_of, served
from pilot import db, settings, strictjson
from pilot.config import Config
from pilot.llm import tokens
from pilot.web import create_app
from tests import world
from tests.engine.generation import asked, test_prompt
from tests.pages import PARTIAL, TOKEN

RUNS = 9
GOAL_S, GOAL_CLICKS, GOAL_PROJECTION_MS, GOAL_TOKENS = 2, 3, 300, 1_500
CONFIG = "/system-config/workflow-pilot"
VERSION = re.compile(r'name="version" type="hidden" value="(\d+)"')
FORM = "application/x-www-form-urlencoded"
NO_HEADERS: Mapping[str, str] = {}
MODELS = {
    "orchestrator_primary_model": "strong",
    "orchestrator_fallback_model": "cheap",
    "orchestrator_enable_fallback": "y",
}


def main() -> None:
    """Print the figures."""
    _prompts()
    with installed() as pilot, peer_of(pilot) as peer, pilot.worker(), pilot.looking() as look:
        asked.set_up(peer)
        peer.script({"reply": asked.GOOD})
        look.wait_for_worker()
        with _visiting(pilot) as visitor:
            visitor.draft("G0")  # it loads what is needed
            visitor.project()
            wait_for_quiet()
            runs = [visitor.draft(f"G{number}") for number in range(1, RUNS + 1)]
            projections = [timed_ms(visitor.project) for _ in range(RUNS)]
            clicks = visitor.change_primary()
    seconds = [took for took, _ in runs]
    figure("draft_goal_to_saved", percentile(seconds, 50), "s", RUNS, None, GOAL_S)
    figure("draft_goal_to_saved_max", max(seconds), "s", RUNS, None, GOAL_S)
    figure("draft_clicks", max(clicks for _, clicks in runs), "clicks", RUNS, None, GOAL_CLICKS)
    figure("draft_change_of_primary_clicks", clicks, "clicks", 1, None, GOAL_CLICKS)
    p50, most = percentile(projections, 50), max(projections)
    figure("draft_projection_p50", p50, "ms", RUNS, None, GOAL_PROJECTION_MS)
    figure("draft_projection_max", most, "ms", RUNS, None, GOAL_PROJECTION_MS)


def _prompts() -> None:
    """Print the most that a model is told, of all that a prompt can hold."""
    for count in (133, 1_000):
        sizes = [
            tokens.of_request(test_prompt.told(count, goal, tables, hint, test_prompt.ANSWERS)[1])
            for goal in (asked.GOAL, test_prompt.LONG)
            for tables in ((), (*test_prompt.OTHERS, test_prompt.CUSTOMERS))
            for hint in test_prompt.HINTS.values()
        ]
        figure(f"draft_prompt_{count}", max(sizes), "tokens", len(sizes), None, GOAL_TOKENS)


@contextmanager
def _visiting(pilot: Installation) -> Iterator["Visitor"]:
    facts = {"PILOT_DATA": str(pilot.folder / "data")}
    app = create_app(
        Config.from_env(facts | {"PILOT_SECRET_KEYS": os.environ["PILOT_SECRET_KEYS"]})
    )
    person = world.person("visitor", "admin")
    with served(app) as url:
        yield Visitor(url, {app.config["SIGN_IN_COOKIE"]: person.sign_in()})


class Visitor:
    """A signed-in person who reads pages and sends their forms."""

    def __init__(self, url: str, cookies: dict[str, str]) -> None:
        """Visit the application at a URL."""
        self._at, self._cookies = urlsplit(url).netloc, cookies

    def draft(self, word: str) -> tuple[float, int]:
        """Draft a goal and save it; returns the seconds from the sent goal on, and the clicks."""
        page = self._get("/agents/new")
        start = perf_counter()
        goal = {"goal": f"{asked.GOAL} Mention {word} in it.", "request_id": word}
        draft = self._post("/agents/new", page, goal)
        twin = self._until_done(f"{draft}.json")
        page = self._get(draft)
        if twin["generator"] != "cheap" or "Save agent" not in page:
            raise AssertionError(f"{twin['generator']} drafted: {twin['failure']}")
        saved = self._post(f"{draft}/save", page, {"name": f"Agent of {word}"})
        seconds = perf_counter() - start
        if "/agents/" not in saved:
            raise AssertionError(saved)
        return seconds, 2

    def project(self) -> None:
        """Choose another primary model, which the page answers with its projection."""
        found = self._get(f"{CONFIG}?{urlencode(MODELS)}", PARTIAL)
        if "Your selection" not in found or "Not saved yet" not in found:
            raise AssertionError("The page shows no projection.")

    def change_primary(self) -> int:
        """Choose another primary model and save it; returns the clicks."""
        page = self._get(CONFIG)
        self.project()
        version = VERSION.search(page)
        self._post(CONFIG, page, MODELS | {"version": version[1] if version else ""})
        with db.reading(None) as session:
            kept = settings.snapshot(session)[0]
        if any(kept[name] != value for name, value in MODELS.items() if value != "y"):
            raise AssertionError(f"not saved: {kept}")
        return 2

    def _until_done(self, path: str) -> dict[str, Any]:
        end = monotonic() + GIVE_UP_S
        while (twin := strictjson.loads(self._get(path)))["stage"] != "done":
            if monotonic() > end:
                raise TimeoutError(path)
            pause(0.01)
        return dict(twin)

    def _get(self, path: str, headers: Mapping[str, str] = NO_HEADERS) -> str:
        return self._ask("GET", path, None, headers)[1]

    def _post(self, path: str, page: str, form: Mapping[str, str]) -> str:
        """Send a form of a page; returns where it leads."""
        token = TOKEN.search(page)
        body = urlencode({"csrf_token": token[1] if token else "", **form})
        where, text = self._ask("POST", path, body, {"Content-Type": FORM})
        if not where:
            raise AssertionError(text)
        return where

    def _ask(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[str, str]:
        connection = HTTPConnection(self._at, timeout=GIVE_UP_S)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection.request(method, path, body, {"Cookie": cookies, **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for one in answer.headers.get_all("Set-Cookie", []):
            name, _, value = one.partition(";")[0].partition("=")
            self._cookies[name] = value
        if answer.status >= 400:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:500]}")
        return answer.headers.get("Location", ""), text


if __name__ == "__main__":
    main()
