"""What only messages have: cache marks, efforts, windows that are full."""

from dataclasses import replace

import pytest

from tests.llm.providers.asking import ASK, send


def test_anthropic_caches_the_system_text_and_knows_an_effort(peer):
    flags = {"cache": "explicit", "effort": ["low", "high"]}
    send(peer.model("anthropic", flags=flags), replace(ASK, effort="high"))
    (body,) = peer.bodies()
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert body["output_config"] == {"effort": "high"}
    assert (body["max_tokens"], "temperature" in body) == (100, False)


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
def test_a_retired_model_is_asked_all_the_same(peer):
    assert send(peer.model("anthropic", "claude-sonnet-4-20250514")).stop == "end"


def test_a_full_window_is_told_apart_from_the_output_limit(peer):
    peer.script({"fault": "context"})
    assert send(peer.model("anthropic")).stop == "context"
