from urllib.parse import quote

import pytest

from pilot import db
from tests.engine import worker_process as wp
from tests.pages import Browser
from tests.web.lab import ERRORS


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_ours_is_a_page_a_fragment_and_a_problem(browse, name):
    browser, (raised, status) = browse(), ERRORS[name]
    page, part = browser.get(f"/lab/error/{name}"), browser.fragment(f"/lab/error/{name}")
    twin = browser.get(f"/lab/error/{name}.json")
    assert {page.status_code, part.status_code, twin.status_code} == {status}
    for answer in (page, part, twin):
        assert answer.headers["X-Request-Id"] in answer.text
        assert raised.message in answer.text
    assert "<html" in page.text
    assert "<html" not in part.text
    assert (part.headers["HX-Retarget"], part.headers["HX-Reswap"]) == ("#alert", "innerHTML")
    assert twin.mimetype == "application/problem+json"
    assert (twin.json["status"], twin.json["code"]) == (status, raised.code)


def test_issues_reach_every_form_of_the_answer(browse):
    assert "/inputs/report" in browse().get("/lab/error/invalid").text
    issue = browse().get("/lab/error/invalid.json").json["errors"][0]
    assert (issue["path"], issue["expected"]) == ("/inputs/report", "a text")


def test_waiting_times_are_headers(browse):
    assert browse().get("/lab/error/rate_limited").headers["Retry-After"] == "30"
    assert browse().get("/lab/error/unavailable").headers["Retry-After"] == "5"


@pytest.mark.parametrize("path", ["/lab/error/boom", "/lab/error/boom.json"])
def test_a_fault_shows_an_id_and_nothing_of_the_exception(browse, path):
    response = browse().get(path)
    assert response.status_code == 500
    assert response.headers["X-Request-Id"] in response.text
    for word in ("psycopg", "secret_table", "RuntimeError", "Traceback"):
        assert word not in response.text


def test_an_error_page_that_fails_itself_still_answers(browse, monkeypatch):
    monkeypatch.setattr("pilot.web.errors.PAGE", "errors/none.html")
    response = browse().get("/lab/error/conflict")
    assert response.status_code == 500
    assert response.text == f"Something failed here. Error id {response.headers['X-Request-Id']}\n"
    assert "script-src" in response.headers["Content-Security-Policy"]


def test_a_wrong_method_is_405(browse, world):
    assert browse(world.admin).client.put("/lab/page").status_code == 405


def test_without_a_database_a_page_is_503_and_public_pages_answer(browse, world, database):
    browser = browse(world.admin)
    db.configure("postgresql://nobody@127.0.0.1:1/none")
    response = browser.get("/lab/page")
    assert response.status_code == 503
    assert "does not answer" in response.text
    assert browser.get("/lab/stream").status_code == 200
    db.configure(database)


OBJECT = "/executions/0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b"
PAGES = {"/": "/", "/agents?q=1": "/agents?q=1", f"{OBJECT}/pause": "/", "/no-such-page": "/"}


@pytest.mark.parametrize(("before", "back"), PAGES.items())
def test_who_was_signed_out_meanwhile_is_led_back_to_the_form(app, before, back):
    headers = {"Referer": f"http://localhost{before}"}
    client = app.test_client()
    page = client.post("/lab/save", data={"go": "1"}, headers=headers)
    way = "/sign-in" if back == "/" else f"/sign-in?next={quote(back, safe='/')}"
    assert (page.status_code, f'href="{way}"' in page.text) == (401, True)
    assert "go back here to the form" in page.text
    stranger = client.post("/lab/save", headers={"Referer": "http://evil.test/agents"})
    assert 'href="/sign-in"' in stranger.text


def test_who_was_too_late_is_led_to_how_it_is_now(browse, world, app):
    agent = wp.make_agent(world.operator.id, [wp.put("first", 1)])
    wp.switch_on()
    execution = f"/executions/{wp.start(agent, world.operator.id)}"
    browser = browse(world.operator)
    assert browser.post(f"{execution}/cancel").status_code == 303
    late = browser.post(f"{execution}/pause")
    assert (late.status_code, f'href="{execution}">See how it is now' in late.text) == (409, True)
    headers = {"Referer": "http://localhost/agents"}
    page = browser.get("/lab/error/conflict", headers=headers)
    assert 'href="/agents">See how it is now' in page.text
    assert "See how it is now" not in browser.get("/lab/error/conflict").text


def test_a_form_that_was_not_sent_from_here_is_not_lost(app, world):
    browser = Browser(app, world.operator.sign_in())
    page = browser.client.post("/lab/save", data={"go": "1"})
    assert (page.status_code, "Go back: your browser kept what you typed" in page.text) == (
        403,
        True,
    )
