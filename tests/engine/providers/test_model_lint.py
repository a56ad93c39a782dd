"""The lint of the chosen models: each fault is named once, with a fix that mends it."""

from datetime import timedelta

import pytest

from pilot import db, settings, vault
from pilot.audit import Actor
from pilot.engine.providers import model_catalogue, model_lint, provider_keys
from pilot.engine.providers.model_catalogue import NewPrice
from tests.engine.providers.test_provider_keys import KEY

BY = Actor("cli:ann")
PRIMARY, FALLBACK = model_lint.PRIMARY, model_lint.FALLBACK
SWITCH = "orchestrator_enable_fallback"


@pytest.fixture
def keys(database):
    """Give a function that gives keys to providers."""
    vault.configure([KEY])

    def give(*names):
        for name in names:
            provider_keys.set_key(name, f"key-of-{name}", by=BY)

    yield give
    vault.configure([])


@pytest.fixture
def today(superuser):
    """Give a function that sets the day of the database."""

    def at(day):
        superuser.execute(
            "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql STABLE AS"
            f" $$ SELECT timestamptz '{day} 12:00:00Z' $$"
        )

    at("2026-11-21")
    return at


def findings(**chosen):
    with db.reading(None) as session:
        values, _ = settings.snapshot(session)
        return model_lint.lint(session, values | chosen)


def codes(**chosen):
    return [one.code for one in findings(**chosen)]


@pytest.mark.capability(108)
def test_the_default_pair_is_clean_once_its_keys_are_there(keys, today):
    keys("openai", "anthropic")
    assert findings() == []


def test_without_any_key_one_warning_says_what_to_do(keys, today):
    (one,) = findings()
    assert (one.code, one.severity, one.fix) == ("no_key", "warning", None)
    assert "pilot provider set-key" in one.message


@pytest.mark.parametrize(
    ("chosen", "code", "severity"),
    [
        ({PRIMARY: "claude-sonnet-4"}, "retired", "error"),
        ({FALLBACK: "claude-sonnet-4"}, "retired", "error"),
        ({FALLBACK: "claude-sonnet-4-5"}, "retiring", "warning"),
        ({PRIMARY: "gpt-4o-mini"}, "superseded", "warning"),
        ({PRIMARY: "gemini-4-argon"}, "dearer", "warning"),
        ({FALLBACK: "gpt-6-luna"}, "same_model", "error"),
        ({FALLBACK: "gpt-6.1-sol"}, "one_provider", "warning"),
        ({PRIMARY: "mistral-large-4"}, "provider_off", "error"),
        ({FALLBACK: "mistral-large-4"}, "provider_off", "warning"),
        ({"orchestrator_further_models": ["grok-4.7"]}, "provider_off", "warning"),
    ],
)
def test_a_fault_is_named_and_its_fix_mends_it(keys, today, chosen, code, severity):
    keys("openai", "anthropic", "google")
    (one,) = [one for one in findings(**chosen) if one.code == code]
    assert one.severity == severity
    assert one.message.endswith(".")
    settings.change_all(chosen, by=BY)
    settings.change(one.fix.setting, one.fix.value, by=BY)
    assert codes() == []


def test_the_first_choice_of_a_fix_is_the_named_replacement(keys, today):
    keys("openai", "anthropic")
    (one,) = findings(**{FALLBACK: "claude-sonnet-4"})
    assert one.fix.value == "claude-sonnet-5-5"
    assert one.fix.label == "Use Claude Sonnet 5.5"


def test_a_primary_without_its_key_is_an_error_with_a_model_that_has_one(keys, today):
    keys("anthropic")
    one = findings()[0]
    assert (one.code, one.severity, one.model_id) == ("no_key", "error", "gpt-6-luna")
    assert one.fix.value == "claude-haiku-5-5"


def test_without_fallback_only_the_primary_counts(keys, today):
    keys("openai")
    off = {SWITCH: False}
    assert codes(**off) == []
    assert codes(**off, **{FALLBACK: "gpt-6-luna"}) == []
    assert codes(**off, **{FALLBACK: "claude-sonnet-4"}) == []


@pytest.mark.capability(291)
def test_retirement_and_a_dearer_price_are_told_30_days_before(keys, today):
    keys("anthropic", "google")
    chosen = {PRIMARY: "claude-sonnet-4-5", FALLBACK: "gemini-3.8-flash"}
    told = {"2026-10-30": [], "2026-10-31": ["retiring"], "2026-11-30": ["retired"]}
    for day, expected in told.items():
        today(day)
        assert [one for one in codes(**chosen) if one in {"retiring", "retired"}] == expected
    for day, expected in {"2026-12-01": 0, "2026-12-02": 1, "2027-01-01": 0}.items():
        today(day)
        assert codes(**chosen).count("dearer") == expected


def test_a_cheaper_price_of_the_future_is_no_fault(keys, today):
    keys("openai", "anthropic")
    with db.reading(None) as session:
        begins = model_catalogue.now(session) + timedelta(days=9)
    cheaper = NewPrice({"input": "0.01", "output": "0.02"}, "x", valid_from=begins)
    model_catalogue.add_price("gpt-6-luna", cheaper, by=BY)
    assert codes() == []


@pytest.mark.capability(291)
def test_prices_that_nobody_looked_up_for_60_days_are_told(keys, today):
    keys("openai", "anthropic")
    today("2027-01-20")
    assert codes() == []
    today("2027-01-21")
    assert codes() == ["old_price", "old_price"]
    again = NewPrice({"input": "0.10", "output": "0.50"}, "x")
    model_catalogue.add_price("gpt-6-luna", again, by=BY)
    assert codes() == ["old_price"]


def test_an_unpriced_model_is_told(keys, today, superuser):
    keys("openai", "anthropic")
    superuser.execute("ALTER TABLE price DISABLE TRIGGER append_only")
    superuser.execute("DELETE FROM price WHERE model_id = 'gpt-6-luna'")
    (one,) = findings()
    assert (one.code, one.model_id) == ("unpriced", "gpt-6-luna")
    assert one.fix.value != "gpt-6-luna"


def presets():
    with db.reading(None) as session:
        return {one.name: one for one in model_lint.presets(session)}


@pytest.mark.capability(111)
@pytest.mark.parametrize(
    ("given", "pair"),
    [
        ((), ("gpt-6-luna", "claude-sonnet-5-5")),
        (("openai", "anthropic"), ("gpt-6-luna", "claude-sonnet-5-5")),
        (("openai",), ("gpt-6-luna", "gpt-6.1-sol")),
        (("anthropic",), ("claude-haiku-5-5", "claude-sonnet-5-5")),
        (("google",), ("gemini-2.5-flash-lite", "gemini-4-argon")),
    ],
)
def test_the_presets_are_made_of_models_that_can_be_asked(keys, today, given, pair):
    keys(*given)
    known = presets()
    cheap, strong = pair
    assert known["recommended"].values == {PRIMARY: cheap, FALLBACK: strong, SWITCH: True}
    assert known["max_savings"].values == {PRIMARY: cheap, FALLBACK: strong, SWITCH: False}
    assert known["max_quality"].values == {PRIMARY: strong, FALLBACK: cheap, SWITCH: False}
    assert known["recommended"].warning is None
    assert known["max_savings"].warning
    assert known["max_quality"].warning
    for one in known.values():
        settings.change_all(one.values, by=BY)
