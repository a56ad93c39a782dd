"""What tests of pages use: the application, browsers without and with script."""

import base64
import re
from dataclasses import replace
from functools import cache
from threading import Thread

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from flask import Flask
from jinja2 import BytecodeCache
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

from pilot import vault
from pilot.config import Config
from pilot.views import streams, watch
from pilot.web import create_app, settings_of
from tests.patience import until

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
TOKEN = re.compile(r'"X-CSRFToken":"([^"]+)"')


class Templates(BytecodeCache):
    """Compiled templates of this process, so that each application does not compile its own."""

    def __init__(self) -> None:
        self.compiled = {}

    def load_bytecode(self, bucket):
        if bucket.key in self.compiled:
            bucket.bytecode_from_string(self.compiled[bucket.key])

    def dump_bytecode(self, bucket):
        self.compiled[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _templates_compiled_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Flask.jinja_options, "bytecode_cache", Templates())
        yield


class Browser:
    """A browser without script: cookies, and the CSRF token of the page it last saw."""

    def __init__(self, app, token: str | None) -> None:
        self.client = app.test_client()
        if token:
            self.client.set_cookie(app.config["SIGN_IN_COOKIE"], token)

    def get(self, url, **more):
        return self.client.get(url, buffered=True, **more)

    def fragment(self, url, **more):
        return self.client.get(url, headers=PARTIAL, **more)

    def kept_token(self) -> str:
        """Return a token that holds while this browser stays signed in."""
        self.token = getattr(self, "token", None) or self.csrf_token()
        return self.token

    def csrf_token(self) -> str:
        return TOKEN.search(self.client.get("/no-such-page").text)[1]

    def post(self, url, data=None, **more):
        return self.client.post(url, data={"csrf_token": self.csrf_token()} | (data or {}), **more)


@pytest.fixture
def config(tmp_path):
    return Config.from_env({"PILOT_SECRET_KEYS": KEY, "PILOT_DATA": str(tmp_path)})


@cache
def _application() -> Flask:
    """Build the application of this process: to bind its hundreds of routes takes 0.1 s."""
    config = Config.from_env({"PILOT_SECRET_KEYS": KEY})
    return create_app(replace(config, given_redis_url="memory://"))


@pytest.fixture
def vaulted(config):
    """Let this test seal secrets."""
    vault.configure(config.secret_keys)
    yield
    vault.configure(())


@pytest.fixture
def app(world, config, vaulted):
    """Give the application over this test's database and folder; nobody has asked it for much."""
    app = _application()
    kept = dict(app.config)
    app.config.update(settings_of(config))
    for limiter in app.extensions["limiter"]:
        limiter.reset()
    yield app
    app.config.clear()
    app.config.update(kept)


@pytest.fixture
def own_app(world, config, vaulted):
    """Give an application that a test may change: no other one sees it."""
    return create_app(config)


@pytest.fixture
def browse(app):
    """Give `browse(person)`: a `Browser` signed in as that person, or as nobody."""

    def browse(person=None) -> Browser:
        return Browser(app, person.sign_in() if person else None)

    return browse


@pytest.fixture
def served(app):
    """Give the URL of the application on a real port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    _end_streams()
    server.shutdown()
    thread.join()
    server.server_close()


LOOKS = ((1280, "light"), (375, "dark"))  # each theme and each width once; both take twice as long


# Only what is wrong: of what is right, the list took as much time as the search.
SEARCH = "axe.run({resultTypes: ['violations']}).then(found => ({violations: found.violations}))"


def check_accessible(page) -> None:
    """Find nothing with axe, which a page is given once."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = AxeResults(page.evaluate(SEARCH))
    assert not found.violations_count, found.generate_report()


def check_looks(page) -> None:
    """Find nothing wrong with a page in either look."""
    for width, scheme in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def _note(page, text) -> None:
    """Keep a complaint, unless a test that resized its window broke off a change of pages by it."""
    if not text.startswith("Transition was aborted because of invalid state. Viewport size"):
        page.complaints.append(text)


def _end_streams():
    """Wait for streams whose reader is gone: they must not outlive the database of their test."""
    longest, watch.LONGEST_S = watch.LONGEST_S, 0
    until(lambda: not streams.SEATS.taken.total())
    watch.LONGEST_S = longest


@pytest.fixture(scope="module")  # its event loop would stand in the way of tests of others
def running_chromium(chromium):
    """Give a running Chromium."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        running = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()


@pytest.fixture
def window(running_chromium, app, served):
    """Give `window(person, **options)`: a Playwright page, signed in, that records complaints."""
    contexts = []

    def window(person, **options):
        still = {"reduced_motion": "reduce"}  # each picture of a motion is drawn by this machine
        context = running_chromium.new_context(base_url=served, **(still | options))
        contexts.append(context)
        cookie = {"name": app.config["SIGN_IN_COOKIE"], "value": person.sign_in(), "url": served}
        context.add_cookies([cookie])
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda line: _keep(page, line))
        page.on("pageerror", lambda error: _note(page, str(error)))
        return page

    yield window
    for context in contexts:
        context.close()


def _keep(page, line) -> None:
    if line.type in {"error", "warning"}:
        page.complaints.append(line.text)
