"""A request of a page that fails: told, what was there is kept and marked, and asked again."""

import re

import pytest
from playwright.sync_api import expect

from pilot.errors import UnavailableError
from pilot.views import agents
from tests.engine import worker_process as wp

ASKED = "**/agents?*"
PROXY = "<html><title>502</title><body><h1>Bad gateway nginx</h1></body></html>"
FOREIGN = {
    "a proxy's 502": {"status": 502, "body": PROXY, "content_type": "text/html"},
    "a portal's 200": {"status": 200, "body": PROXY, "content_type": "text/html"},
    "JSON": {"status": 500, "body": '{"x": 1}', "content_type": "application/json"},
}


@pytest.fixture
def page(window, world):
    """Give the list of agents, which has one."""
    step = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
    wp.make_agent(world.operator.id, [step])
    page = window(world.operator)
    page.goto("/agents")
    return page


def search(page, text="Test") -> None:
    page.locator("#filter-q").fill(text)


def check_told(page, url) -> None:
    """Find the message, the rows as they were, and the URL that belongs to them."""
    expect(page.locator("#alert .notice-title")).to_have_text("No answer from Pilot")
    expect(page.locator("#rows.stale tbody th")).to_have_text("Test")
    expect(page.locator("#rows[aria-busy]")).to_have_count(0)
    assert page.url == url
    assert page.get_by_text("nginx").count() == 0


def check_answered(page) -> None:
    expect(page.locator("#alert")).to_be_empty()
    expect(page.locator("#rows:not(.stale)")).to_have_count(1)
    expect(page.locator("#rows tbody th")).to_have_text("Test")
    expect(page).to_have_url(re.compile("q=Test"))


@pytest.mark.browser
@pytest.mark.parametrize("answer", FOREIGN.values(), ids=FOREIGN)
def test_what_others_answer_is_never_shown(page, answer):
    url = page.url
    page.route(ASKED, lambda route: route.fulfill(**answer))
    search(page)
    check_told(page, url)
    page.unroute(ASKED)
    page.get_by_role("button", name="Try again").click()
    check_answered(page)


@pytest.mark.browser
def test_a_broken_connection_is_told_and_asked_again(page):
    url = page.url
    page.route(ASKED, lambda route: route.abort())
    search(page)
    check_told(page, url)
    page.get_by_role("button", name="Try again").click()
    check_told(page, url)
    page.unroute(ASKED)
    page.get_by_role("button", name="Try again").click()
    check_answered(page)


@pytest.mark.browser
def test_no_answer_is_told_after_a_while(page):
    url = page.url
    assert page.evaluate("htmx.config.defaultTimeout") == 20_000
    page.evaluate("htmx.config.defaultTimeout = 1500")
    held = []
    page.route(ASKED, lambda route: held.append(route))  # noqa: PLW0108 - it marks its functions
    search(page)
    expect(page.locator("#rows[aria-busy=true]")).to_have_count(1)
    check_told(page, url)
    page.unroute(ASKED)
    search(page, "Tes")  # another filter is as good as the button
    expect(page.locator("#alert")).to_be_empty()
    expect(page.locator("#rows:not(.stale)")).to_have_count(1)


@pytest.mark.browser
def test_an_error_of_pilot_tells_itself_and_keeps_rows_and_url(page, monkeypatch):
    url = page.url

    def away(*_):
        raise UnavailableError("The database is away")

    with monkeypatch.context() as patch:
        patch.setattr(agents.agents, "listed", away)
        search(page)
        expect(page.locator("#alert .notice-title")).to_have_text("The database is away")
    expect(page.locator("#rows.stale tbody th")).to_have_text("Test")
    assert page.url == url
    search(page, "Tes")
    expect(page.locator("#alert")).to_be_empty()
    expect(page.locator("#rows:not(.stale)")).to_have_count(1)


@pytest.mark.browser
def test_what_asks_again_by_itself_takes_its_message_back(window, world):
    page = window(world.operator)
    page.goto("/")
    held = {"broken": True}

    def answer(route):
        partial = route.request.headers.get("hx-request-type") == "partial"
        route.abort() if partial and held["broken"] else route.continue_()

    page.route("**/", answer)
    expect(page.locator("#alert .notice-title")).to_have_text("No answer from Pilot", timeout=9_000)
    held["broken"] = False
    expect(page.locator("#alert")).to_be_empty(timeout=9_000)
    expect(page.locator("#counters.stale")).to_have_count(0)
