"""The account page."""

import re

import pytest

from pilot.engine.people import users

ENDS = re.compile(r'action="(/account/sessions/[0-9a-f-]{36}/end)"')


def row_of_another(page):
    """Return the address that ends the first session that is not this one."""
    rows = [row for row in page.text.split("<tr")[1:] if "/end" in row]
    return next(ENDS.search(row)[1] for row in rows if "this one" not in row)


@pytest.mark.capability(290)
def test_sessions_are_listed_and_one_is_ended(browse, world):
    here, there = browse(world.viewer), browse(world.viewer)
    page = here.get("/account")
    assert page.text.count("this one") == 1
    assert len(ENDS.findall(page.text)) == 2
    assert here.post(row_of_another(page)).location == "/account"
    assert there.get("/account").status_code == 303
    after = here.get("/account")
    assert "That browser is signed out." in after.text
    assert len(ENDS.findall(after.text)) == 1


@pytest.mark.capability(290)
def test_all_sessions_end_this_one_too(browse, world):
    here, there = browse(world.viewer), browse(world.viewer)
    assert here.post("/account/sessions/end").location == "/sign-in"
    assert here.get("/account").status_code == there.get("/account").status_code == 303


def test_a_session_of_somebody_else_is_not_there(browse, world):
    theirs = world.operator.sign_in()
    session_id = users.sessions(world.operator.id, token=theirs)[0].id
    answer = browse(world.viewer).post(f"/account/sessions/{session_id}/end")
    assert answer.status_code == 404
    assert users.session_user(theirs)


def test_times_are_shown_in_the_chosen_zone(browse, world):
    browser = browse(world.viewer)
    assert browser.post("/account/zone", {"zone": "Asia/Tokyo"}).location == "/account"
    page = browser.get("/account")
    assert "Times are shown in Asia/Tokyo." in page.text
    assert '<option selected value="Asia/Tokyo">' in page.text
    assert "Times in Asia/Tokyo" in page.text


def test_who_chose_no_zone_is_offered_the_one_of_the_browser(browse, world):
    browser = browse(world.viewer)
    browser.client.set_cookie("pilot-zone", "Europe/Berlin")
    assert '<option selected value="Europe/Berlin">' in browser.get("/account").text


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../../etc/passwd", "x" * 100_000])
def test_an_unknown_zone_is_refused_beside_its_field(browse, world, zone):
    answer = browse(world.viewer).post("/account/zone", {"zone": zone})
    assert answer.status_code == 422
    assert 'id="zone-error"' in answer.text
    assert "IANA" in answer.text


def test_names_are_shown_as_text(browse, world):
    users.create_user(
        email="x@pilot.test",
        name="<script>alert(1)</script>",
        password="four unrelated words",
        roles=("viewer",),
        by=world.admin.actor,
    )
    token = users.authenticate("x@pilot.test", "four unrelated words", users.Origin("1", "<b>"))
    browser = browse()
    browser.client.set_cookie(browser.client.application.config["SIGN_IN_COOKIE"], token)
    page = browser.get("/account")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<b>" not in page.text
