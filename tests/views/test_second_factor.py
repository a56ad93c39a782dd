"""The pages of the second factor: set up, sign in in two steps, switch off."""

import re

import pytest

from pilot.engine.people import second_factor
from tests.engine.people.test_second_factor import code
from tests.pages import check_looks
from tests.world import PASSWORD

PAGE = "/account/codes"


@pytest.fixture
def secret(browse, world):
    """Switch codes on as the viewer does; give the secret."""
    browser = browse(world.viewer)
    assert "your password alone signs you in" in browser.get("/account").text
    page = browser.post(f"{PAGE}/begin").text
    secret = re.search(r'id="secret">([A-Z2-7]{32})<', page)[1]
    wrong = browser.post(f"{PAGE}/confirm", {"code": "000000"})
    assert wrong.status_code == 422
    assert secret in wrong.text
    done = browser.post(f"{PAGE}/confirm", {"code": code(secret, -1)})
    recovery = re.findall(r"<li><code>([a-z2-7-]{19})</code>", done.text)
    assert len(recovery) == 10
    assert recovery[0] not in browser.get(PAGE).text
    assert browser.post(f"{PAGE}/begin").status_code == 409
    return secret


@pytest.mark.capability(290)
def test_signing_in_takes_two_steps_and_leads_back(secret, browse, world):
    browser = browse()
    form = {"email": world.viewer.email, "password": PASSWORD, "next": "/executions"}
    page = browser.post("/sign-in", form)
    assert page.status_code == 200
    assert browser.get("/account").status_code == 303, "not signed in yet"
    sent = {
        "proof": re.search(r'name="proof"[^>]*value="([\w-]{43})"', page.text)[1],
        "next": "/executions",
    }
    assert "wrong" in browser.post("/sign-in/code", sent | {"code": "000000"}).text
    answer = browser.post("/sign-in/code", sent | {"code": code(secret), "next": "//evil.test"})
    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.get("/account").status_code == 200
    again = browse().post("/sign-in/code", sent | {"code": code(secret, 1)})
    assert again.status_code == 404


def test_a_wrong_password_is_told_before_any_code(secret, browse, world):
    answer = browse().post("/sign-in", {"email": world.viewer.email, "password": "wrong but long"})
    assert answer.status_code == 422
    assert "code" not in answer.text.partition("<main")[2].partition("</main>")[0].lower()


def test_switching_off_needs_both(secret, browse, world, superuser):
    superuser.execute("UPDATE user_session SET ended_at = NULL")
    browser = browse()
    token = second_step(browser, world, secret)
    for password, given in (("wrong but long", code(secret, 1)), (PASSWORD, "000000")):
        answer = browser.post(f"{PAGE}/off", {"password": password, "code": given})
        assert answer.status_code == 422
        superuser.execute("DELETE FROM sign_in_failure")
    assert browser.post(f"{PAGE}/off", {"password": PASSWORD, "code": code(secret, 1)}).location
    assert browser.post(f"{PAGE}/off", {"password": PASSWORD, "code": "1"}).status_code == 409
    assert token
    assert world.viewer.sign_in()


def second_step(browser, world, secret):
    """Sign a browser in with password and code."""
    page = browser.post("/sign-in", {"email": world.viewer.email, "password": PASSWORD}).text
    proof = re.search(r'name="proof"[^>]*value="([\w-]{43})"', page)[1]
    return browser.post("/sign-in/code", {"proof": proof, "code": code(secret)}).location


def test_an_administrator_helps_who_lost_the_phone(secret, browse, world):
    admin, page = browse(world.admin), f"/users/{world.viewer.id}"
    assert "Switch codes off" in admin.get(page).text
    assert admin.post(f"{page}/codes/off").location == page
    assert world.viewer.sign_in()
    assert admin.post(f"{page}/codes/off").status_code == 409


@pytest.mark.browser
def test_the_pages_are_accessible_and_fit(window, world):
    page = window(world.viewer)
    page.goto(PAGE)
    page.get_by_role("button", name="Set it up").click()
    check_looks(page)
    made = second_factor.begin(world.viewer.id, world.viewer.email)
    page.get_by_label("Code that the app shows now").fill(code(made.secret))
    page.get_by_role("button", name="Switch on").click()
    check_looks(page)
    assert page.complaints == []
