"""What is sent in both formats, and how replies are read, over a real socket."""

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from pilot import strictjson
from pilot.llm.messages import FREE, Message, Price, ToolCall, ToolResult, ToolSpec
from tests.llm.providers.asking import ASK, BOTH, fault, send
from tests.peer.fixture import KEY, key_hash

CLOSED = {
    "type": "object",
    "properties": {
        "colour": {"type": ["string", "null"]},
        "sizes": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["colour", "sizes"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"colour": {"type": "string"}}}
TOOL = ToolSpec("mail.send", "Sends a mail.", CLOSED)
CALL = ToolCall("call_1", "mail.send", {"colour": "red", "sizes": []})
TURN = (
    Message("user", "Which?"),
    Message("assistant", "I ask.", calls=(CALL,)),
    Message("results", results=(ToolResult("call_1", "mail.send", "sent", ok=True),)),
)
HOSTILE = {
    "OPENAI_API_KEY": "sk-hostile-000000000000",
    "OPENAI_ADMIN_KEY": "sk-hostile-000000000000",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "OPENAI_ORG_ID": "hostile",
    "OPENAI_PROJECT_ID": "hostile",
    "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer hostile\nX-Hostile: 1\nOpenAI-Project: hostile",
    "OPENAI_LOG": "debug",
    "ANTHROPIC_API_KEY": "sk-hostile-000000000000",
    "ANTHROPIC_AUTH_TOKEN": "hostile",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer hostile\nX-Hostile: 1",
    "ANTHROPIC_PROFILE": "hostile",
    "ANTHROPIC_LOG": "debug",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}
PROBE = """
import json, logging, sys
from pilot.llm.messages import Message, Model, Request
from pilot.llm import providers
form, connection = sys.argv[1], json.loads(sys.argv[2])
request = Request("Be brief.", (Message("user", "A secret prompt"),), timeout_s=5)
print(providers.load(form).send(request, Model("cheap", form, "cheap", connection=connection)).text)
"""


@BOTH
def test_a_question_and_its_answer(peer, form):
    reply = send(peer.model(form))
    assert (reply.text, reply.stop, reply.billed) == ('{"answer": "ok"}', "end", "cheap")
    assert reply.request_id.startswith("req_")
    (body,) = peer.bodies()
    assert body["model"] == "cheap"
    assert "Be brief." in strictjson.dumps(body)
    assert body["messages"][-1] == {"role": "user", "content": "Which colour?"}


@BOTH
def test_a_model_is_asked_for_no_more_than_it_can_give(peer, form):
    send(peer.model(form, max_output=50))
    (body,) = peer.bodies()
    assert 50 in body.values()


@BOTH
def test_closed_schemas_are_enforced_by_the_provider(peer, form):
    send(peer.model(form), replace(ASK, schema=CLOSED))
    (body,) = peer.bodies()
    if form == "openai":
        named = {"name": "answer", "strict": True, "schema": CLOSED}
        assert body["response_format"] == {"type": "json_schema", "json_schema": named}
    else:
        assert body["output_config"]["format"] == {"type": "json_schema", "schema": CLOSED}


@BOTH
@pytest.mark.parametrize("flags", [{}, {"json_mode": True}, {"strict_schema": False}])
def test_schemas_that_providers_refuse_are_not_sent(peer, form, flags):
    schema = CLOSED if "strict_schema" in flags else OPEN
    send(peer.model(form, flags=flags), replace(ASK, schema=schema))
    (body,) = peer.bodies()
    expected = {"type": "json_object"} if form == "openai" and "json_mode" in flags else None
    assert body.get("response_format") == expected
    assert "output_config" not in body


@BOTH
def test_actions_are_offered_and_asked_for(peer, form):
    peer.script({"calls": [{"name": "mail.send", "params": {"colour": "red", "sizes": [1]}}]})
    reply = send(peer.model(form), replace(ASK, tools=(TOOL, ToolSpec("a.b", "Does.", OPEN))))
    (call,) = reply.calls
    assert (reply.stop, call.name) == ("calls", "mail.send")
    assert call.params == {"colour": "red", "sizes": [1]}
    tools = [one.get("function", one) for one in peer.bodies()[0]["tools"]]
    assert [(one["name"], one.get("strict")) for one in tools] == [
        ("mail-send", True),
        ("a-b", None),
    ]


@BOTH
def test_what_became_of_actions_is_told(peer, form):
    send(peer.model(form), replace(ASK, messages=TURN, tools=(TOOL,)))
    _, said, became = peer.bodies()[0]["messages"][-3:]
    if form == "openai":
        assert said["tool_calls"][0]["function"]["name"] == "mail-send"
        assert became == {"role": "tool", "tool_call_id": "call_1", "content": "sent"}
    else:
        assert said["content"][1]["input"] == CALL.params
        assert became["content"][0]["tool_use_id"] == "call_1"


@BOTH
def test_a_model_that_cannot_call_actions_is_not_asked_to(peer, form):
    found = fault(peer.model(form, flags={"tools": False}), replace(ASK, tools=(TOOL,)))
    assert found.reason == "config"
    assert peer.requests() == []


@BOTH
@pytest.mark.parametrize(
    ("kind", "stop"),
    [("truncated", "truncated"), ("refusal", "refusal"), ("paused", "unfinished")],
)
def test_why_a_model_stopped(peer, form, kind, stop):
    peer.script({"fault": kind})
    reply = send(peer.model(form))
    assert reply.stop == stop
    assert reply.usage.total > 0


@BOTH
def test_an_empty_answer_is_an_answer(peer, form):
    peer.script({"fault": "empty"})
    assert (send(peer.model(form)).text, send(peer.model(form)).stop) == ("", "end")


@BOTH
def test_the_model_that_was_billed_is_the_one_that_the_reply_names(peer, form):
    for said, flags in (("cheap-2026-11-01", ()), ("strong", ("other_model",))):
        peer.script({"fault": {"kind": "other_model", "model": said}})
        reply = send(peer.model(form))
        assert (reply.billed, reply.flags) == (said, flags)


@BOTH
def test_the_longest_name_that_is_known_is_the_one_that_answered(peer, form):
    priced = replace(peer.model(form), others={"cheap-mini": Price.flat(Decimal(9), Decimal(9))})
    free = replace(priced, price=FREE)
    for said, flags, price in (
        ("cheap-2026", (), priced.price),
        ("cheap-mini-2026", ("other_model",), priced.others["cheap-mini"]),
        ("nobody", ("other_model",), priced.price),
    ):
        peer.script({"fault": {"kind": "other_model", "model": said}})
        assert send(priced).flags == flags
        assert (priced.price_as(said), free.price_as(said)) == (price, FREE), said


@BOTH
def test_nothing_is_taken_from_the_environment(peer, form):
    connection = strictjson.dumps(peer.connection(form))
    command = [sys.executable, "-c", PROBE, form, connection]
    told = subprocess.run(command, env=HOSTILE, capture_output=True, text=True, check=True)
    assert told.stdout == '{"answer": "ok"}\n'
    (line,) = peer.requests()
    assert line["key_hash"] == key_hash(KEY)
    assert "hostile" not in strictjson.dumps(line["headers"])
    assert not [text for text in (KEY, "hostile", "secret prompt") if text in told.stderr]
