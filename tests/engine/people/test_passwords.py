"""Passwords: which are refused, and that every character counts."""

import pytest

from pilot.engine.people import passwords


def codes(password):
    return [issue.code for issue in passwords.issues(password, email="ada@pilot.test")]


@pytest.mark.parametrize(
    "password",
    ["password123", "QWERTYUIOP", "Sunshine2026", "ada@pilot.test", "\uff50assword1"],
)
def test_passwords_that_anybody_would_try_are_refused(password):
    assert codes(password) == ["password_known"]


@pytest.mark.parametrize(("length", "refused"), [(7, 1), (8, 0), (256, 0), (257, 1)])
def test_eight_to_256_characters_are_taken(length, refused):
    assert codes("zK" * (length // 2) + "q" * (length % 2)) == ["password_length"] * refused


def test_the_list_of_bad_passwords_is_long_and_matters():
    lines = passwords._known_bad()
    assert len(lines) > 3000
    assert all(passwords.SHORTEST <= len(line) <= passwords.LONGEST for line in lines)


def test_every_character_of_a_long_password_counts():
    password = "x" * 100 + "y" * 156
    stored = passwords.hashed(password)
    assert passwords.matches(password, stored)
    for other in (password[:-1] + "z", password[:72], password + "y", ""):
        assert not passwords.matches(other, stored)


def test_composed_and_decomposed_letters_are_one_password():
    stored = passwords.hashed("pa\u0308sswo\u0308rter vom Meer")
    assert passwords.matches("p\u00e4ssw\u00f6rter vom Meer", stored)


def test_the_parameters_are_those_of_owasp_and_salts_differ():
    first, second = passwords.hashed("four words"), passwords.hashed("four words")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["", "\ud800" * 9, "x" * 10**6, "four words"])
def test_without_a_stored_hash_nothing_matches(password):
    assert passwords.matches(password, None) is False
