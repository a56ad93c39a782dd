"""How fast pages are over a long history, and what the first view of one weighs, compressed."""

import base64
import gzip
import re
from collections.abc import Callable
from uuid import UUID

import psycopg
from flask import Flask

from benchmarks import history
from benchmarks.figures import figure, percentile, timed_ms, wait_for_quiet
from benchmarks.installation import Installation, installed, sign_in
from pilot import db
from pilot.config import Config
from pilot.reports import executions
from pilot.reports.listing import Listed, Wanted
from pilot.views.lists import next_url
from pilot.web import create_app
from tests import world
from tests.pages import Browser

GOAL_KB, LIST_MS, EXECUTION_MS = 60, 80, 50
RUNS = 20
DEEP = 90_000  # rows before the page
LINK = re.compile(r'(?:href|src)="(/static/[^"#]+)')
WEIGHED = ("/", "/agents", "/executions", "/approvals", "/audit", "/system-config", "/costs")
ZIPPED = {"Accept-Encoding": "gzip"}
SORTED = [f"/executions?sort={sign}{sort}" for sort in executions.SORTS for sign in ("", "-")]
LISTS = (
    *SORTED,
    "/executions?status=failed",
    "/executions?status=paused&sort=duration",
    "/executions?mode=test",
    "/executions?money=unpriced",
    "/executions?cost_min=0.01",
    "/executions?within=24h",
    "/executions?since=2026-01-01&until=2026-01-31",
    "/executions?q=Test+7",
    "/executions?q=mail+server",
    "/executions?q=no+such+text",
    "/agents",
    "/agents?sort=-cost",
    "/agents?q=goal",
    "/approvals",
    "/approvals?tab=all",
    "/approvals?tab=decided",
    "/approvals?tab=decided&q=send",
    "/",
)
OF_ADMIN = (
    "/audit",
    "/audit?sort=at",
    "/audit?event=PILOT_EXECUTION_STARTED",
    "/audit?severity=critical",
    "/audit?q=no+such+text",
    "/audit?actor=nobody",
)
SHEETS = ("/executions.csv", "/agents.csv", "/approvals.csv")


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        world.person("admin", "admin")
        world.person("nobody", "viewer")
        few = world.person("few", "operator")
        history.write(pilot, few.id)
        app = _app(pilot)
        browsers = {name: Browser(app, sign_in(name)) for name in ("owner", "admin", "few")}
        nobody = Browser(app, sign_in("nobody"))
        weights = [_weight(browsers["admin"], page) for page in WEIGHED]
        figure("pages_heaviest_first_view_kb", max(weights), "KB", len(WEIGHED), None, GOAL_KB)
        with psycopg.connect(db.dsn(pilot.superuser_url), autocommit=True) as connection:
            for name, browser in browsers.items():
                urls = [*LISTS, *((*OF_ADMIN, _rare(connection)) if name == "admin" else ())]
                if name != "few":
                    urls.append(_deep(app, connection))
                urls += _executions(connection, few.id if name == "few" else pilot.owner)
                _measured(browser, name, urls, nobody)
        for sheet in SHEETS:
            taken = timed_ms(lambda url=sheet: browsers["admin"].get(url))
            figure(f"{sheet} as admin", taken, "ms", 1)


def _app(pilot: Installation) -> Flask:
    key = base64.urlsafe_b64encode(b"k" * 32).decode()
    return create_app(Config.from_env({"PILOT_SECRET_KEYS": key, "PILOT_DATA": str(pilot.folder)}))


def _weight(browser: Browser, page: str) -> float:
    html = browser.get(page).text
    links = set(LINK.findall(html))
    parts = [len(browser.get(link, headers=ZIPPED).data) for link in links]
    return (sum(parts) + len(gzip.compress(html.encode()))) / 1024


def _deep(app: Flask, connection: psycopg.Connection) -> str:
    """Return the URL of a page far down the list."""
    row = connection.execute(
        "SELECT created_at::text, id::text FROM execution ORDER BY created_at DESC OFFSET %s LIMIT 1",
        [DEEP],
    ).fetchone()
    with app.test_request_context("/executions"):
        listed = Listed([], 0, (row[0], row[1]))
        return next_url(listed, Wanted("-started"), vars(executions.Filters()))


def _rare(connection: psycopg.Connection) -> str:
    """Return the URL of a search that finds the few records of one execution."""
    row = connection.execute("SELECT id FROM execution ORDER BY id DESC LIMIT 1").fetchone()
    return f"/audit?q={row[0]}"


def _executions(connection: psycopg.Connection, owner: UUID) -> list[str]:
    """Return the pages of an execution with all its steps, and of the newest."""
    large = "SELECT execution_id FROM step_execution WHERE path = 's39' AND owner_id = %s LIMIT 1"
    newest = "SELECT id FROM execution WHERE owner_id = %s ORDER BY id DESC LIMIT 1"
    ids = [connection.execute(query, [owner]).fetchone()[0] for query in (large, newest)]
    return [f"/executions/{one}{tab}" for one in ids for tab in ("", "?tab=events", "?tab=audit")]


def _measured(browser: Browser, name: str, urls: list[str], nobody: Browser) -> None:
    """Print the p95 of each page beside that of an empty list, measured in turns with it."""
    for url in urls:
        wait_for_quiet(1.0)
        _visit(browser, url)()  # the first of a kind in a process compiles its template
        taken, empty = [], []
        for _ in range(RUNS):
            taken.append(timed_ms(_visit(browser, url)))
            empty.append(timed_ms(_visit(nobody, "/executions")))
        goal = EXECUTION_MS if url.startswith("/executions/") else LIST_MS
        p95, floor = percentile(taken, 95), percentile(empty, 95)
        figure(f"{_short(url)} as {name}, p95", p95, "ms", RUNS, floor, goal)


def _visit(browser: Browser, url: str) -> Callable[[], None]:
    def visit() -> None:
        status = browser.get(url).status_code
        if status != 200:
            raise AssertionError(f"{url}: {status}")

    return visit


def _short(url: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", re.sub(r"after=[^&]+", "after=<deep>", url))


if __name__ == "__main__":
    main()
