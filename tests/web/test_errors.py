import pytest

from pilot import db
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
