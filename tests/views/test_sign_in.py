"""Sign-in and sign-out."""

from pathlib import Path

import pytest

from pilot.engine.people import users
from tests.world import PASSWORD
from tests.written import read

ATTACKS = Path(__file__).parent.parent / "data" / "attacks.yaml"
REDIRECTS = [case["input"] for case in read(ATTACKS)["cases"] if case["category"] == "redirect"]


def sign_in(browser, person, password=None, **more):
    return browser.post(
        "/sign-in", {"email": person.email, "password": password or PASSWORD} | more
    )


def cookie(browser):
    client = browser.client
    found = client.get_cookie(client.application.config["SIGN_IN_COOKIE"])
    return found.value if found else None


@pytest.mark.capability(290)
def test_a_person_signs_in_goes_back_and_out(browse, world):
    browser = browse()
    asked = browser.get("/account?tab=x")
    assert asked.status_code == 303
    page = browser.get(asked.location)
    assert page.status_code == 200
    assert 'name="next" type="hidden" value="/account?tab=x"' in page.text
    answer = sign_in(browser, world.viewer, next="/account?tab=x")
    assert (answer.status_code, answer.location) == (303, "/account?tab=x")
    assert "viewer@pilot.test" in browser.get("/account").text
    out = browser.post("/sign-out")
    assert (out.status_code, out.location) == (303, "/sign-in")
    assert out.headers["Clear-Site-Data"] == '"cache"'
    assert browser.get("/account").status_code == 303


def test_the_cookie_is_a_reference_that_script_cannot_read(browse, world):
    answer = sign_in(browse(), world.viewer)
    name = answer.headers["Set-Cookie"]
    line = next(x for x in answer.headers.getlist("Set-Cookie") if "pilot-session" in x)
    assert name
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    assert world.viewer.email not in line
    assert str(world.viewer.id) not in line


def test_signing_in_gives_a_new_session_whatever_the_browser_brought(browse, world):
    browser = browse()
    browser.client.set_cookie(browser.client.application.config["SIGN_IN_COOKIE"], "planted")
    sign_in(browser, world.viewer)
    first = cookie(browser)
    assert first != "planted"
    assert users.session_user("planted") is None
    again = browse()
    again.client.set_cookie(again.client.application.config["SIGN_IN_COOKIE"], first)
    again.post("/sign-out")
    sign_in(again, world.viewer)
    assert cookie(again) != first


@pytest.mark.parametrize("hostile", REDIRECTS)
def test_the_way_back_stays_on_this_origin(browse, world, hostile):
    browser = browse()
    shown = browser.get("/sign-in", query_string={"next": hostile})
    assert shown.status_code == 200
    answer = sign_in(browser, world.viewer, next=hostile)
    assert answer.status_code == 303
    assert answer.location in {"/", "/sign-in?next=//evil.test"}
    onward = browser.get(answer.location)  # signed in: it leads on, still on this origin
    assert (onward.location or "/") == "/"
    led = browser.get("/sign-in", query_string={"next": hostile})
    assert led.location in {"/", "/sign-in?next=//evil.test"}


@pytest.mark.parametrize(
    "path", ["/sign-out", "/demo", "/executions/0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b/pause"]
)
def test_what_is_no_page_is_no_way_back(browse, world, path):
    browser = browse()
    assert sign_in(browser, world.viewer, next=path).location == "/"
    assert browser.get("/sign-in", query_string={"next": path}).location == "/"


@pytest.mark.capability(290)
def test_all_failures_read_the_same(browse, world):
    users.set_active(world.stranger.id, False, by=world.admin.actor)
    browser, texts = browse(), set()
    for email, password in [
        (world.viewer.email, "wrong but long"),
        (world.stranger.email, PASSWORD),
        ("nobody@pilot.test", PASSWORD),
    ]:
        answer = browser.post("/sign-in", {"email": email, "password": password})
        assert answer.status_code == 422
        assert password not in answer.text
        assert f'value="{email}"' in answer.text  # nothing typed is lost but the secret
        start = answer.text.index("notice-title")
        texts.add(answer.text[start : start + 120])
    assert len(texts) == 1
    assert "E-mail address or password is wrong." in texts.pop()


def test_empty_fields_are_named(browse, world):
    answer = browse().post("/sign-in", {"email": "", "password": ""})
    assert answer.status_code == 422
    assert "Enter your e-mail address." in answer.text
    assert "Enter your password." in answer.text


@pytest.mark.capability(290)
def test_too_many_attempts_show_the_wait(browse, world):
    browser = browse()
    for _ in range(3):
        assert sign_in(browser, world.viewer, "wrong but long").status_code == 422
    answer = sign_in(browser, world.viewer)
    assert answer.status_code == 429
    left_s = int(answer.headers["Retry-After"])
    assert 1 < left_s <= 10
    assert f"Try again in {left_s} seconds." in answer.text


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_link_signs_nobody_out(browse, world, method):
    browser = browse(world.viewer)
    assert getattr(browser.client, method)("/sign-out").status_code == 405
    assert browser.get("/account").status_code == 200


def test_signing_out_twice_is_fine(browse, world):
    browser = browse()
    assert browser.post("/sign-out").location == "/sign-in"


@pytest.mark.parametrize("field", ["email", "password"])
def test_strange_text_is_refused_and_nothing_fails(browse, world, field):
    browser = browse()
    for text in ("\x00", "😀" * 300, "' OR 1=1 --", "a" * 100_000, "<script>alert(1)</script>"):
        data = {"email": world.viewer.email, "password": PASSWORD, field: text}
        answer = browser.post("/sign-in", data)
        assert 400 <= answer.status_code < 500
        assert "<script>alert" not in answer.text


def test_the_browser_is_remembered_in_words(browse, world):
    mozilla = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko)"
    agents = {
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0": "Firefox on Linux",
        f"{mozilla} Chrome/141.0 Safari/537.36 Edg/141.0": "Edge on Windows",
        "curl/8.5": "curl/8.5",
    }
    for agent, words in agents.items():
        browser = browse()
        browser.client.environ_base["HTTP_USER_AGENT"] = agent
        sign_in(browser, world.viewer)
        assert words in browser.get("/account").text


@pytest.mark.browser
@pytest.mark.capability(290)
def test_what_was_typed_is_kept_when_the_session_has_ended(window, world):
    page = window(world.operator)
    page.goto("/agents/new")
    page.locator("textarea[name=goal]").fill("Mail me the news")
    users.end_sessions(world.operator.id, by=world.operator.actor)
    page.get_by_role("button", name="Draft workflow").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in").click()
    tab = opened.value
    tab.get_by_label("E-mail address").fill(world.operator.email)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/agents/new")
    page.go_back()
    assert page.locator("textarea[name=goal]").input_value() == "Mail me the news"
    page.get_by_role("button", name="Draft workflow").click()
    page.wait_for_url("**/generations/*")
