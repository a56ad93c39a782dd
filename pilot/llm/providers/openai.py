"""OpenAI and all that speak its chat completions: one HTTP request for each `send`."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import openai

from pilot import strictjson
from pilot.errors import BadJsonError
from pilot.llm import faults, transport, wire
from pilot.llm.messages import Message, Model, Reply, Request, Stop, ToolCall, ToolSpec, Usage

NAME = "openai"
KIT = transport.Kit(openai.APIStatusError, openai.APIConnectionError, "x-request-id")
STOPS: Mapping[Any, Stop] = {
    "stop": "end",
    "tool_calls": "calls",
    "function_call": "calls",
    "length": "truncated",
    "content_filter": "refusal",
}
logging.getLogger(NAME).setLevel(logging.WARNING)  # the environment could make it tell prompts


def send(request: Request, model: Model) -> Reply:
    """Ask a model once.

    Raises:
        ModelFaultError: nothing of an answer came back.
    """
    line = transport.Connection(model)
    key, base_url = line.key, line.base_url
    body = parameters(request, model)
    headers = {"authorization": f"Bearer {key}"}
    for header, name in (("openai-organization", "organisation"), ("openai-project", "project")):
        if model.connection.get(name):
            headers[header] = model.connection[name]
    with line.client(headers, request.timeout_s) as http:
        client = openai.OpenAI(
            api_key=key,
            admin_api_key="",  # all that is left out would come from the environment
            organization=model.connection.get("organisation", ""),
            project=model.connection.get("project", ""),
            webhook_secret="",
            base_url=base_url,
            timeout=request.timeout_s,
            max_retries=0,
            http_client=http,
        )
        received = transport.exchange(
            model, KIT, lambda: client.chat.completions.with_raw_response.create(**body)
        )
    return reply(received, request, model)


def parameters(request: Request, model: Model) -> dict[str, Any]:
    """Return the body of a request."""
    flags = model.flags
    messages = [{"role": "system", "content": request.system}] if request.system else []
    messages += [line for message in request.messages for line in _lines(message)]
    limit = flags.get("token_parameter", "max_completion_tokens")
    body: dict[str, Any] = {
        "model": model.name,
        "messages": messages,
        limit: wire.max_output(request, model),
    }
    if flags.get("temperature", True):
        body["temperature"] = request.temperature
    effort = wire.effort(request, model)
    if effort is not None:
        body["reasoning_effort"] = effort
    offered = wire.tools(request, model)
    if offered:
        strict = flags.get("strict_schema", True)
        body["tools"] = [_tool(one, strict=strict) for one in offered]
    form = _form(request, flags)
    if form is not None:
        body["response_format"] = form
    if model.offered_by in {"", NAME}:  # servers that are merely compatible refuse these
        body["store"] = False
        body["prompt_cache_key"] = _version(request)
    return body


def _lines(message: Message) -> list[dict[str, Any]]:
    if message.role == "results":
        return [
            {"role": "tool", "tool_call_id": one.id, "content": one.text} for one in message.results
        ]
    line: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        line["content"] = message.text or None
        line["tool_calls"] = [
            {
                "id": one.id,
                "type": "function",
                "function": {
                    "name": wire.tool_name(one.name),
                    "arguments": _written(one.params),
                },
            }
            for one in message.calls
        ]
    return [line]


def _written(params: Any) -> str:
    return params if isinstance(params, str) else strictjson.dumps(params)


def _tool(offered: ToolSpec, *, strict: bool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": wire.tool_name(offered.name),
        "description": offered.summary,
        "parameters": offered.params_schema,
    }
    if strict and wire.is_strict(offered.params_schema):
        function["strict"] = True
    return {"type": "function", "function": function}


def _form(request: Request, flags: Mapping[str, Any]) -> dict[str, Any] | None:
    schema = request.schema
    if schema is None:
        return None
    if flags.get("strict_schema", True) and wire.is_strict(schema):
        named = {"name": "answer", "strict": True, "schema": schema}
        return {"type": "json_schema", "json_schema": named}
    if flags.get("json_mode") and schema.get("type") == "object":
        return {"type": "json_object"}
    return None


def _version(request: Request) -> str:
    """Return what prompts with the same beginning share."""
    names = [one.name for one in request.tools]
    start = strictjson.canonical([request.system, names, request.schema])
    return hashlib.sha256(start.encode("utf-8", "replace")).hexdigest()[:32]


def reply(received: transport.Received, request: Request, model: Model) -> Reply:
    """Read a reply.

    Raises:
        ModelFaultError: api; it has no message.
    """
    body = received.body
    choices = wire.parts(body, "choices")
    message = wire.part(choices[0], "message") if choices else {}
    if not message:
        raise faults.unreadable(model, "It has no message.")
    calls = tuple(_call(one, request) for one in wire.parts(message, "tool_calls"))
    stop = STOPS.get(choices[0].get("finish_reason"), "unfinished")
    text, refused = message.get("content"), message.get("refusal")
    if refused:
        stop, text = "refusal", refused
    elif stop in {"end", "calls"}:
        stop = "calls" if calls else "end"
    used, flags = usage(body.get("usage"))
    billed, more = wire.billed(body, model)
    said = text if isinstance(text, str) else ""
    return Reply(said, calls, stop, billed, used, received.request_id, (*flags, *more))


def _call(given: Mapping[str, Any], request: Request) -> ToolCall:
    function = wire.part(given, "function")
    written = function.get("arguments")
    params = written
    if isinstance(written, str):
        try:
            params = strictjson.loads(written or "{}")
        except BadJsonError:
            params = written  # the check of the action's parameters tells the model
    name = wire.action_name(function.get("name"), request)
    return ToolCall(str(given.get("id") or ""), name, params)


def usage(given: Any) -> tuple[Usage | None, tuple[str, ...]]:
    """Return the tokens in buckets that do not overlap; None: the provider does not say.

    The provider's prompt count holds the caches; where it does not, they are added to it.
    """
    said = given if isinstance(given, dict) else {}
    prompt, completion = wire.count(said, "prompt_tokens"), wire.count(said, "completion_tokens")
    if prompt is None or completion is None:
        return None, ()
    sent, made = (wire.part(said, f"{of}_tokens_details") for of in ("prompt", "completion"))
    read, written = wire.count(sent, "cached_tokens"), wire.count(sent, "cache_write_tokens")
    reasoning = wire.count(made, "reasoning_tokens") or 0
    fresh, conflict = prompt - (read or 0) - (written or 0), False
    if fresh < 0:  # the writes were not inside, nor perhaps the reads
        fresh, conflict = prompt - (read or 0), True
        fresh = prompt if fresh < 0 else fresh
    if reasoning > completion:
        completion, conflict = completion + reasoning, True
    found = Usage(
        input=fresh,
        cache_read=read or 0,
        cache_write=written or 0,
        output=completion - reasoning,
        reasoning=reasoning,
    )
    return wire.usage(found, conflict=conflict)
