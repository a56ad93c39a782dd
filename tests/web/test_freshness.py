"""Secrets, roles and tokens change after a password of the last ten minutes only."""

import re

import pytest

from pilot.engine.people import users
from pilot.views import FRESH
from tests.pages import check_looks
from tests.world import PASSWORD

AGED = "UPDATE user_session SET proved_at = pilot_now() - interval '601 seconds'"
KEY = {"name": "billing.key", "value": "sk-very-secret-value", "hosts": "api.example.com"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
def stale(browse, world, superuser):
    """Give an administrator's browser whose password was given long ago."""
    browser = browse(world.admin)
    superuser.execute(AGED)
    return browser


def typed(page):
    """Return the hidden fields of the page that asks, as its form would send them."""
    main = page.text.partition("<main")[2]
    assert "Is it still you?" in main
    return {name: text for name, text in HIDDEN.findall(main) if name != "request_id"}


@pytest.mark.capability(226)
def test_a_stale_session_is_asked_and_goes_on_with_what_was_typed(stale, world, superuser):
    url = f"/users/{world.viewer.id}/roles"
    kept = "SELECT roles FROM app_user WHERE id = %s"
    page = stale.post(url, {"roles": ["approver", "viewer"]})
    assert f'action="{url}"' in page.text
    assert superuser.execute(kept, [world.viewer.id]).fetchone() == (["viewer"],)
    main = page.text.partition("<main")[2]
    roles = [text for name, text in HIDDEN.findall(main) if name == "roles"]
    answer = stale.post(url, {"roles": roles, "confirm_password": PASSWORD})
    assert answer.status_code == 303
    assert superuser.execute(kept, [world.viewer.id]).fetchone() == (["approver", "viewer"],)
    assert stale.post(f"/users/{world.viewer.id}/active", {"active": "off"}).status_code == 303


def test_a_secret_is_asked_for_again_and_stands_in_no_page(stale, superuser):
    page = stale.post("/secrets", KEY)
    assert KEY["value"] not in page.text
    sent = typed(page)
    assert 'name="value" required' in page.text
    assert (sent["name"], sent["hosts"]) == (KEY["name"], KEY["hosts"])
    assert "value" not in sent
    again = sent | {"value": KEY["value"], "confirm_password": "not the password"}
    wrong = stale.post("/secrets", again)
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    assert KEY["value"] not in wrong.text
    assert superuser.execute("SELECT count(*) FROM secret").fetchone() == (0,)
    assert stale.post("/secrets", again | {"confirm_password": PASSWORD}).status_code == 303
    assert superuser.execute("SELECT count(*) FROM secret").fetchone() == (1,)


def test_guesses_are_throttled_as_at_sign_in(stale):
    sent = {"roles": "viewer", "name": "Ada", "email": "ada@pilot.test"}
    for _ in range(3):
        assert stale.post("/users", sent | {"confirm_password": "no"}).status_code == 422
    late = stale.post("/users", sent | {"confirm_password": PASSWORD})
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) > 0
    assert typed(late)["email"] == "ada@pilot.test"


def test_every_such_route_asks_and_changes_nothing(app, stale, superuser):
    words = "SELECT count(*) FROM audit"
    before = superuser.execute(words).fetchone()
    nothing = {"user_id": "0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b", "name": "openai"}
    nothing |= dict.fromkeys(("agent_id", "hook_id", "connection_id"), nothing["user_id"])
    with app.test_request_context():
        rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in FRESH]
        urls = [app.url_for(r.endpoint, **{n: nothing[n] for n in r.arguments}) for r in rules]
    assert len(urls) > 15
    for url in urls:
        data = {"csrf_token": stale.kept_token()}
        assert "Is it still you?" in stale.client.post(url, data=data).text, url
    assert superuser.execute(words).fetchone() == before


def test_another_session_stays_as_old_as_it_is(stale, browse, world, superuser):
    other = world.admin.sign_in()
    superuser.execute(AGED)
    token = world.admin.sign_in()
    assert users.session_user(token).fresh
    assert not users.session_user(other).fresh
    users.confirm(token, world.admin.email, PASSWORD, users.Origin("198.51.100.7"))
    assert not users.session_user(other).fresh


def test_a_fragment_puts_the_question_above_the_page(stale):
    token = {"csrf_token": stale.csrf_token(), "label": "x"}
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    answer = stale.client.post("/account/tokens", data=token, headers=headers)
    assert answer.headers["HX-Retarget"] == "#alert"
    assert "<html" not in answer.text
    assert 'name="confirm_password"' in answer.text


@pytest.mark.browser
def test_the_page_that_asks_is_accessible_and_fits(window, world, superuser):
    page = window(world.admin)
    page.goto("/secrets")
    superuser.execute(AGED)
    for name, text in KEY.items():
        page.fill(f"[name={name}]", text)
    page.locator("form:has([name=value]) button.primary").click()
    page.get_by_role("heading", name="Is it still you?").wait_for()
    check_looks(page)
    page.fill("[name=value]", KEY["value"])
    page.fill("[name=confirm_password]", PASSWORD)
    page.get_by_text("Confirm and go on").click()
    page.get_by_text("is stored").wait_for()
    assert page.complaints == []
