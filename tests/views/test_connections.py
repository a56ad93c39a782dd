"""The connections page: an account is stored, tested, mended, deleted; no password comes back."""

import re

import pytest
from cryptography.fernet import Fernet

from pilot import vault
from tests.engine import worker_process as wp
from tests.mail_peer import PASSWORD, USER
from tests.pages import check_accessible

WRONG = "canary-wrong-1"


@pytest.fixture(autouse=True)
def _sealing(app):
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def fields(peer=None, **changes):
    facts = {
        "label": "Sales",
        "smtp_host": "127.0.0.1",
        "smtp_port": str(peer.port if peer else 2525),
        "smtp_security": "none",
        "imap_host": "",
        "imap_port": "993",
        "imap_security": "tls",
        "user": USER,
        "sender": "Sales <sales@peer.test>",
        "sent_mailbox": "Sent",
        "secret": PASSWORD,
    }
    return facts | changes


def stored(operator, peer=None, **changes):
    answer = operator.post("/connections", fields(peer, **changes))
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def needing(world):
    step = {
        "id": "mail",
        "type": "action",
        "plugin": "mail",
        "action": "send",
        "connection": "sales",
        "params": {"to": ["bob@x.test"], "subject": "Hi", "text": "Hello"},
    }
    return wp.make_agent(world.operator.id, [step])


def test_an_account_is_stored_tested_and_mended_without_showing_its_password(
    operator, app, smtp_peer
):
    app.config["EGRESS_ALLOW"] = (smtp_peer.allow,)
    page = stored(operator, smtp_peer, secret=WRONG)
    assert ">untested<" in operator.get("/connections").text
    operator.post(f"{page}/test")
    failed = operator.get(page).text
    assert "expired: reconnect" in failed
    assert "did not accept the user and password" in failed
    seen = re.search(r'name="seen_version" value="(\d+)"', failed)[1]
    operator.post(page, fields(smtp_peer, seen_version=seen))
    operator.post(f"{page}/test")
    shown = operator.get(page).text
    assert ">ok<" in shown
    assert USER in shown
    for text in (failed, shown, operator.get("/connections").text):
        assert PASSWORD not in text
        assert WRONG not in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": ""}, "Give it a name"),
        ({"secret": ""}, "Enter the password"),
        ({"smtp_port": "many"}, "a whole number"),
        ({"smtp_host": "mail.peer.test"}, "in the clear"),
        ({"sender": "nobody"}, "is no address"),
        ({"expires_on": "soon"}, "is no day such as"),
        ({"shared": "y"}, "Only administrators share"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(operator, changed, said):
    answer = operator.post("/connections", fields() | changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert f'value="{USER}"' in answer.text
    assert PASSWORD not in answer.text


def test_it_is_switched_off_and_deleted_by_its_name_after_what_breaks_is_listed(operator, world):
    agent = needing(world)
    page = stored(operator)
    assert f'href="/agents/{agent}"' in operator.get(page).text
    operator.post(f"{page}/enabled")
    assert "switched off" in operator.get("/connections").text
    refused = operator.post(f"{page}/delete", {"typed": "sale"})
    assert refused.status_code == 422
    assert "enter its label: Sales" in refused.text
    assert operator.post(f"{page}/delete", {"typed": "Sales"}).status_code == 303
    assert operator.get(page).status_code == 404
    assert "No connections yet" in operator.get("/connections").text


def test_one_that_rests_says_until_when(operator, superuser):
    page = stored(operator)
    rest = "INSERT INTO model_state VALUES (%s, '{}', '2099-01-01 12:34:56Z')"
    superuser.execute(rest, [f"connection:{page.rpartition('/')[2]}"])
    assert "rests until 12:34:56" in operator.get("/connections").text
    assert "It rests until 12:34:56" in operator.get(page).text


def test_its_rate_is_shown_and_changed_without_a_new_test(operator, browse, world, superuser):
    page = stored(operator)
    superuser.execute("UPDATE connection SET state = 'ok'")
    refused = operator.post(f"{page}/rate", {"rate_per_minute": "7000"})
    assert refused.status_code == 422
    assert "is no whole number from 1 to 6,000" in refused.text
    assert 'value="7000"' in refused.text, "what was typed stays"
    assert operator.post(f"{page}/rate", {"rate_per_minute": "90"}).status_code == 303
    assert browse(world.stranger).post(f"{page}/rate", {"rate_per_minute": ""}).status_code == 404
    assert re.search(r'name="rate_per_minute"[^>]*value="90"', operator.get(page).text)
    assert "at most 90 calls a minute" in operator.get("/connections").text
    (one,) = operator.get("/connections.json").json["items"]
    assert (one["rate_per_minute"], one["state"]) == (90, "ok")
    changed = "SELECT count(*) FROM audit WHERE event = 'PLUGIN_RATE_CHANGED'"
    assert superuser.execute(changed).fetchone() == (1,)


def test_others_see_shared_ones_only_and_without_what_is_secret(operator, browse, world):
    page = stored(operator)
    stored(browse(world.admin), label="House", shared="y")
    for person in (world.viewer, world.stranger):
        text = browse(person).get("/connections").text
        assert "House" in text
        assert "Sales" not in text
        assert PASSWORD[-4:] not in text
    assert browse(world.stranger).get(page).status_code == 404
    assert browse(world.stranger).post(f"{page}/test").status_code == 404
    assert browse(world.viewer).get("/connections/new").status_code == 403


@pytest.mark.capability(174)
def test_a_start_is_refused_before_it_begins_where_an_account_is_missing(
    operator, world, superuser
):
    wp.switch_on()
    agent = needing(world)
    page = operator.get(f"/agents/{agent}").text
    assert "There is no connection &#39;sales&#39; for mail" in page
    assert 'href="/connections"' in page
    stored(operator)
    assert "has not been tested" in operator.get(f"/agents/{agent}").text
    superuser.execute("UPDATE connection SET state = 'reconnect'")
    assert "has expired" in operator.get(f"/agents/{agent}").text


def test_nothing_is_kept_without_a_key_and_the_page_says_so(operator):
    vault.configure([])
    answer = operator.post("/connections", fields())
    assert answer.status_code == 500
    assert PASSWORD not in answer.text


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_the_pages_are_accessible_and_fit(operator, window, world, width, scheme):
    needing(world)
    page = window(world.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/connections")
    check_accessible(page)
    url = stored(operator)
    for path in ("/connections", "/connections/new", url):
        page.goto(path)
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_list_tells_programs_the_same(operator):
    stored(operator)
    (one,) = operator.get("/connections.json").json["items"]
    assert (one["label"], one["state"], one["agents"]) == ("Sales", "untested", 0)
    assert "secret_ending" not in one
