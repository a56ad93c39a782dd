"""Forms take their own fields only: nobody sets one of the server."""

from io import BytesIO

import pytest
from flask import Blueprint

from pilot.views import ADMIN, TAKES, route
from tests.security.attacks.cases import literals

MASS = literals("massassign")
ROWS = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = 'public'::regnamespace ORDER BY relname"
)
BUSY = {"user_session", "audit", "audit_chain"}  # what signing in writes; nothing of a form


def rows(superuser):
    """Return every row of every table that a form could change, as text."""
    names = [name for (name,) in superuser.execute(ROWS).fetchall() if name not in BUSY]
    return {
        name: superuser.execute(f'SELECT t::text FROM "{name}" t ORDER BY 1').fetchall()  # noqa: S608
        for name in names
    }


@pytest.fixture
def forms(app):
    """Give the URL of every route that takes a form, and its endpoint."""
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "POST" in rule.methods and not rule.rule.startswith(("/api/", "/hooks/")):
                kinds = {name: type(one).__name__ for name, one in rule._converters.items()}
                stands = {"UUIDConverter": "0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b"}
                values = {name: stands.get(kind, 1) for name, kind in kinds.items()}
                if "group" in values:
                    values["group"] = "switches"
                found.append((app.url_for(rule.endpoint, **values), rule.endpoint))
    return found


@pytest.mark.capability(277)
def test_every_form_refuses_fields_of_the_server_by_name(forms, browse, world, superuser):
    browser, before = browse(world.admin), rows(superuser)
    assert len(forms) > 60
    for url, endpoint in forms:
        for extra in ({"is_admin": "1"}, {"owner_id": str(world.viewer.id)}):
            data = {"csrf_token": browser.kept_token()} | extra
            answer = browser.client.post(url, data=data)
            assert answer.status_code == 422, endpoint
            assert "no such field" in answer.text, endpoint
            assert next(iter(extra)) in answer.text, endpoint
    assert rows(superuser) == before


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", MASS)
def test_what_attackers_add_to_forms_of_people_changes_nothing(browse, world, superuser, name):
    extra = {key: str(value) for key, value in MASS[name].items()}
    browser, before = browse(world.admin), rows(superuser)
    for path, form in {
        f"/users/{world.viewer.id}/roles": {"roles": "admin"},
        "/users": {"name": "Ada", "roles": "viewer"},
        "/account/zone": {"zone": "Asia/Tokyo"},
        "/account/tokens": {"label": "x", "days": "1", "scopes": "costs:read"},
        "/account/password": {"old": "x", "password": "x"},
    }.items():
        data = {"csrf_token": browser.kept_token()} | extra | form
        assert browser.client.post(path, data=data).status_code == 422, path
    assert rows(superuser) == before


def test_a_file_that_no_form_has_is_refused(browse, world):
    browser = browse(world.admin)
    data = {"csrf_token": browser.csrf_token(), "avatar": (BytesIO(b"x"), "x.png")}
    answer = browser.client.post("/account/zone", data=data)
    assert answer.status_code == 422
    assert "avatar" in answer.text


def test_a_route_that_does_not_say_what_its_form_takes_cannot_be(app):
    with pytest.raises(ValueError, match="say which fields"):
        route(Blueprint("x", __name__), "/x", allow=ADMIN, methods=("POST",))


def test_no_route_takes_any_field(app):
    taken = [TAKES.get(rule.endpoint, ()) for rule in app.url_map.iter_rules()]
    assert not [one for one in taken if "*" in one]


def test_a_group_of_settings_takes_no_setting_of_another(browse, world):
    answer = browse(world.admin).post("/system-config/switches", {"pilot_max_steps": "7"})
    assert answer.status_code == 422
    assert "pilot_max_steps" in answer.text
