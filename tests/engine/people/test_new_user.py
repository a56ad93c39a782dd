"""What a person can be created from."""

import pytest

from pilot.engine.people.new_user import NewUser
from pilot.errors import InvalidError

ADA = {
    "email": "Ada@Pilot.Test ",
    "name": " Ada ",
    "password": "four unrelated words",
    "roles": frozenset({"viewer"}),
}


def test_name_and_address_are_tidied():
    new = NewUser(**ADA).checked()
    assert (new.email, new.name) == ("ada@pilot.test", "Ada")


@pytest.mark.parametrize("email", ["admin@localhost", "a.b+c@x.example", "ü@dömäne.test"])
def test_addresses_of_all_kinds_are_taken(email):
    assert NewUser(**ADA | {"email": email}).checked().email == email


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada"),
        ("email", "a b@pilot.test"),
        ("email", "a@b@pilot.test"),
        ("email", "a\r\nBcc: x@pilot.test"),
        ("email", "a" * 250 + "@pilot.test"),
        ("name", "  "),
        ("name", "A\x00da"),
        ("name", "x" * 101),
        ("password", "short"),
        ("password", "x" * 257),
        ("roles", frozenset()),
        ("roles", frozenset({"operator", "root"})),
    ],
)
def test_what_cannot_be_accepted_is_named(field, value):
    with pytest.raises(InvalidError) as refused:
        NewUser(**ADA | {field: value}).checked()
    assert [issue.path for issue in refused.value.issues] == [f"/{field}"]


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidError) as refused:
        NewUser("", "", frozenset(), "").checked()
    paths = [issue.path for issue in refused.value.issues]
    assert paths == ["/email", "/name", "/password", "/roles"]
