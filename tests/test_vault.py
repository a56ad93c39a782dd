"""The vault: sealed values open with a known key, at their own place, and say nothing else."""

import base64
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import vault
from pilot.errors import ConfigError
from pilot.vault import Place

PLACE = Place("provider", "openai", 1)
SECRET = "sk-canary-0123456789"


def key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


OLD, NEW = key(), key()


@pytest.fixture(autouse=True)
def _keys():
    vault.configure([OLD])
    yield
    vault.configure([])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_is_sealed_opens_again_and_is_not_readable(secret):
    sealed = vault.seal(secret, PLACE)
    assert vault.open_sealed(sealed, PLACE) == secret
    assert len(secret) < 4 or secret not in sealed


def test_the_same_secret_is_sealed_differently_each_time():
    assert vault.seal(SECRET, PLACE) != vault.seal(SECRET, PLACE)


@pytest.mark.parametrize("change", [{"table": "x"}, {"row": "x"}, {"version": 2}, {"owner": "x"}])
def test_a_value_copied_to_another_place_does_not_open(change):
    sealed = vault.seal(SECRET, PLACE)
    with pytest.raises(ConfigError, match="another place") as refused:
        vault.open_sealed(sealed, replace(PLACE, **change))
    assert SECRET not in str(refused.value)


@given(st.integers(0), st.sampled_from("Aa0_-=é\n"))
def test_a_changed_value_does_not_open(place, letter):
    sealed = vault.seal(SECRET, PLACE)
    at = place % len(sealed)
    changed = sealed[:at] + letter + sealed[at + 1 :]
    if base64.urlsafe_b64decode(sealed) == _decoded(changed):
        return  # the same bytes, written in another way
    with pytest.raises(ConfigError, match="cannot be opened"):
        vault.open_sealed(changed, PLACE)


def _decoded(text):
    try:
        return base64.urlsafe_b64decode(text)
    except ValueError:
        return None


def test_the_newest_key_seals_and_both_open_meanwhile():
    before = vault.seal(SECRET, PLACE)
    vault.configure([NEW, OLD])
    after = vault.seal(SECRET, PLACE)
    assert vault.open_sealed(before, PLACE) == vault.open_sealed(after, PLACE) == SECRET
    assert (vault.is_newest(before), vault.is_newest(after)) == (False, True)
    vault.configure([OLD])
    with pytest.raises(ConfigError, match="put back the key"):
        vault.open_sealed(after, PLACE)


def test_after_a_rotation_the_old_key_is_not_needed():
    sealed = vault.seal(SECRET, PLACE)
    vault.configure([NEW, OLD])
    rotated = vault.rotate(sealed)
    vault.configure([NEW])
    assert vault.open_sealed(rotated, PLACE) == SECRET
    with pytest.raises(ConfigError, match="key that is not known"):
        vault.rotate(sealed)


def test_without_a_key_nothing_is_stored_in_the_clear():
    vault.configure([])
    for use in (lambda: vault.seal(SECRET, PLACE), lambda: vault.is_newest("x")):
        with pytest.raises(ConfigError, match="PILOT_SECRET_KEYS"):
            use()


def test_what_is_derived_depends_on_the_newest_key_and_the_names():
    same = vault.derive("resume", "1", "a")
    assert len(same) == 32
    assert same == vault.derive("resume", "1", "a")
    assert same != vault.derive("resume", "1a", "")
    vault.configure([NEW, OLD])
    assert same != vault.derive("resume", "1", "a")
    vault.configure([])
    with pytest.raises(ConfigError):
        vault.derive("resume", "1", "a")


def test_a_process_that_runs_learns_the_key_that_came_since(monkeypatch):
    vault.configure([NEW, OLD])
    after, derived = vault.seal(SECRET, PLACE), []
    reads = []

    def read_again():
        reads.append(1)
        if len(reads) == 1:
            raise ConfigError("it is being written")
        return [NEW, OLD]

    vault.configure([OLD], read_again)
    derived.append(vault.derive("a"))
    for _ in range(3):  # within a second the file is read once
        with pytest.raises(ConfigError, match="put back the key"):
            vault.open_sealed(after, PLACE)
    assert len(reads) == 1
    monkeypatch.setattr(vault, "LEARN_EVERY_S", 0)
    assert vault.open_sealed(after, PLACE) == SECRET
    assert vault.derive("a") == derived[0]
    assert vault.is_newest(vault.seal(SECRET, PLACE))  # it seals as it did
    assert len(reads) == 2
    vault.configure([OLD])
    with pytest.raises(ConfigError, match="put back the key"):
        vault.open_sealed(after, PLACE)
