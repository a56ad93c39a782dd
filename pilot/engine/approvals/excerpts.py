"""What approvers are asked: the bytes that are hashed, and an excerpt where these are too many.

Pages, mails and messages show the excerpt; the whole is a file of the approval.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pilot import strictjson
from pilot.engine import digests
from pilot.engine.expressions.texts import as_text

WHOLE_BYTES = 64 * 1024  # of a payload that is shown as it is, and of an excerpt
PARTS_BYTES = (16 * 1024, 2 * 1024, 0)  # of a part that is not cut, the first that fits
COST = ("cost_usd", "unpriced_calls")  # so far; approvals of before have none
TITLE_CHARACTERS, MESSAGE_CHARACTERS = 300, 4_000


def asked(shown: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the title, message, payload and terms of an approval about these steps.

    `shown` has title, message, context and the cost so far; a step has step, action, params and
    perhaps open.

    Raises:
        StepError: it is larger than an output may be (class output_too_large).
    """
    payload = shown | {"steps": steps}
    written = strictjson.canonical(payload)
    size = len(written.encode())
    digests.refuse_beyond(size, "What this approval shows")
    message = shown["message"]
    return {
        "title": _cut(as_text(shown["title"]), TITLE_CHARACTERS),
        "message": None if message is None else _cut(as_text(message), MESSAGE_CHARACTERS),
        "payload": written,
        "terms": terms(payload, size),
    }


def cost_so_far(execution: dict[str, Any]) -> dict[str, Any]:
    """Return what an execution has cost when it asks, by what its steps read of it."""
    usd = format(Decimal(str(execution["cost_usd"])), "f")
    return {"cost_usd": usd, "unpriced_calls": execution["unpriced_calls"]}


def terms(payload: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the terms `{excerpt}` of a payload of so many bytes; empty for one shown whole.

    An excerpt is the payload with digests in the place of large parts; `cut` names these.
    """
    if size <= WHOLE_BYTES:
        return {}
    sizes = [_size(payload["context"])]
    sizes += [_size(value) for _, _, value in _parameters(payload)]
    found: dict[str, Any] = {}
    for most in PARTS_BYTES:
        if not found or _size(found) > WHOLE_BYTES:
            found = _excerpt(payload, sizes, most) | {"size_bytes": size}
    return {"excerpt": found}


def _excerpt(payload: dict[str, Any], sizes: list[int], most: int) -> dict[str, Any]:
    context, *others = sizes
    parts = [(one | {"params": one["params"] and {}, "cut": []}) for one in payload["steps"]]
    for (number, name, value), size in zip(_parameters(payload), others, strict=True):
        part = parts[number]
        if size > most:
            part["cut"].append(name)
        if size <= most or most:
            part["params"][name] = value if size <= most else digests.digest(value, size)
    found = {name: payload[name] for name in COST if name in payload} | {
        "title": _cut(str(payload["title"]), TITLE_CHARACTERS),
        "message": payload["message"] and _cut(str(payload["message"]), MESSAGE_CHARACTERS),
        "context": payload["context"],
        "steps": parts,
        "cut": [],
    }
    if context > most:
        found |= {"context": digests.digest(payload["context"], context), "cut": ["context"]}
    return found


def _parameters(payload: dict[str, Any]) -> Iterator[tuple[int, str, Any]]:
    for number, step in enumerate(payload["steps"]):
        for name, value in (step["params"] or {}).items():
            yield number, name, value


def _size(value: Any) -> int:
    return len(strictjson.dumps(value).encode("utf-8", "replace"))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
