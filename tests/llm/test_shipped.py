"""The shipped catalogue, and how strictly it is read."""

from datetime import date
from decimal import Decimal

import pytest

from pilot.llm import prices, shipped

MODEL = """
source = "a list"
checked_on = 2026-11-21
[[provider]]
name = "one"
label = "One"
adapter = "openai"
base_url = "https://one.example/v1"
enabled = true
[[model]]
id = "m"
provider = "one"
name = "m-1"
label = "M"
tier = "fast"
window = 1000
max_output = 100
[model.flags]
strict_schema = true
json_mode = true
temperature = true
effort = []
cache = "none"
tools = true
token_parameter = "max_tokens"
[[model.price]]
valid_from = 2026-01-01
input = 0.10
output = 0.50
"""


def models():
    return {one.id: one for one in shipped.load().model}


def of(name, number=-1):
    return prices.price(models()[name].price[number].numbers)


def test_the_shipped_prices_are_those_of_the_list():
    haiku, luna, kimi = of("claude-haiku-5-5"), of("gpt-6-luna"), of("kimi-k3")
    assert (haiku.input, haiku.output, haiku.cache_read) == tuple(
        map(Decimal, (".10", ".50", ".01"))
    )
    assert (haiku.cache_write, haiku.cache_write_long) == (Decimal("0.125"), Decimal("0.2"))
    assert (haiku.long_from, haiku.long.output, haiku.long.cache_write) == (
        100_000,
        Decimal("2.5"),
        Decimal("0.625"),
    )
    assert (luna.long_from, luna.long.input, luna.long.output) == (
        272_000,
        Decimal("0.2"),
        Decimal("0.75"),
    )
    assert (kimi.cache_write, kimi.cache_write_long, kimi.long) == (3, 6, None)


def test_a_price_of_the_future_is_shipped_with_its_date():
    dates = [one.valid_from for one in models()["gemini-4-argon"].price]
    assert dates == [date(2026, 1, 1), date(2026, 12, 1)]
    assert (of("gemini-4-argon", 0).input, of("gemini-4-argon").input) == (2, 4)


@pytest.mark.capability(108)
def test_the_pair_of_the_original_system_is_there_and_flagged():
    mini, sonnet = models()["gpt-4o-mini"], models()["claude-sonnet-4"]
    assert (mini.retired_on, mini.replaced_by) == (None, "gpt-6-luna")
    assert (sonnet.retired_on, sonnet.replaced_by) == (date(2026, 6, 15), "claude-sonnet-5-5")
    assert sonnet.name == "claude-sonnet-4-20250514"


def test_every_tier_has_a_model_of_two_providers():
    for tier in ("fast", "balanced", "powerful"):
        assert len({one.provider for one in models().values() if one.tier == tier}) >= 2


def test_a_whole_catalogue_is_read():
    (model,) = shipped.parse(MODEL).model
    assert model.price[0].numbers == {"input": Decimal("0.10"), "output": Decimal("0.50")}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("input = 0.10", "inputs = 0.10"),
        ("input = 0.10", "input = -0.10"),
        ("input = 0.10", "input = 0"),
        ("input = 0.10\n", ""),
        ('tier = "fast"', 'tier = "quick"'),
        ('provider = "one"', 'provider = "two"'),
        ("window = 1000", 'window = "1000"'),
        ("max_output = 100", 'max_output = 100\nreplaced_by = "n"'),
        ('base_url = "https:', 'base_url = "http:'),
        ("checked_on = 2026-11-21\n", ""),
    ],
)
def test_what_does_not_fit_is_refused(old, new):
    assert old in MODEL
    with pytest.raises(ValueError, match=r"\w"):
        shipped.parse(MODEL.replace(old, new))
