"""Buckets of tokens that never overlap, whatever the provider counts inside what."""

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.llm import wire
from pilot.llm.messages import Usage
from tests.llm.providers.asking import BOTH, send
from tests.peer.answers import BUCKETS, Answer
from tests.peer.formats import encode

COUNTS = st.fixed_dictionaries({name: st.integers(0, 10_000_000) for name in BUCKETS})


def reported(form, usage, **marks):
    return encode(form, Answer("", "cheap", usage, marks=frozenset(marks)), 1)["usage"]


def usage_of(form, said):
    """Read the counts as the provider's file does; to load their SDKs takes seconds."""
    return import_module(f"pilot.llm.providers.{form}").usage(said)


@given(COUNTS)
def test_the_buckets_of_openai_add_up_to_its_total(usage):
    said = reported("openai", usage)
    found, flags = usage_of("openai", said)
    assert (found.total, flags) == (said["total_tokens"], ())
    assert (found.input, found.cache_read) == (usage["input"], usage["cache_read"])
    assert (found.output, found.reasoning) == (usage["output"], usage["reasoning"])


@given(COUNTS)
def test_the_buckets_of_anthropic_are_those_that_were_used(usage):
    assert usage_of("anthropic", reported("anthropic", usage)) == (Usage(**usage), ())


@given(COUNTS)
def test_caches_that_were_not_inside_the_prompt_are_added_and_flagged(usage):
    said = reported("openai", usage, caches_outside=True)
    found, flags = usage_of("openai", said)
    assert all(count >= 0 for count in vars(found).values())
    if flags:
        assert found.total > said["total_tokens"]
    else:
        assert found.total == said["total_tokens"]


def test_writes_that_were_not_inside_the_prompt_are_added_to_it():
    said = {
        "prompt_tokens": 100,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 50},
    }
    expected = Usage(input=20, cache_read=80, cache_write=50, output=9)
    assert usage_of("openai", said) == (expected, ("usage_conflict",))


@pytest.mark.parametrize("form", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "said", [None, [], {}, {"input_tokens": -1}, {"prompt_tokens": True, "completion_tokens": 1}]
)
def test_counts_that_are_none_are_not_believed(form, said):
    assert usage_of(form, said) == (None, ())


def test_more_reasoning_than_output_is_a_conflict_never_a_negative_count():
    details = {"thinking_tokens": 7}
    said = {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": details}
    expected = Usage(input=1, output=2, reasoning=7)
    assert usage_of("anthropic", said) == (expected, ("usage_conflict",))
    details = {"reasoning_tokens": 7}
    said = {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": details}
    assert usage_of("openai", said) == (expected, ("usage_conflict",))


def test_cache_spans_that_do_not_add_up_are_a_conflict():
    spans = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    said = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 5}
    found, flags = usage_of("anthropic", {**said, "cache_creation": spans})
    assert (found.cache_write, found.cache_write_long, flags) == (3, 4, ("usage_conflict",))


@pytest.mark.parametrize("form", ["openai", "anthropic"])
@pytest.mark.parametrize("bucket", BUCKETS)
def test_more_tokens_than_any_model_takes_are_not_believed(form, bucket):
    usage = dict.fromkeys(BUCKETS, 1) | {bucket: wire.MOST_TOKENS}
    assert usage_of(form, reported(form, usage)) == (None, ("usage_unusable",))


@BOTH
@pytest.mark.parametrize("kind", ["no_usage", "null_usage", "bad_usage"])
def test_usage_that_is_not_said_is_none(peer, form, kind):
    peer.script({"fault": kind})
    assert send(peer.model(form)).usage is None


@BOTH
@pytest.mark.parametrize(("kind", "bucket"), [("cached", "cache_read"), ("written", "cache_write")])
def test_what_the_peer_bills_is_what_the_buckets_cost(peer, form, kind, bucket):
    peer.script({"fault": {"kind": kind, "n": 1234}, "usage": {"reasoning": 77}})
    model = peer.model(form, "strong")
    used = send(model).usage
    assert getattr(used, bucket) == 1234
    assert used.reasoning == 77
    assert model.price.cost(used) == peer.bill()
