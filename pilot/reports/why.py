"""Why a call went to its model: one sentence from what was stored with it, and the facts below."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pilot import money

RECORDED = "A recorded answer: no model was asked."
FIRST = "The first model that the settings choose"


def why(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """Return why this model was asked; `before` is the call before it at the same place.

    `row` has provider facts of a call: routing, tier, price_input, price_output, model_asked.
    """
    if row["recorded"]:
        return RECORDED
    routing = row["routing"]
    if not isinstance(routing, dict) or "rule" not in routing:
        return _without_routing(row, before)
    return " ".join([f"{_chosen(routing)}: {_of_model(row)}.", *_left_out(routing)])


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decision as it was stored, with tier and the price that was counted."""
    prices = {"input": row["price_input"], "output": row["price_output"]}
    return {
        "model": row["model_asked"],
        "tier": row["tier"],
        "usd_per_million_tokens": {name: _plain(price) for name, price in prices.items()},
        **(row["routing"] if isinstance(row["routing"], dict) else {}),
    }


def _chosen(routing: Mapping[str, Any]) -> str:
    rule, after = routing["rule"], routing.get("after") or {}
    failed = f"{after.get('model')} failed ({_words(after.get('reason'))})"
    if rule == "again":
        return f"Asked again because {failed}"
    if rule == "next":
        return f"The next model because {failed}"
    if rule == "cheaper":
        return f"A cheaper model because the budget has too little left for {routing['refused']}"
    return FIRST


def _of_model(row: Mapping[str, Any]) -> str:
    tier = f"tier {row['tier']}" if row["tier"] else "no tier"
    given, answered = row["price_input"], row["price_output"]
    if given is None or answered is None:
        return f"{tier}, without a price"
    return f"{tier}, {money.usd(given)} in and {money.usd(answered)} out per million tokens"


def _left_out(routing: Mapping[str, Any]) -> list[str]:
    resting = ", ".join(routing.get("resting") or [])
    passed = routing.get("passed_over") or []
    said = "; ".join(f"{one['model_id']} ({one['reason'].rstrip('.')})" for one in passed)
    return [
        *([f"Resting after failures: {resting}."] if resting else []),
        *([f"Passed over: {said}."] if said else []),
    ]


def _without_routing(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """Return what the calls alone tell: those of before decisions were stored."""
    if before is None or before["reason"] is None:
        return f"{FIRST}."
    failed = f"{before['model_asked']} failed ({_words(before['reason'])})"
    if row["model_asked"] != before["model_asked"]:
        return f"The next model: {failed}."
    return f"Asked again: {failed}."


def _words(reason: Any) -> str:
    return str(reason or "unknown").replace("_", " ")


def _plain(price: Decimal | None) -> str | None:
    return None if price is None else f"{price.normalize():f}"
