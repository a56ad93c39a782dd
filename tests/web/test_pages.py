import pytest
from sqlalchemy import text

from pilot import db


def test_htmx_gets_the_block_with_macros_and_toasts(browse, world):
    part = browse(world.viewer).fragment("/lab/page")
    assert "<h1" not in part.text
    assert "Failed" in part.text
    assert '<hx-partial hx-target="#live" hx-swap="beforeend">' in part.text
    assert "Three settings saved." in part.text


def test_history_restore_gets_the_whole_page(browse, world):
    headers = {"HX-Request": "true", "HX-Request-Type": "full"}
    assert "<h1>Lab</h1>" in browse(world.viewer).get("/lab/page", headers=headers).text


@pytest.mark.capability(271)
def test_a_page_names_its_twin_and_the_twin_answers(browse, world):
    browser = browse(world.viewer)
    link = browser.get("/lab/page?q=a%3Eb&x=%22").headers["Link"]
    assert link == '</lab/page.json?q=a%3Eb&x=%22>; rel="alternate"; type="application/json"'
    assert browser.get("/lab/page.json").json == {"rows": [1]}


def test_a_context_name_that_hides_a_macro_is_an_error(browse):
    assert browse().get("/lab/shadow").status_code == 500


def test_the_theme_is_kept_and_rendered_without_script(browse):
    browser = browse()
    assert 'data-theme="system"' in browser.get("/no-such-page").text
    headers = {"Referer": "http://localhost/agents?q=1"}
    response = browser.post("/interface/theme", {"theme": "dark"}, headers=headers)
    assert (response.status_code, response.headers["Location"]) == (303, "/agents?q=1")
    assert 'data-theme="dark"' in browser.get("/no-such-page").text


def test_an_unknown_theme_changes_nothing_and_leads_home(browse):
    browser = browse()
    headers = {"Referer": "http://localhost//evil.test"}
    response = browser.post("/interface/theme", {"theme": "<script>"}, headers=headers)
    assert response.headers["Location"] == "/"
    assert "pilot-theme" not in str(response.headers)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Europe/Berlin", "Europe/Berlin"), ("../../etc/passwd", "UTC"), ("x" * 900, "UTC")],
)
def test_times_use_the_browsers_zone_if_it_is_one(browse, zone, shown):
    browser = browse()
    browser.client.set_cookie("pilot-zone", zone)
    assert f"Times in {shown}<" in browser.get("/no-such-page").text


def test_a_persons_zone_beats_the_browsers(browse, world):
    browser = browse(world.viewer)
    with db.transaction("test.zone", world.viewer.id) as session:
        session.execute(text("UPDATE app_user SET zone = 'Asia/Tokyo'"))
    browser.client.set_cookie("pilot-zone", "Europe/Berlin")
    assert "Times in Asia/Tokyo<" in browser.get("/no-such-page").text


@pytest.mark.browser
def test_an_error_of_a_fragment_stands_in_the_alert_until_the_next_request(window, world):
    page = window(world.operator)
    page.goto("/lab/page")
    page.get_by_role("button", name="Ask").click()
    page.locator("#alert", has_text="Decided by Ada").wait_for()
    assert page.get_by_role("button", name="Ask").inner_text() == "Ask"
    page.get_by_role("button", name="Save").click()
    page.locator("#said", has_text="saved").wait_for()
    assert page.locator("#alert").inner_text() == ""
