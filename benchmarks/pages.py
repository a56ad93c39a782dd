"""What the first view of a page weighs, compressed, with all that it links; how fast lists are."""

import base64
import gzip
import re

from benchmarks.figures import figure, percentile, timed_ms, wait_for_quiet
from benchmarks.installation import installed
from pilot.config import Config
from pilot.web import create_app
from tests import world
from tests.pages import Browser

GOAL_KB = 60
RUNS = 40
LINK = re.compile(r'(?:href|src)="(/static/[^"#]+)')
PAGES = ("/", "/agents", "/executions", "/approvals", "/audit", "/system-config", "/costs")
ZIPPED = {"Accept-Encoding": "gzip"}


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        key = base64.urlsafe_b64encode(b"k" * 32).decode()
        app = create_app(
            Config.from_env({"PILOT_SECRET_KEYS": key, "PILOT_DATA": str(pilot.folder)})
        )
        browser = Browser(app, world.person("admin", "admin").sign_in())
        wait_for_quiet()
        weights = {page: _weight(browser, page) for page in PAGES}
        taken = [timed_ms(lambda url=page: browser.get(url)) for page in PAGES for _ in range(RUNS)]
    heaviest = max(weights.values())
    figure("pages_heaviest_first_view_kb", heaviest, "KB", len(PAGES), None, GOAL_KB)
    figure("pages_p95_ms", percentile(taken, 95), "ms", len(taken))


def _weight(browser: Browser, page: str) -> float:
    html = browser.get(page).text
    links = set(LINK.findall(html))
    parts = [len(browser.get(link, headers=ZIPPED).data) for link in links]
    return (sum(parts) + len(gzip.compress(html.encode()))) / 1024


if __name__ == "__main__":
    main()
