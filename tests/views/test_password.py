"""A forgotten password: the link by mail, the same answer for all, three times an hour."""

import re
import time

import pytest

from pilot import settings
from pilot.engine.notices.letters import Channels
from pilot.engine.people import new_passwords
from tests.engine.notices.relaying import mails, relay
from tests.world import PASSWORD

NEW = "another four unrelated words"
PAGE = "/password/forgotten"
LINK = re.compile(r"http://127\.0\.0\.1:\d+(/password\?token=([\w-]{43}))")


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch):
    monkeypatch.setattr(new_passwords, "ASKING_S", 0.0)


@pytest.fixture
def visitor(browse):
    return browse()


@pytest.fixture
def link(visitor, world, tmp_path):
    """Give path and token of the link that the viewer got by mail."""
    settings.change("notify_by_local_mail", True, by=world.admin.actor)
    assert visitor.post(PAGE, {"email": " Viewer@Pilot.test "}).status_code == 200
    relay(Channels(tmp_path, "http://unused.test"))
    (mail,) = mails(tmp_path, world.viewer.email)
    return LINK.search(mail.get_body(("plain",)).get_content()).groups()


@pytest.mark.capability(290)
def test_the_link_of_the_mail_sets_the_password_once(visitor, browse, world, link, superuser):
    path, token = link
    before = browse(world.viewer)
    assert visitor.get(path).status_code == visitor.get(path).status_code == 200
    assert before.get("/account").status_code == 200, "opening the link changes nothing"
    assert visitor.post("/password", {"token": token, "password": NEW}).location == "/sign-in"
    assert before.get("/account").status_code == 303
    signs_in = {"email": world.viewer.email, "password": NEW}
    assert visitor.post("/sign-in", signs_in).status_code == 303
    assert browse().post("/sign-in", signs_in | {"password": PASSWORD}).status_code == 422
    again = browse().post("/password", {"token": token, "password": PASSWORD})
    assert again.status_code == 404
    kept = superuser.execute("SELECT string_agg(o::text, '') FROM outbox o").fetchone()[0]
    assert token not in kept


def test_the_token_of_one_person_sets_nobody_elses_password(visitor, browse, world, link):
    form = {"token": link[1], "password": NEW, "email": world.admin.email}
    visitor.post("/password", form)
    signs_in = {"email": world.admin.email, "password": NEW}
    assert browse().post("/sign-in", signs_in).status_code == 422
    assert browse(world.admin).get("/").status_code == 200


@pytest.mark.parametrize("token", ["null", "", "undefined", "0", "%00"])
def test_no_token_is_no_key(visitor, world, token):
    assert visitor.get(f"/password?token={token}").status_code in {400, 404}
    for form in ({"token": token}, {}):
        assert visitor.post("/password", form | {"password": NEW}).status_code == 404
    assert world.viewer.sign_in()


def test_unknown_people_get_the_same_answer_and_no_mail(visitor, browse, world, superuser):
    texts = set()
    for email in (world.viewer.email, "nobody@pilot.test"):
        answer = browse().post(PAGE, {"email": email})
        assert answer.status_code == 200
        texts.add(answer.text.partition("<main")[2].partition("</main>")[0])
    assert len(texts) == 1
    asked = "SELECT owner_id FROM outbox"
    assert superuser.execute(asked).fetchall() == [(world.viewer.id,)]
    told = "SELECT count(*) FROM audit WHERE event = 'USER_RESET_REQUESTED'"
    assert superuser.execute(told).fetchone() == (2,)


def test_every_answer_takes_its_time(app, world, monkeypatch):
    monkeypatch.setattr(new_passwords, "ASKING_S", 0.05)
    for email in (world.viewer.email, "nobody@pilot.test"):
        begun = time.monotonic()
        new_passwords.ask_for_link(email, "http://pilot.test", new_passwords.Origin("10.0.0.1"))
        assert time.monotonic() - begun >= 0.05


@pytest.mark.parametrize("email", ["viewer@pilot.test", "nobody@pilot.test"])
def test_it_is_asked_for_three_times_an_hour(visitor, world, superuser, email):
    for _ in range(3):
        assert visitor.post(PAGE, {"email": email}).status_code == 200
    refused = visitor.post(PAGE, {"email": email})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert f'value="{email}"' in refused.text
    assert visitor.post(PAGE, {"email": "other@pilot.test"}).status_code == 200
    superuser.execute("UPDATE reset_request SET at = at - interval '61 minutes'")
    assert visitor.post(PAGE, {"email": email}).status_code == 200


def test_the_link_names_the_configured_host_whatever_a_request_says(
    visitor, world, tmp_path, superuser
):
    settings.change("notify_by_local_mail", True, by=world.admin.actor)
    token = visitor.csrf_token()
    form = {"email": world.viewer.email, "csrf_token": token}
    answer = visitor.client.post(PAGE, data=form, headers={"X-Forwarded-Host": "evil.test"})
    assert answer.status_code == 200
    relay(Channels(tmp_path, "http://unused.test"))
    (mail,) = mails(tmp_path, world.viewer.email)
    assert b"evil.test" not in mail.as_bytes()
    assert LINK.search(mail.get_body(("plain",)).get_content())


def test_who_knows_the_old_one_changes_it_on_the_account_page(browse, world):
    here, there = browse(world.viewer), browse(world.viewer)
    wrong = here.post("/account/password", {"old": "not it", "password": NEW})
    assert wrong.status_code == 422
    assert "wrong" in wrong.text
    weak = here.post("/account/password", {"old": PASSWORD, "password": "password123"})
    assert "easy to guess" in weak.text
    assert here.post("/account/password", {"old": PASSWORD, "password": NEW}).status_code == 303
    assert there.get("/account").status_code == here.get("/account").status_code == 303
    signs_in = {"email": world.viewer.email, "password": NEW}
    assert browse().post("/sign-in", signs_in).status_code == 303
