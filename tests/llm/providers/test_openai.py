"""What only chat completions have: a store, a cache by name, written arguments, organisations."""

from dataclasses import replace

import pytest

from pilot.llm.messages import Message, ToolSpec
from tests.llm.providers.asking import ASK, send

TOOL = ToolSpec("mail.send", "Sends a mail.", {"type": "object"})


def test_openai_stores_nothing_and_shares_the_cache_of_a_prompt(peer):
    for question in ("Which?", "Why?"):
        send(peer.model("openai"), replace(ASK, messages=(Message("user", question),)))
    first, second = peer.bodies()
    assert first["store"] is False
    assert first["prompt_cache_key"] == second["prompt_cache_key"]
    assert (first["max_completion_tokens"], first["temperature"]) == (100, 0.0)


def test_compatible_servers_get_nothing_that_only_openai_knows(peer):
    flags = {"token_parameter": "max_tokens", "temperature": False, "effort": ["low"]}
    send(peer.model("openai", offered_by="mistral", flags=flags))
    (body,) = peer.bodies()
    assert set(body) == {"model", "messages", "max_tokens", "reasoning_effort"}


@pytest.mark.parametrize(
    "written", ['{"a": NaN}', '{"a": 1, "a": 2}', "{'a': 1}", '{"a": "\\ud800"}']
)
def test_parameters_that_are_no_good_json_stay_the_text_they_are(peer, written):
    peer.script({"calls": [{"name": "mail.send", "params": written}]})
    (call,) = send(peer.model("openai"), replace(ASK, tools=(TOOL,))).calls
    assert call.params == written


def test_organisation_and_project_are_those_of_the_connection(peer):
    connection = peer.connection("openai", organisation="org-1", project="proj-1")
    send(peer.model("openai", connection=connection))
    headers = peer.requests()[0]["headers"]
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


def test_a_filtered_answer_is_a_refusal(peer):
    peer.script({"fault": "filtered"})
    assert send(peer.model("openai")).stop == "refusal"
