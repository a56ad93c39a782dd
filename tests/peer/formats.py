"""The wire formats: what a provider refuses in a request, and how its replies look."""

import json

from tests.peer.answers import Answer

FINISH = {
    "end": ("stop", "end_turn"),
    "calls": ("tool_calls", "tool_use"),
    "truncated": ("length", "max_tokens"),
    "refusal": ("stop", "refusal"),
    "context": ("length", "model_context_window_exceeded"),
    "paused": ("pause", "pause_turn"),
}
ROLES = {"system", "user", "assistant", "tool"}
CREATED = 1_795_000_000


def complaint(form: str, body: dict) -> str | None:
    """Return why the provider refuses this request, or None."""
    if not isinstance(body.get("model"), str) or not body.get("messages"):
        return "model and messages are required"
    if form == "anthropic":
        return _anthropic_complaint(body)
    return _openai_complaint(body)


def _openai_complaint(body: dict) -> str | None:
    if any(
        message["role"] not in {"system", "user", "assistant", "tool"}
        for message in body["messages"]
    ):
        return "Invalid value for messages.role"
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"]
        if schema.get("strict") and not _is_closed(schema["schema"]):
            return "Invalid schema for response_format: 'additionalProperties' is required"
    for tool in body.get("tools", ()):
        function = tool["function"]
        if "." in function["name"]:
            return "Invalid 'tools[0].function.name': string does not match pattern"
        if function.get("strict") and not _is_closed(function["parameters"]):
            return "Invalid schema for function"
    return None


def _anthropic_complaint(body: dict) -> str | None:
    if not isinstance(body.get("max_tokens"), int):
        return "max_tokens: Field required"
    if {"temperature", "top_p", "top_k"} & set(body):
        return "temperature: Extra inputs are not permitted"
    roles = [message["role"] for message in body["messages"]]
    if roles[0] != "user" or set(roles) - {"user", "assistant"}:
        return "messages: first message must use the user role"
    form = (body.get("output_config") or {}).get("format")
    if form and not _is_closed(form["schema"]):
        return "output_config.format.schema: additionalProperties must be false"
    if any("." in tool["name"] for tool in body.get("tools", ())):
        return "tools.0.name: String should match pattern"
    return None


def _is_closed(schema: dict) -> bool:
    """Tell whether all objects of a schema name all their members, as strict modes demand."""
    if "object" in _types(schema):
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required", ())) != set(properties):
            return False
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    parts += [schema["items"]] if isinstance(schema.get("items"), dict) else []
    return all(_is_closed(part) for part in parts)


def _types(schema: dict) -> list:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def encode(form: str, found: Answer, number: int) -> dict:
    """Return the reply of a provider."""
    return (_anthropic if form == "anthropic" else _openai)(found, number)


def _openai(found: Answer, number: int) -> dict:
    refused = "refusal" in found.marks
    message = {"role": "assistant", "content": None if refused else found.text, "refusal": None}
    if refused:
        message["refusal"] = found.text
    if found.calls:
        message["content"] = found.text or None
        message["tool_calls"] = [
            _openai_call(call, number, n) for n, call in enumerate(found.calls)
        ]
    finish = "content_filter" if "filtered" in found.marks else FINISH[found.stop][0]
    reply = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": found.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "service_tier": "default",
    }
    return _with_usage(reply, found, _openai_usage)


def _openai_call(call: dict, number: int, place: int) -> dict:
    params = call.get("params", {})
    arguments = params if isinstance(params, str) else json.dumps(params)
    function = {"name": call["name"].replace(".", "-"), "arguments": arguments}
    return {"id": f"call_{number}_{place}", "type": "function", "function": function}


def _openai_usage(found: Answer) -> dict:
    usage = found.usage
    written = usage["cache_write"] + usage["cache_write_long"]
    caches = 0 if "caches_outside" in found.marks else usage["cache_read"] + written
    prompt, completion = usage["input"] + caches, usage["output"] + usage["reasoning"]
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage["cache_read"],
            "cache_write_tokens": written,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": usage["reasoning"], "audio_tokens": 0},
    }


def _anthropic(found: Answer, number: int) -> dict:
    content = [{"type": "text", "text": found.text}] if found.text else []
    content += [
        {
            "type": "tool_use",
            "id": f"toolu_{number}_{place}",
            "name": call["name"].replace(".", "-"),
            "input": call.get("params", {}),
        }
        for place, call in enumerate(found.calls)
    ]
    reply = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": found.model,
        "content": content,
        "stop_reason": FINISH[found.stop][1],
        "stop_sequence": None,
    }
    return _with_usage(reply, found, _anthropic_usage)


def _anthropic_usage(found: Answer) -> dict:
    usage = found.usage
    short, long = usage["cache_write"], usage["cache_write_long"]
    return {
        "input_tokens": usage["input"],
        "cache_read_input_tokens": usage["cache_read"],
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": usage["output"] + usage["reasoning"],
        "output_tokens_details": {"thinking_tokens": usage["reasoning"]},
        "service_tier": "standard",
    }


def _with_usage(reply: dict, found: Answer, usage) -> dict:
    if "no_usage" in found.marks:
        return reply
    if "bad_usage" in found.marks:
        return reply | {"usage": dict.fromkeys(usage(found), -1)}
    return reply | {"usage": None if "null_usage" in found.marks else usage(found)}


def error(form: str, status: int, code: str | None, message: str) -> dict:
    """Return the body of a refused request."""
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
    kinds |= {429: "rate_limit_error", 529: "overloaded_error", 402: "billing_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    if form == "anthropic":
        inner = {"type": code or kind, "message": message}
        return {"type": "error", "error": inner, "request_id": "req_peer"}
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
