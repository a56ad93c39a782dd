"""The ledger against the provider's own bill, over calls with random faults, answers and caches.

Every call is booked in the database before it is sent and settled after it. Where Pilot cannot know
what was counted (a broken connection, a hung answer) it books the worst case: at least the bill. Then the
same from worker processes that run executions and generations and are killed while they ask.
"""

import random
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import monotonic

from cryptography.fernet import Fernet
from sqlalchemy import select

from benchmarks.figures import figure
from benchmarks.installation import as_installed, installed, pause
from pilot import db, vault
from pilot.engine.providers.ledger import DirectBooking
from pilot.engine.providers.model_catalogue import Chain
from pilot.errors import BadJsonError, ModelError
from pilot.llm import calls
from pilot.llm.messages import Message, Reply, Request
from pilot.llm.reading import json_value
from pilot.models.call import Call
from tests.crash import billed
from tests.peer.fixture import PeerProcess

CALLS = 2_000
AT_ONCE = 24  # executions under way, by workers that are killed
BETWEEN = 50  # requests between two kills, so that work proceeds
GIVE_UP_S = 900
HUNG_S = 0.5
FAULTS = [
    *(None, None, None, "fences", "single_quotes", "empty", "refusal", "truncated", "filtered"),
    *("not_json", "nan", "duplicate", "reset", "cut"),
    *({"kind": "cached", "n": 99_999}, {"kind": "written", "n": 12_345}),
    *({"kind": "status", "status": status} for status in (413, 429, 500, 503, 529)),
]
RARE = ({"kind": "hang"}, {"kind": "trickle"})
ASK = Request("Answer in JSON.", (), max_output=200, retry_after_max_s=0)


def main() -> None:
    """Print the figures."""
    asked_directly()
    killed_workers()


def asked_directly() -> None:
    """Print the figures of calls that no worker makes."""
    calls.PAUSE_S = (0, 0)
    chance = random.Random(11)
    with tempfile.TemporaryDirectory() as folder, installed() as pilot:
        peer = PeerProcess(Path(folder) / "bill.jsonl")
        try:
            peer.script(*_script(chance))
            _ask(peer, chance, pilot.owner)
            billed = peer.requests()
            numbers = [_number(one) for one in peer.bodies()]
        finally:
            peer.close()
        with db.reading(pilot.owner) as session:
            booked = session.scalars(select(Call).order_by(Call.at, Call.number)).all()
    n, wrong, below = len(booked), 0, 0
    known = iter(zip(numbers, (Decimal(one["cost"]) for one in billed), strict=True))
    number, cost = next(known)
    for one in booked:
        estimated = "cost_estimated" in one.flags
        if str(number) != one.key:  # it never reached the provider
            wrong += not estimated and one.cost != 0
            continue
        wrong += not estimated and one.cost != cost
        below += estimated and (one.cost or 0) < cost
        number, cost = next(known, (None, Decimal(0)))
    told = sum(Decimal(one["cost"]) for one in billed)
    figure("bill_calls", n, "calls", n, len(billed), CALLS, higher_is_better=True)
    figure("bill_rows_that_differ", wrong, "rows", n, None, 0)
    figure("bill_estimates_below", below, "rows", n, None, 0)
    figure("bill_booked_usd", float(sum(one.cost or 0 for one in booked)), "USD", n, float(told))


def killed_workers() -> None:
    """Print the figures of calls of worker processes that are killed with calls open."""
    end = monotonic() + GIVE_UP_S
    with tempfile.TemporaryDirectory() as folder, installed() as pilot:
        key = Fernet.generate_key().decode()
        vault.configure([key])
        environment = as_installed(
            DATABASE_URL=pilot.database_url,
            REDIS_URL=pilot.redis_url,
            PILOT_DATA=folder,
            PILOT_SECRET_KEYS=key,
        )
        peer = PeerProcess(Path(folder) / "bill.jsonl")
        try:
            trial = billed.Trial(peer, pilot.owner, Path(folder), environment, seed=2)
            trial.script(CALLS)
            with trial.working():
                for asked in range(BETWEEN, CALLS + 1, BETWEEN):
                    _work_until(asked, trial, peer, end)
                    trial.kill()
                trial.finish()
            rows, lines = trial.rows(), billed.lines(peer)
            trial.close()
        finally:
            peer.close()
    faults = billed.faults(rows, lines)
    told = sum(line["cost"] for line in lines)
    kills = len(trial.killed)
    figure("bill_killed_calls", len(lines), "calls", kills, len(rows), CALLS, higher_is_better=True)
    figure("bill_killed_lost", sum(one["state"] == "lost" for one in rows), "rows", kills)
    below = sum(billed.BELOW in one for one in faults)
    figure("bill_killed_rows_that_differ", len(faults) - below, "rows", len(rows), None, 0)
    figure("bill_killed_estimates_below", below, "rows", len(rows), None, 0)
    figure(
        "bill_killed_booked_usd", float(sum(one["cost"] for one in rows)), "USD", kills, float(told)
    )


def _work_until(asked: int, trial: billed.Trial, peer: PeerProcess, end: float) -> None:
    while (now := len(peer.requests())) < asked:
        if monotonic() > end:
            raise TimeoutError(f"{now} requests after {GIVE_UP_S} s")
        trial.keep_busy(AT_ONCE)
        pause(0.05)


def _number(body: dict[str, object]) -> int:
    return int(str(body["messages"]).partition("No. ")[2].split()[0])


def _script(chance: random.Random) -> list[dict[str, object]]:
    return [
        {
            "match": {"model": name, "nth": nth},
            "fault": chance.choice(RARE if nth % 50 == 0 else FAULTS),
        }
        for name in ("cheap", "strong")
        for nth in range(1, CALLS)
    ]


def _ask(peer: PeerProcess, chance: random.Random, owner: object) -> None:
    models = [peer.model("openai"), peer.model("anthropic", "strong")]
    number = 0
    while len(peer.requests()) < CALLS:
        for _ in range(50):
            number += 1
            chain = Chain(chance.sample(models, 2))
            question = (Message("user", f"No. {number} : how many?"),)
            asked = replace(ASK, messages=question, timeout_s=HUNG_S, key=str(number))
            try:
                calls.complete(asked, chain.models, DirectBooking(owner, chain), _read)
            except ModelError:
                continue


def _read(reply: Reply) -> calls.Reading:
    try:
        return calls.Reading(json_value(reply.text), [])
    except BadJsonError as error:
        return calls.Reading(None, [error.message])


if __name__ == "__main__":
    main()
