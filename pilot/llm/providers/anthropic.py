"""Anthropic's messages: one HTTP request for each `send`."""

import logging
from collections.abc import Mapping
from typing import Any

import anthropic
from anthropic._constants import ANTHROPIC_API_VERSION  # what this SDK speaks; not exported

from pilot.llm import faults, transport, wire
from pilot.llm.messages import Message, Model, Reply, Request, Stop, ToolCall, ToolSpec, Usage

NAME = "anthropic"
KIT = transport.Kit(anthropic.APIStatusError, anthropic.APIConnectionError, "request-id")
STOPS: Mapping[Any, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "calls",
    "max_tokens": "truncated",
    "refusal": "refusal",
    "model_context_window_exceeded": "context",
}
CACHED = {"cache_control": {"type": "ephemeral"}}
logging.getLogger(NAME).setLevel(logging.WARNING)  # the environment could make it tell prompts


def send(request: Request, model: Model) -> Reply:
    """Ask a model once.

    Raises:
        ModelFaultError: nothing of an answer came back.
    """
    line = transport.Connection(model)
    key, base_url = line.key, line.base_url
    body = parameters(request, model)
    headers = {"authorization": f"Bearer {key}", "anthropic-version": ANTHROPIC_API_VERSION}
    with line.client(headers, request.timeout_s) as http:
        client = anthropic.Anthropic(
            api_key=key,
            webhook_key="",  # all that is left out would come from the environment
            base_url=base_url,
            timeout=request.timeout_s,
            max_retries=0,
            open_telemetry=False,
            http_client=http,
        )
        received = transport.exchange(
            model, KIT, lambda: client.messages.with_raw_response.create(**body)
        )
    return reply(received, request, model)


def parameters(request: Request, model: Model) -> dict[str, Any]:
    """Return the body of a request; no temperature: these models know an effort instead."""
    body: dict[str, Any] = {
        "model": model.name,
        "max_tokens": wire.max_output(request, model),
        "messages": [_line(message) for message in request.messages],
    }
    if request.system:
        mark = CACHED if model.flags.get("cache", "explicit") == "explicit" else {}
        body["system"] = [{"type": "text", "text": request.system, **mark}]
    strict = model.flags.get("strict_schema", True)
    offered = wire.tools(request, model)
    if offered:
        body["tools"] = [_tool(one, strict=strict) for one in offered]
    output: dict[str, Any] = {}
    effort = wire.effort(request, model)
    if effort is not None:
        output["effort"] = effort
    schema = request.schema
    if strict and schema is not None and wire.is_strict(schema):
        output["format"] = {"type": "json_schema", "schema": schema}
    if output:
        body["output_config"] = output
    return body


def _line(message: Message) -> dict[str, Any]:
    if message.role == "results":
        results = [
            {
                "type": "tool_result",
                "tool_use_id": one.id,
                "content": one.text,
                "is_error": not one.ok,
            }
            for one in message.results
        ]
        return {"role": "user", "content": results}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    said = [{"type": "text", "text": message.text}] if message.text else []
    calls = [
        {
            "type": "tool_use",
            "id": one.id,
            "name": wire.tool_name(one.name),
            "input": one.params if isinstance(one.params, dict) else {"value": one.params},
        }
        for one in message.calls
    ]
    return {"role": "assistant", "content": [*said, *calls]}


def _tool(offered: ToolSpec, *, strict: bool) -> dict[str, Any]:
    tool = {
        "name": wire.tool_name(offered.name),
        "description": offered.summary,
        "input_schema": offered.params_schema,
    }
    return tool | {"strict": True} if strict and wire.is_strict(offered.params_schema) else tool


def reply(received: transport.Received, request: Request, model: Model) -> Reply:
    """Read a reply.

    Raises:
        ModelFaultError: api; it has no content.
    """
    body = received.body
    if not isinstance(body.get("content"), list):
        raise faults.unreadable(model, "It has no content.")
    blocks = wire.parts(body, "content")
    text = "".join(str(one.get("text") or "") for one in blocks if one.get("type") == "text")
    calls = tuple(_call(one, request) for one in blocks if one.get("type") == "tool_use")
    stop = STOPS.get(body.get("stop_reason"), "unfinished")
    if stop in {"end", "calls"}:
        stop = "calls" if calls else "end"
    used, flags = usage(body.get("usage"))
    billed, more = wire.billed(body, model)
    return Reply(text, calls, stop, billed, used, received.request_id, (*flags, *more))


def _call(given: Mapping[str, Any], request: Request) -> ToolCall:
    name = wire.action_name(given.get("name"), request)
    return ToolCall(str(given.get("id") or ""), name, given.get("input"))


def usage(given: Any) -> tuple[Usage | None, tuple[str, ...]]:
    """Return the tokens in buckets that do not overlap; None: the provider does not say.

    The provider's input count holds neither what was read from a cache nor what was written.
    """
    said = given if isinstance(given, dict) else {}
    fresh, output = wire.count(said, "input_tokens"), wire.count(said, "output_tokens")
    if fresh is None or output is None:
        return None, ()
    written = wire.count(said, "cache_creation_input_tokens") or 0
    spans = wire.part(said, "cache_creation")
    long = wire.count(spans, "ephemeral_1h_input_tokens") or 0
    short = wire.count(spans, "ephemeral_5m_input_tokens")
    conflict = long > written or (short is not None and short + long != written)
    thinking = wire.part(said, "output_tokens_details")
    reasoning = wire.count(thinking, "thinking_tokens") or 0
    if reasoning > output:
        output, conflict = output + reasoning, True
    found = Usage(
        input=fresh,
        cache_read=wire.count(said, "cache_read_input_tokens") or 0,
        cache_write=max(written - long, short or 0),
        cache_write_long=long,
        output=output - reasoning,
        reasoning=reasoning,
    )
    return wire.usage(found, conflict=conflict)
