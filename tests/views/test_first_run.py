"""The first-run page."""

import pytest

from pilot.engine.people import first_run, users
from pilot.web import create_app
from tests.pages import Browser
from tests.world import PASSWORD

FORM = {"name": "Ada", "email": "ada@pilot.test", "password": PASSWORD}


@pytest.fixture
def bare(database, config):
    """Give a browser on an installation without anybody."""
    return Browser(create_app(config), None)


@pytest.mark.capability(290)
def test_the_link_makes_an_administrator_and_leads_to_the_overview(bare):
    token = first_run.give_link()
    page = bare.get(f"/first-run?token={token}")
    assert page.status_code == 200
    assert token in page.text
    answer = bare.post("/first-run", FORM | {"token": token})
    assert (answer.status_code, answer.location) == (303, "/")
    account = bare.get("/account")
    assert "ada@pilot.test" in account.text
    assert bare.get("/system-config").status_code == 200
    assert bare.get(f"/first-run?token={token}").status_code == 404
    assert bare.post("/first-run", FORM | {"token": token}).status_code == 404


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=%00", "?token=a&token=b"])
def test_without_the_link_there_is_nothing(bare, query):
    first_run.give_link()
    answer = bare.get(f"/first-run{query}")
    assert answer.status_code in {400, 404}
    assert bare.post("/first-run", FORM).status_code == 404


def test_when_somebody_exists_there_is_nothing(bare):
    token = first_run.give_link()
    first_run.ensure_admin(PASSWORD)
    assert bare.get(f"/first-run?token={token}").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "Enter your name."),
        ("email", "ada", "Enter an e-mail address, such as ada@example.org."),
        ("password", "1234567", "The password must have 8 to 256 characters."),
        ("password", "password123", "easy to guess"),
    ],
)
def test_a_refused_form_keeps_what_was_typed_but_the_password(bare, field, value, told):
    token = first_run.give_link()
    answer = bare.post("/first-run", FORM | {"token": token, field: value})
    assert answer.status_code == 422
    assert told in answer.text
    assert f'id="{field}-error"' in answer.text
    assert token in answer.text
    assert PASSWORD not in answer.text
    kept = {"name": "Ada", "email": "ada@pilot.test"} | (
        {} if field == "password" else {field: value}
    )
    assert all(f'value="{text}"' in answer.text for text in kept.values())
    assert bare.post("/first-run", FORM | {"token": token}).location == "/"


def test_other_roles_cannot_be_asked_for(bare):
    token = first_run.give_link()
    sent = FORM | {"token": token, "roles": "viewer", "id": "1"}
    assert bare.post("/first-run", sent).status_code == 422
    assert users.first_admin() is None
