"""Tokens on the account page: shown once, listed without their text, revoked."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from pilot.engine import api_tokens

NEW = {"label": "Nightly report", "days": "30", "scopes": ["executions:read", "costs:read"]}


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def test_a_token_is_shown_once_and_revoked(operator, world):
    answer = operator.post("/account/tokens", NEW)
    token = re.search(r'id="new-token">(plt_[\w-]+)<', answer.text)[1]
    assert api_tokens.user(token, "here").owner.id == world.operator.id
    page = operator.get("/account").text
    assert "Nightly report" in page
    assert token not in page
    revoke = re.search(r"/account/tokens/[0-9a-f-]+/revoke", page)[0]
    assert operator.post(revoke).status_code == 303
    assert api_tokens.user(token, "here") is None
    assert ">revoked<" in operator.get("/account").text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": ""}, "Say what it is for"),
        ({"days": "400"}, "A token lives 1 to 365 days"),
        ({"days": "x"}, "A token lives 1 to 365 days"),
        ({"scopes": []}, "Give at least one scope"),
        ({"scopes": ["root"]}, "There is no scope"),
    ],
)
def test_what_is_no_token_is_said_at_its_field(operator, changed, said):
    answer = operator.post("/account/tokens", NEW | changed)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_stranger_revokes_nothing(operator, browse, world):
    operator.post("/account/tokens", NEW)
    revoke = re.search(r"/account/tokens/[0-9a-f-]+/revoke", operator.get("/account").text)[0]
    assert browse(world.stranger).post(revoke).status_code == 404


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_is_accessible_and_fits(operator, window, world, width, scheme):
    operator.post("/account/tokens", NEW)
    page = window(world.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/account")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
