"""Secrets that a process knows leave every text, in whatever form they stand there."""

import base64
import json
import re
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot import redaction
from pilot.redaction import redact

SECRET = 'hunter2 & "Zürich"/+x'
SECRETS = st.text(min_size=8, max_size=250).filter(lambda text: "[redacted:" not in text)
FORMS = {
    "plain": str,
    "address": lambda text: quote(text, safe=""),
    "query": quote_plus,
    "small percent": lambda text: re.sub("%..", lambda one: one[0].lower(), quote(text, safe="")),
    "json": json.dumps,
    "json in utf-8": lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/"),
    "hex": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "credentials": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    "longer credentials": lambda text: base64.urlsafe_b64encode(f"adam:{text}!".encode()).decode(),
}


@pytest.mark.capability(281)
@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_hidden_in_every_form(form):
    redaction.learn(SECRET, "provider")
    written = FORMS[form](SECRET)
    told = redact({"said": [f"so it is {written}, is it not"], f"key {written}": 1})
    assert "[redacted:provider]" in told["said"][0]
    assert "hunter2" not in repr(told)
    assert written[3:-3] not in repr(told)


@settings(max_examples=100, deadline=None)
@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_never_in_the_result_and_twice_changes_nothing_more(secret, before, after):
    secret = secret.encode("utf-8", "replace").decode()
    redaction.know({secret: "secret"})
    once = redact(before + secret + after)
    assert secret not in once
    assert redact(once) == once
    assert redact(before + "[redacted:secret]") == redact(before) + "[redacted:secret]"


def test_one_that_stands_within_a_word_is_hidden_and_the_rest_stays():
    redaction.learn("s3cret99", "secret")
    assert redact("pres3cret99ed and s3cret98") == "pre[redacted:secret]ed and s3cret98"


def test_what_is_shorter_than_eight_characters_would_be_found_in_any_text():
    redaction.learn("s3cret9", "secret")
    assert redact("s3cret9") == "s3cret9"


def test_of_two_that_begin_alike_the_longer_is_hidden():
    redaction.know({"opensesame": "secret", "opensesame-and-more": "secret"})
    assert redact("it was opensesame-and-more") == "it was [redacted:secret]"


def test_the_status_of_an_event_stays_whatever_somebody_calls_secret():
    redaction.learn("completed", "secret")
    told = redaction.redact_event({"status": "completed", "message": "completed it"})
    assert told == {"status": "completed", "message": "[redacted:secret] it"}


def test_what_is_known_can_be_replaced():
    redaction.learn("first-secret-1", "secret")
    redaction.know({"second-secret-2": "provider"})
    assert redact("first-secret-1 second-secret-2") == "first-secret-1 [redacted:provider]"


def seconds(text):
    start = time.process_time()
    redact(text)
    return time.process_time() - start


def test_time_grows_with_the_text_only():
    redaction.know({f"{n}-{'ab' * 40}": "secret" for n in range(20)})
    redaction.hide_personal_data(True)
    hostile = "-eyJ" * 5_000 + "bearer " * 5_000 + "1-" + "ab" * 9_000 + "DE89 37" * 3_000
    redact(hostile)  # the patterns are made
    once = min(seconds(hostile) for _ in range(3))
    # In step with the text it is 10 times as much, with its square 100 times.
    assert seconds(hostile * 10) < 50 * max(once, 0.002)


PERSONAL = {
    "mail jane.doe@example.com.": "mail [redacted:mail].",
    "DE89 3704 0044 0532 0130 00 EUR": "[redacted:iban] EUR",
    "GB82WEST12345698765432": "[redacted:iban]",
    "DE88370400440532013000": "DE88370400440532013000",
    "4111 1111 1111 1111 until 12/29": "[redacted:card] until 12/29",
    "4111 1111 1111 1112": "4111 1111 1111 1112",
    "call +49 170 1234567 now": "call [redacted:phone] now",
    "call (030) 1234-5678": "call [redacted:phone]",
    "2026-11-21 10:30, 12,500.00 EUR, id 8172": "2026-11-21 10:30, 12,500.00 EUR, id 8172",
}


@pytest.mark.parametrize("text", PERSONAL)
def test_personal_data_are_hidden_where_the_setting_asks_for_it(text):
    assert redact(text) == text
    redaction.hide_personal_data(True)
    assert redact(text) == PERSONAL[text]
    assert redact(PERSONAL[text]) == PERSONAL[text]
