"""Tokens on the account page: shown once, listed without their text, revoked."""

import re

import pytest

from pilot.engine.people import api_tokens
from tests.pages import check_accessible

NEW = {"label": "Nightly report", "days": "30", "scopes": ["executions:read", "costs:read"]}


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def cells(browser):
    """Return the texts of the one row of the table of tokens, without tags."""
    table = browser.get("/account").text.split('id="tokens"', 1)[1].split("<tbody", 1)[1]
    row = table.split("</tr>", 1)[0]
    return [" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row.split("</t")][:-1]


@pytest.mark.capability(289)
def test_the_page_tells_scopes_expiry_and_last_use_and_ends_a_token_at_once(
    app, operator, superuser
):
    page = operator.post("/account/tokens", NEW).text
    token = re.search(r'id="new-token">(plt_[\w-]+)<', page)[1]
    client, header = app.test_client(), {"Authorization": f"Bearer {token}"}

    def status(url):
        return client.get(f"/api/v1{url}", headers=header).status_code

    told = " | ".join(cells(operator))
    assert "costs:read, executions:read" in told
    assert "127.0.0.1" not in told
    assert [status("/executions"), status("/costs"), status("/agents")] == [200, 200, 403]
    assert "127.0.0.1" in " | ".join(cells(operator))
    lives = "SELECT expires_at - created_at FROM api_token"
    assert round(superuser.execute(lives).fetchone()[0].total_seconds() / 86_400) == 30
    superuser.execute("UPDATE api_token SET expires_at = pilot_now()")
    assert status("/executions") == 401
    assert "expired" in " | ".join(cells(operator))
    superuser.execute("UPDATE api_token SET expires_at = pilot_now() + interval '1 day'")
    assert status("/executions") == 200
    operator.post(re.search(r"/account/tokens/[0-9a-f-]+/revoke", operator.get("/account").text)[0])
    assert status("/executions") == 401
    assert token not in operator.get("/account").text


@pytest.mark.capability(289)
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
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
