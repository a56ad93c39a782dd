"""What the peer says to a request, before a wire format is put around it."""

import json
import math
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal

BUCKETS = ("input", "cache_read", "cache_write", "cache_write_long", "output", "reasoning")
REFUSED = "I cannot help with that."
DEFAULT = {"answer": "ok"}
# The peer's own copy of prices, USD per million tokens in the order of the buckets.
PRICES = {
    "cheap": ("0.10", "0.01", "0.125", "0.20", "0.50", "0.50"),
    "strong": ("2", "0.10", "2.5", "4", "10", "10"),
}
INJECTED = re.compile(
    r"ignore (?:all|the) (?:previous|earlier) instructions and (\w+) ([^\n]+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Asked:
    """One request, whatever its format."""

    format: str
    model: str
    nth: int
    sent: str  # all text of it
    body: dict
    number: int = 0  # among all requests


@dataclass(frozen=True)
class Answer:
    """One answer, whatever its format."""

    text: str
    model: str
    usage: dict | None
    calls: tuple[dict, ...] = ()
    stop: str = "end"  # end, calls, truncated, refusal, context, paused
    marks: frozenset[str] = field(default_factory=frozenset)  # what the format is told besides


def texts(value) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return [text for item in items for text in texts(item)]
    return []


def tokens(text: str) -> int:
    """Return the tokens that the peer counts in a text."""
    return math.ceil(len(text) / 4)


def cost(model: str, usage: dict | None) -> Decimal:
    """Return what the peer charges, exactly."""
    if usage is None:
        return Decimal(0)
    prices = PRICES.get(model, PRICES["cheap"])
    parts = (Decimal(p) * usage[name] for name, p in zip(BUCKETS, prices, strict=True))
    return sum(parts, Decimal(0)) / 1_000_000


def matching(rules: list[dict], asked: Asked) -> dict:
    """Return the first rule that matches, or one without demands."""
    return next((rule for rule in rules if _matches(rule.get("match", {}), asked)), {})


def _matches(match: dict, asked: Asked) -> bool:
    facts = {"model": asked.model, "nth": asked.nth, "format": asked.format}
    unknown = set(match) - {*facts, "text"}
    assert not unknown, f"unknown members of a match: {unknown}"
    same = all(match[name] == facts[name] for name in match if name in facts)
    return same and match.get("text", "") in asked.sent


def answer(rule: dict, asked: Asked) -> Answer:
    """Return what a rule says to a request."""
    reply = rule.get("reply", "" if rule.get("calls") else DEFAULT)
    text = reply if isinstance(reply, str) else json.dumps(reply)
    calls = tuple(rule.get("calls", ()))
    usage = dict.fromkeys(BUCKETS, 0)
    usage |= {"input": tokens(asked.sent), "output": tokens(text + json.dumps(calls))}
    usage |= rule.get("usage", {})
    found = Answer(text, asked.model, usage, calls, "calls" if calls else "end")
    return altered(found, rule.get("fault"), asked)


def kind_of(fault) -> str | None:
    """Return the kind of a fault."""
    return fault["kind"] if isinstance(fault, dict) else fault


def altered(found: Answer, fault, asked: Asked) -> Answer:
    """Return the answer as a fault of its content makes it."""
    kind, given = kind_of(fault), fault if isinstance(fault, dict) else {}
    usage, half = found.usage or {}, found.text[: len(found.text) // 2]
    changes = {
        "fences": lambda: {"text": f"```json\n{found.text}\n```"},
        "prose": lambda: {"text": f"Here you are:\n{found.text}\nAnything else?"},
        "single_quotes": lambda: {"text": found.text.replace('"', "'")},
        "trailing_comma": lambda: {"text": re.sub(r"([}\]])$", r",\1", found.text)},
        "empty": lambda: {"text": ""},
        "truncated": lambda: {"text": half, "stop": "truncated"},
        "context": lambda: {"text": half, "stop": "context"},
        "paused": lambda: {"text": half, "stop": "paused"},
        "refusal": lambda: {"text": REFUSED, "stop": "refusal", "marks": frozenset({kind})},
        "filtered": lambda: {"text": "", "stop": "refusal", "marks": frozenset({kind})},
        "obeys": lambda: _obeying(asked),
        "other_model": lambda: {"model": given["model"]},
        "cached": lambda: {"usage": usage | {"cache_read": given["n"]}},
        "written": lambda: {"usage": usage | {"cache_write": given["n"]}},
        "no_usage": lambda: {"marks": frozenset({kind})},
        "null_usage": lambda: {"marks": frozenset({kind})},
        "bad_usage": lambda: {"marks": frozenset({kind})},
        "caches_outside": lambda: {"marks": frozenset({kind})},
    }
    return replace(found, **changes[kind]()) if kind in changes else found


def _obeying(asked: Asked) -> dict:
    """Do what an instruction inside the data demands, as a gullible model would."""
    order = INJECTED.search(asked.sent)
    if order is None:
        return {}
    verb, rest = order.group(1).lower(), order.group(2).strip()
    if verb != "call":
        return {"text": rest}
    name, _, params = rest.partition(" ")
    call = {"name": name, "params": json.JSONDecoder().raw_decode(params)[0]}
    return {"text": "", "calls": (call,), "stop": "calls"}
