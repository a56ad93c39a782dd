"""Filters above lists: every page that has some keeps its rows, its form and its URL together."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from pilot.engine.agents import agents
from tests.engine import worker_process as wp

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
LISTS = ("/agents", "/executions", "/approvals", "/audit", "/costs", "/prices", "/users")
FORM = "main form[aria-label=Filters]"
FIELDS = f"{FORM} :is(input:not([type=hidden]), select:has(option + option))"
COPIES = """
INSERT INTO execution (owner_id, agent_id, agent_name, version_id, version_number, runs,
    runs_reason, mode, started_by, inputs, settings, settings_version, zone, deadline_at, status)
SELECT owner_id, agent_id, agent_name, version_id, version_number, runs, runs_reason, mode,
    started_by, inputs, settings, settings_version, zone, deadline_at, 'completed'
  FROM execution, generate_series(1, 60)
"""


@pytest.fixture
def executions(world, superuser):
    """Give 61 executions, more than the 50 of a page."""
    wp.switch_on()
    wp.start(wp.make_agent(world.operator.id, [STEP]), world.operator.id)
    superuser.execute(COPIES)


def filtered_pages(app, browser) -> list[str]:
    """Return the pages with a form of filters, found in the map of URLs."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods]
    paths = [rule.rule for rule in rules if not rule.arguments and "." not in rule.rule]
    return [path for path in paths if 'aria-label="Filters"' in browser.get(path).text]


def sent(page) -> list[tuple[str, str]]:
    """Return the fields of the form, hidden ones too, as the URL should have them."""
    fields = page.locator(f"{FORM} [name]").all()
    return [(one.get_attribute("name"), one.input_value()) for one in fields]


def in_url(page) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(page.url).query, keep_blank_values=True)


def changed(page, change, *given) -> None:
    """Change a filter and look at what is there after the answer."""
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request")):
        change(*given)
    page.locator(".htmx-request").wait_for(state="detached")
    assert page.locator("#rows").count() == 1, page.url
    assert page.locator(FORM).count() == 1, page.url
    assert sorted(in_url(page)) == sorted(sent(page))
    assert page.locator("#alert").inner_text() == ""


def heads(page) -> list[str]:
    """Return what stays the same when the same rows are shown again."""
    return page.locator("#rows tbody th").all_inner_texts()


def other_value(field):
    """Return a legal value of a field that it does not have."""
    if field.evaluate("one => one.tagName") == "SELECT":
        options = field.locator("option").all()
        values = [one.get_attribute("value") for one in options]
        return next(value for value in values if value != field.input_value())
    day = field.get_attribute("type") == "date"
    return "2026-01-02" if day else "7" if field.input_value() != "7" else "8"


def change(field) -> None:
    value = other_value(field)
    if field.evaluate("one => one.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


@pytest.fixture
def listed(window, world):
    """Give a page of an administrator who has two agents, one that was started."""
    wp.switch_on()
    body = {"format": 1, "name": "Test", "steps": [STEP]}
    for name in ("First", "Second"):
        new = agents.NewAgent(name, goal="test")
        saved = agents.create(new, body, owner_id=world.admin.id, by=wp.BY)
    wp.start(saved.agent_id, world.admin.id)
    return window(world.admin)


def whole(page):
    """Expect one filter form, one list, and no request under way."""
    expect(page.locator("[aria-busy]")).to_have_count(0)
    expect(page.locator(FORM)).to_have_count(1)
    expect(page.locator("#rows")).to_have_count(1)


@pytest.mark.browser
@pytest.mark.capability(225)
@pytest.mark.parametrize("path", LISTS)
def test_every_filter_works_again_and_again(listed, path):
    page = listed
    page.goto(f"{path}?size=25" if path != "/costs" else path)
    rows = page.locator("#rows tbody tr").count()
    fields = page.locator(FORM).locator("select, input:not([type=hidden], [type=date])")
    for _ in range(2):
        for number in range(fields.count()):
            field = fields.nth(number)
            if field.evaluate("one => one.tagName") == "SELECT":
                first = field.input_value()
                values = field.locator("option").evaluate_all("all => all.map(o => o.value)")
                for value in values[:: max(1, len(values) // 3)]:  # all others are alike
                    with page.expect_response(f"**{path}?*"):
                        field.select_option(value)
                    whole(page)
                field.select_option(first)
            else:
                field.fill("nothing like it")
                field.press("Tab")  # input, then change
                page.wait_for_url("**nothing*")
                whole(page)
                field.fill("")
                field.press("Tab")
            whole(page)
    assert "size=25" in page.url or path == "/costs"
    expect(page.locator("#rows tbody tr")).to_have_count(rows)
    assert page.complaints == []


@pytest.mark.browser
@pytest.mark.capability(225)
def test_every_page_with_filters_keeps_its_rows_and_form(app, browse, window, world, executions):
    page = window(world.admin)
    paths = filtered_pages(app, browse(world.admin))
    assert {"/executions", "/agents", "/audit", "/costs", "/approvals"} <= set(paths)
    for path in paths:
        page.goto(path)
        order = page.locator("#rows th a[href*='sort=']")
        if order.count():
            order.first.click()
            page.wait_for_url("**sort=**")
        fields = page.locator(FIELDS).all()
        for turn in range(3):
            changed(page, change, fields[turn % len(fields)])
        shown, values, rows = page.url, sent(page), heads(page)
        page.goto(shown)
        assert (sent(page), heads(page)) == (values, rows), path
    assert page.complaints == []


@pytest.mark.capability(225)
def test_a_name_that_no_filter_has_is_said(app, browse, world):
    admin = browse(world.admin)
    for path in {*filtered_pages(app, admin), "/executions/bulk"} - {"/styleguide"}:
        text = admin.get(f"{path}?statuz=failed").text
        assert "Not a known name or value: statuz = failed." in text, path
    for url in ("/audit?verify=1", "/executions?agent=&bulk=", "/approvals?tab=all", "/costs?day="):
        assert "Ignored filter" not in admin.get(url).text


@pytest.mark.parametrize("name", ["endpoint", "_external", "_scheme", "_anchor", "_method"])
def test_any_name_may_stand_in_the_url(app, browse, world, executions, name):
    admin = browse(world.admin)
    for path in filtered_pages(app, admin):
        page = admin.get(f"{path}?{name}=http&size=25")
        assert page.status_code == 200, path
        links = re.findall(r'href="([^"]*(?:sort|after)=[^"]*)"', page.text)
        assert all(link.startswith(f"{path}?{name}=http&amp;size=25") for link in links)


@pytest.mark.browser
@pytest.mark.capability(225)
def test_filters_keep_order_and_size_and_begin_at_the_first_page(window, world, executions):
    page = window(world.operator)
    page.goto("/executions?sort=agent&size=25")
    search, status = page.locator("#filter-q"), page.locator("#filter-status")
    changed(page, status.select_option, "completed")
    assert len(heads(page)) == 25
    page.locator("#rows a[rel=next]").click()
    page.wait_for_url("**after=**")
    assert page.locator("#filter-status").input_value() == "completed"
    changed(page, status.select_option, "queued")
    assert len(heads(page)) == 1
    changed(page, search.fill, "nothing is called so")
    assert page.get_by_text("Nothing matches").count() == 1
    changed(page, search.fill, "")
    assert {("sort", "agent"), ("size", "25"), ("status", "queued")} <= set(in_url(page))
    page.locator("#rows th a", has_text="Started").click()
    page.wait_for_url("**sort=started**")
    assert {("size", "25"), ("status", "queued")} <= set(in_url(page))
    assert page.complaints == []


@pytest.mark.browser
@pytest.mark.capability(225)
def test_the_last_of_what_was_typed_counts_on_a_slow_server(window, world, executions):
    page = window(world.operator)
    page.goto("/executions")
    held = []
    page.route("**/executions?*", lambda route: held.append(route))  # noqa: PLW0108
    for text in ("no", "none", "none of them"):
        page.locator("#filter-q").fill(text)
        page.wait_for_timeout(500)  # each longer than the pause after which htmx asks
    assert len(held) == 3
    held[-1].continue_()
    page.get_by_text("Nothing matches").wait_for()
    assert ("q", "none of them") in in_url(page)


@pytest.mark.browser
@pytest.mark.capability(225)
@pytest.mark.parametrize("path", ["/executions", "/agents"])
def test_back_shows_what_was_there(window, world, executions, path):
    page = window(world.operator)
    page.goto(path)
    seen = []
    for text in ("", "Test", "nothing is called so"):
        if text:
            changed(page, page.locator("#filter-q").fill, text)
            with page.expect_response(lambda answer: answer.request.headers.get("hx-request")):
                page.locator("#filter-q").press("Tab")  # tells the same a second time
        seen.append((page.url, page.locator("#filter-q").input_value(), heads(page)))
    assert seen[1][2]
    assert not seen[2][2]
    for move, (url, text, rows) in zip(
        (page.go_back, page.go_back, page.go_forward, page.go_forward),
        (seen[1], seen[0], seen[1], seen[2]),
        strict=True,
    ):
        move()
        page.wait_for_url(url)
        expect(page.locator("#rows tbody th")).to_have_text(rows)
        expect(page.locator("#filter-q")).to_have_value(text)
    assert page.complaints == []
