"""The page of people: the list, adding, roles, switching off, links, sessions."""

import io
import re
import zipfile

import pytest

from pilot.engine.people import new_passwords, users
from pilot.views import watch
from tests.pages import Browser, check_looks
from tests.patience import LONG_S
from tests.views.test_streams import Follower, execution, url  # noqa: F401 - a fixture
from tests.world import PASSWORD

NEW = {"name": "Ada <b>", "email": "ada@pilot.test", "roles": ["viewer", "approver"]}
LINK = re.compile(r'id="new-link">http://127\.0\.0\.1:\d+(/password\?token=[\w-]{43})<')


@pytest.fixture
def admin(browse, world):
    return browse(world.admin)


def row_of(page, email):
    return next(row for row in page.text.split("<tr")[1:] if email in row)


@pytest.mark.capability(226)
def test_the_list_shows_filters_and_tells_all_people(admin, world):
    users.set_active(world.viewer.id, False, by=world.admin.actor)
    assert "disabled" in row_of(admin.get("/users"), "viewer@pilot.test")
    found = admin.get("/users.json?role=operator&sort=-name").json
    assert [one["email"] for one in found["items"]] == [
        "stranger@pilot.test",
        "operator@pilot.test",
    ]
    assert [one["email"] for one in admin.get("/users.json?state=disabled").json["items"]] == [
        "viewer@pilot.test"
    ]
    assert admin.get("/users.json?q=APPRO").json["total"] == 1
    assert "Nothing matches" in admin.fragment("/users?q=nobody").text
    assert "Ignored filter" in admin.get("/users?role=root").text
    assert admin.get("/users.csv").text.count("@pilot.test") == 5
    page = admin.get("/users.json?size=25&sort=email").json
    assert "password" not in str(page)


@pytest.mark.capability(290)
def test_an_invited_person_chooses_a_password_once(admin, app):
    link = LINK.search(admin.post("/users", NEW).text)[1]
    person = Browser(app, None)
    assert "invited" in row_of(admin.get("/users"), "ada@pilot.test")
    assert link.partition("=")[2] not in admin.get("/users").text
    for _ in range(2):  # looking uses nothing up
        assert "ada@pilot.test" in person.get(link).text
    token = {"token": link.partition("=")[2]}
    assert "easy to guess" in person.post("/password", token | {"password": "password123"}).text
    answer = person.post("/password", token | {"password": PASSWORD})
    assert answer.location == "/sign-in"
    assert "Your password is set." in person.get("/sign-in").text
    assert person.post("/sign-in", {"email": "ada@pilot.test", "password": PASSWORD}).location
    assert person.get("/approvals").status_code == 200
    assert person.get("/users").status_code == 403
    assert person.post("/password", token | {"password": PASSWORD}).status_code == 404


def test_an_administrator_may_give_the_password(admin, app):
    answer = admin.post("/users", NEW | {"password": PASSWORD})
    assert answer.status_code == 303
    page = admin.get(answer.location)
    assert "Ada &lt;b&gt;" in page.text
    assert "<b>" not in page.text
    assert Browser(app, users.authenticate("ada@pilot.test", PASSWORD, users.Origin("1")))


@pytest.mark.parametrize(
    ("changed", "said", "status"),
    [
        ({"name": ""}, "Enter a name", 422),
        ({"email": "ada"}, "Enter an e-mail address", 422),
        ({"roles": []}, "Choose one or several", 422),
        ({"roles": ["root"]}, "Choose one or several", 422),
        ({"password": "short"}, "8 to 256 characters", 422),
        ({"email": "viewer@pilot.test"}, "has an account already", 409),
    ],
)
def test_what_cannot_be_a_person_is_said_and_kept(admin, changed, said, status):
    answer = admin.post("/users", NEW | changed)
    assert answer.status_code == status
    assert said in answer.text
    assert 'value="short"' not in answer.text
    if "name" not in changed:
        assert 'value="Ada &lt;b&gt;"' in answer.text


@pytest.mark.capability(226)
def test_other_roles_count_from_a_new_sign_in_on(admin, browse, world):
    theirs = browse(world.viewer)
    page = f"/users/{world.viewer.id}"
    assert admin.post(f"{page}/roles", {"roles": ["viewer", "operator"]}).location == page
    assert theirs.get("/").status_code == 303  # the old session knew the old roles
    assert browse(world.viewer).get("/agents/new").status_code == 200
    assert admin.get(f"{page}.json").json["roles"] == ["operator", "viewer"]
    assert admin.post(f"{page}/roles", {"roles": []}).status_code == 422


@pytest.mark.parametrize(
    ("what", "form"), [("active", {"active": "off"}), ("roles", {"roles": ["viewer"]})]
)
def test_the_last_administrator_stays(admin, world, what, form):
    answer = admin.post(f"/users/{world.admin.id}/{what}", form)
    assert answer.status_code == 409
    assert "last active administrator" in answer.text
    assert admin.get("/users").status_code == 200


@pytest.mark.capability(290)
def test_a_disabled_person_is_out_and_comes_back(admin, browse, world):
    theirs, page = browse(world.operator), f"/users/{world.operator.id}"
    link = re.search(r"token=([\w-]{43})", admin.post(f"{page}/link").text)[1]
    assert admin.post(f"{page}/active", {"active": "off"}).location == page
    assert theirs.get("/").status_code == 303
    assert browse().get(f"/password?token={link}").status_code == 404
    assert "Undo" in admin.get(page).text
    assert admin.post(f"{page}/link").status_code == 409
    admin.post(f"{page}/active?active=on")
    assert browse(world.operator).get("/").status_code == 200


def test_sessions_are_listed_and_ended(admin, browse, world):
    theirs, page = browse(world.viewer), f"/users/{world.viewer.id}"
    assert "198.51.100.7" in admin.get(page).text
    admin.post(f"{page}/sessions/end")
    assert theirs.get("/").status_code == 303
    assert "Signed in nowhere." in admin.get(page).text


@pytest.mark.capability(301)
def test_all_data_of_a_person_is_handed_over_as_a_zip(admin, world):
    answer = admin.post(f"/users/{world.operator.id}/data")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert world.operator.email in archive.read("app_user.json").decode()
    assert f"pilot user erase {world.operator.id}" in admin.get(f"/users/{world.operator.id}").text
    assert admin.post("/users/01a1ff31-0000-7000-8000-000000000000/data").status_code == 404


def test_nobody_is_not_found(admin, world):
    nobody = "0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b"
    assert admin.get(f"/users/{nobody}").status_code == 404
    for what, form in (("roles", {"roles": "viewer"}), ("active", {"active": "off"}), ("link", {})):
        assert admin.post(f"/users/{nobody}/{what}", form).status_code == 404


@pytest.mark.capability(279)
def test_a_stream_ends_when_a_role_is_taken_away(browse, world, execution, monkeypatch):  # noqa: F811
    monkeypatch.setattr(watch, "SESSION_S", 0.05)
    follower = Follower(browse(world.operator), url(execution))
    follower.until("Queued")
    users.set_roles(world.operator.id, ["approver"], by=world.admin.actor)
    follower.join(LONG_S)
    assert not follower.is_alive()
    assert "event: done" not in follower.text


@pytest.mark.browser
def test_the_pages_are_accessible_and_fit(window, world):
    new_passwords.invite(
        new_passwords.NewUser("a@pilot.test", "Ada " * 20, frozenset({"viewer"})),
        by=world.admin.actor,
    )
    page = window(world.admin)
    page.goto("/users")
    check_looks(page)
    page.goto(f"/users/{world.viewer.id}")
    page.get_by_role("button", name="Make a link").click()
    check_looks(page)
    assert page.complaints == []
