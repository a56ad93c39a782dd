"""Rows of the ledger and of generations, as an intruder with all rights would write them."""

from decimal import Decimal

CALL = {
    "number": 1,
    "role": "step",
    "state": "settled",
    "provider": "openai",
    "model_asked": "cheap",
    "model_billed": "cheap-2026",
    "input_tokens": 1_000,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "cache_write_long_tokens": 0,
    "output_tokens": 100,
    "reasoning_tokens": 0,
    "flags": "[]",
    "issues": "[]",
    "wasted": False,
    "outcome": "ok",
    "cost": Decimal("0.001"),
    "baseline_model": "strong",
    "baseline_input": Decimal(2),
    "baseline_output": Decimal(10),
    "baseline_cache_read": Decimal("0.1"),
    "baseline_cache_write": Decimal("2.5"),
    "baseline_cache_write_long": Decimal(4),
}
FAILED = {"outcome": "failed", "wasted": True}
UNPRICED = {"cost": None, "model_asked": "own", "model_billed": "own"}
RECORDED = {"provider": "scripted", "model_asked": "recorded answers", "cost": Decimal(0)}


def book(superuser, owner, *, ago="0 s", **columns):
    """Insert a call of an owner, some time ago."""
    values = CALL | {"owner_id": owner} | columns
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    superuser.execute(
        f"INSERT INTO call ({names}, at) VALUES ({marks}, pilot_now() - %s::interval)",  # noqa: S608
        [*values.values(), ago],
    )


def generate(superuser, owner, *calls, ago="0 s", **columns):
    """Insert a generation with calls and return its id."""
    values = {
        "owner_id": owner,
        "goal": "Mail me the news",
        "goal_hash": "h",
        "answers": "{}",
        "text": "",
        "issues": "[]",
        "questions": "[]",
        "clauses": "[]",
        "generator": "planner",
        "confidence": 90,
        "duration_ms": 5,
        "outcome": "offered",
    } | columns
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    (made,) = superuser.execute(
        f"INSERT INTO generation ({names}, created_at) "  # noqa: S608 - constants
        f"VALUES ({marks}, pilot_now() - %s::interval) RETURNING id",
        [*values.values(), ago],
    ).fetchone()
    for number, call in enumerate(calls, 1):
        facts = {"role": "draft", "generation_id": made, "number": number} | call
        book(superuser, owner, ago=ago, **facts)
    return made
