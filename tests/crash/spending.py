"""Budgets under kills: workers that ask models in eight lanes die, and nothing is overshot."""

import random
import time
from decimal import Decimal
from pathlib import Path

import psycopg

from pilot import db
from pilot.engine.life import executions, starts
from pilot.engine.providers.budgets import Limits
from tests.engine.generation.asked import set_up
from tests.engine.worker_process import make_agent
from tests.peer.fixture import PeerProcess

LANES, ITEMS = 8, 48
TOKENS = 200  # of an answer, at most
LIMIT, ENOUGH = Decimal("0.006"), Decimal(1)
FAULTS = (None, None, None, "refusal", "truncated", "reset", {"kind": "status", "status": 503})
WITHIN = """
ALTER TABLE execution ADD CONSTRAINT within_budget CHECK (
  budget_usd IS NULL OR spent_usd + reserved_usd <= budget_usd)"""
LEDGER = """
SELECT path, state, reason, cost, at FROM call WHERE execution_id = %s ORDER BY at, number"""


def budget(slot, asked):
    """A workflow of many items whose workers are killed; its budget ends half way, then is raised.

    The database itself refuses every commit in which more is spent and reserved than the limit.
    """
    rng = random.Random(asked["seed"])
    with psycopg.connect(db.dsn(slot.place.database), autocommit=True) as owner:
        owner.execute("SET ROLE pilot_owner")
        owner.execute(WITHIN)
    peer = PeerProcess(Path(slot.place.folder) / "bill.jsonl")
    slot.gate(closed=True)
    try:
        set_up(peer)
        peer.script(*_script(rng))
        return _race(slot, peer, rng, asked["kills"])
    finally:
        slot.gate(closed=False)
        peer.close()


def _script(rng):
    """Return what the peer does with each request: some are slow, many of the cheap model fail."""
    return [
        {
            "match": {"model": model, "nth": nth},
            "reply": "fine",
            "fault": rng.choice(FAULTS) if model == "cheap" else None,
            "latency_s": rng.uniform(0.01, 0.08),
        }
        for model in ("cheap", "strong")
        for nth in range(1, 8 * ITEMS)
    ]


def _race(slot, peer, rng, kills):
    execution = _start(slot)
    for _ in range(kills):
        worker = slot.fork()
        slot.registered(worker)
        time.sleep(rng.uniform(0.1, 0.5))
        slot.end(worker)
    slot.gate(closed=False)
    slot.until(lambda: _stands(slot, execution, {"budget_paused"}))
    found = [] if _sums(slot, execution)[1] == 0 else ["something stays reserved in the pause"]
    limit = Limits(ENOUGH, None)
    executions.raise_budget(execution, limit, by=slot.by, user_id=slot.owner)
    slot.until(lambda: _stands(slot, execution, {"completed", "failed", "needs_attention"}))
    return found + _faults(slot, peer, execution)


def _start(slot):
    steps = [
        {"id": f"item{n}", "type": "ai_processing", "prompt": f"Item {n}?"}
        | {"max_output_tokens": TOKENS}
        for n in range(ITEMS)
    ]
    policies = {"max_parallel": LANES, "budget": {"cost_usd": str(LIMIT)}}
    agent = make_agent(slot.owner, steps, policies=policies)
    return starts.start(agent, starts.Start(), by=slot.by, user_id=slot.owner)


def _stands(slot, execution, statuses):
    slot.supervise()
    return _status(slot, execution) in statuses


def _status(slot, execution):
    return slot.ask("SELECT status FROM execution WHERE id = %s", execution)[0][0]


def _sums(slot, execution):
    query = "SELECT spent_usd, reserved_usd, reserved_tokens FROM execution WHERE id = %s"
    return slot.ask(query, execution)[0]


def _faults(slot, peer, execution):
    """Return what is wrong with the ledger, the budget and the provider's own bill."""
    rows = slot.ask(LEDGER, execution)
    spent, *reserved = _sums(slot, execution)
    found = [f"it ended {_status(slot, execution)}"] * (_status(slot, execution) != "completed")
    if any(reserved):
        found.append(f"{reserved} stays reserved")
    if spent != sum(row[3] for row in rows):
        found.append(f"spent {spent}, the ledger has {sum(row[3] for row in rows)}")
    if peer.bill() > spent:
        found.append(f"billed {peer.bill()}, spent {spent}")
    taken = [path for path, state, reason, *_ in rows if state == "settled" and reason is None]
    if len(taken) != ITEMS or len(set(taken)) != ITEMS:
        found.append(f"{len(taken)} answers for {len(set(taken))} of {ITEMS} items were paid")
    if any(row[1] == "reserved" for row in rows):
        found.append("a call stays open")
    return found


KINDS = {"budget": budget}
