"""Secrets leave values before they are written anywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.errors import ErrorClass
from pilot.redaction import redact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["password", "name", "api_key", "tokens"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "key",
    ["password", "Client-Secret", "api_key", "apiKey", "X-API-Key", "authorization", "Set-Cookie"],
)
def test_a_text_below_a_key_that_names_a_secret_is_hidden(key):
    hidden = redact({key: "hunter2-and-more", "name": "Ada"})
    assert hidden["name"] == "Ada"
    assert hidden[key].startswith("[redacted:")


def test_counts_of_tokens_stay():
    assert redact({"tokens": 120, "token_id": "t1"}) == {"tokens": 120, "token_id": "t1"}


def test_everything_below_a_secret_key_is_hidden():
    value = {"credentials": {"user": "ada", "codes": ["a1", "b2"], "tries": 3}}
    hidden = "[redacted:credentials]"
    assert redact(value) == {"credentials": {"user": hidden, "codes": [hidden, hidden], "tries": 3}}


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop0123",
        "ghp_abcdefghij0123456789",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "abcdefghijklmnopqrstuvwx0123",
    ],
)
def test_tokens_are_known_by_their_form(secret):
    told = redact(f"Authorization: Bearer {secret} was refused")
    assert secret not in told
    assert told.startswith("Authorization: Bearer [redacted:token]")


@pytest.mark.parametrize(
    "secret",
    [
        "plt_9tHHoD3-0TfK_q2bC8mXWm1yqvJ3l0aa",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw+/b=",
        "github_pat_11ABCDEFG0abcdefghij_klm",
        "xapp-1-A0123456789-0123456789-abcdef",
        "SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc1s5cr",
        "npm_a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8",
    ],
)
def test_tokens_are_known_without_a_word_before_them(secret):
    assert redact(f"it said: {secret}, twice") == "it said: [redacted:token], twice"


def test_a_password_in_an_address_is_hidden():
    told = redact("cannot reach postgresql://pilot:s3cret@db.test:5432/pilot")
    assert told == "cannot reach postgresql://pilot:[redacted:password]@db.test:5432/pilot"


def test_a_private_key_is_hidden():
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    assert redact(f"key: {key}") == "key: [redacted:private_key]"


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_redacting_twice_changes_nothing_more(value):
    once = redact(value)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text", ["Bearer abcdefghijklmnop", "authorization: bearer mysecretword", "basic dXNlcjpwYXNz"]
)
def test_a_token_of_letters_only_is_hidden(text):
    assert redact(text).endswith(" [redacted:token]")


@pytest.mark.parametrize(
    "text",
    [
        "a basic understanding of it",
        "the column pk_customer_identifier",
        "npm_config_registry and hf_transformers",
    ],
)
def test_words_that_begin_like_a_token_stay(text):
    assert redact(text) == text


def test_members_of_enums_and_broken_text_are_taken():
    assert redact([ErrorClass.TIMEOUT, "a\ud800"]) == ["timeout", "a?"]
