"""A primary model that is dead: what it costs in time until the strong one has answered.

Both orders of providers, through the layer of calls and through generations on a worker process.
The bound is the time for an attempt, what the strong model takes, and 100 ms.
"""

from time import perf_counter
from typing import Any

from sqlalchemy import select

from benchmarks.figures import figure, percentile, wait_for_quiet
from benchmarks.installation import Installation, installed, peer_of
from pilot import db, settings
from pilot.engine.providers import provider_keys
from pilot.engine.providers.ledger import DirectBooking
from pilot.engine.providers.model_catalogue import Chain
from pilot.llm import calls
from pilot.llm.messages import Message, Reply, Request
from pilot.llm.reading import json_value
from pilot.models.call import Call
from tests import world
from tests.engine.generation import asked
from tests.peer.fixture import KEY, PeerProcess

RUNS, DRAFTS = 5, 3
MOST_REQUESTS, GOAL_MS = 3, 100
TIMEOUT_S, DRAFT_TIMEOUT_S = 1, 5
STRONG_S = 0.3  # what the strong model thinks
ORDERS = (("openai", "anthropic"), ("anthropic", "openai"))
NOBODY = "127.0.0.1:9"
FAULTS: dict[str, Any] = {
    "hang": "hang",
    "reset": "reset",
    "500": {"kind": "status", "status": 500},
    "refused": None,  # nobody listens there
}
ASK = Request("Be brief.", (Message("user", "How many?"),), max_output=100, timeout_s=TIMEOUT_S)

# ms beyond the attempt's time and the strong answer, requests until it came
Measured = tuple[float, int]


def main() -> None:
    """Print the figures."""
    for order in ORDERS:
        with installed() as pilot, peer_of(pilot) as peer:
            asked.set_up(peer, *order)
            chosen = {"llm_breaker_failures": 100, "generation_timeout_s": DRAFT_TIMEOUT_S}
            settings.change_all(chosen, by=asked.BY)
            wait_for_quiet()
            for name in FAULTS:
                _print(f"{name}_{order[0]}", [_ask(pilot, peer, order, name) for _ in range(RUNS)])
            person = world.person("drafter", "operator")
            with pilot.worker(), pilot.looking() as look:
                look.wait_for_worker()
                _draft(pilot, peer, person, None)  # the first one loads what is needed
                for name in FAULTS:
                    if name == "refused":
                        _leave(order[0])
                    runs = [_draft(pilot, peer, person, name) for _ in range(DRAFTS)]
                    _print(f"draft_{name}_{order[0]}", runs)


def _print(name: str, runs: list[Measured]) -> None:
    beyond, requests = zip(*runs, strict=True)
    figure(f"fallback_{name}_requests", max(requests), "requests", len(runs), None, MOST_REQUESTS)
    figure(f"fallback_{name}_beyond", percentile(beyond, 50), "ms", len(runs), None, GOAL_MS)


def _script(peer: PeerProcess, name: str | None, reply: object) -> None:
    fault = FAULTS[name] if name else None
    strong = {"kind": "delay", "s": STRONG_S}
    cheap = {"match": {"model": "cheap"}, "reply": reply, "fault": fault}
    peer.script(cheap, {"reply": reply, "fault": strong})


def _ask(pilot: Installation, peer: PeerProcess, order: tuple[str, str], name: str) -> Measured:
    """Ask both models through the layer of calls, each attempt booked in the ledger."""
    _script(peer, name, {"answer": "ok"})
    dead = {"base_url": f"http://{NOBODY}/v1", "allow": NOBODY} if name == "refused" else {}
    first = peer.model(order[0], connection=peer.connection(order[0], **dead))
    chain = Chain([first, peer.model(order[1], "strong")])
    start = perf_counter()
    found = calls.complete(ASK, chain.models, DirectBooking(pilot.owner, chain), _read)
    took_ms = (perf_counter() - start) * 1000
    return took_ms - TIMEOUT_S * 1000 - (found.taken.latency_ms or 0), len(found.attempts)


def _read(reply: Reply) -> calls.Reading:
    return calls.Reading(json_value(reply.text), [])


def _leave(form: str) -> None:
    """Move the primary model's provider to where nobody listens."""
    path = "/v1" if form == "openai" else ""
    provider_keys.change("peer-cheap", {"base_url": f"http://{NOBODY}{path}"}, by=asked.BY)
    provider_keys.set_key("peer-cheap", KEY, by=asked.BY)


def _draft(
    pilot: Installation, peer: PeerProcess, person: world.Person, name: str | None
) -> Measured:
    """Draft a goal on the worker; its time runs from the first request on, as the ledger has it."""
    _script(peer, name, asked.GOOD)
    row = asked.drafted(person, pilot.folder / "data", seconds=60)
    if name and (row.generator, row.failure) != ("strong", None):
        raise AssertionError(f"{name}: {row.generator}, {row.failure}")
    with db.reading(person.id) as session:
        query = select(Call).where(Call.generation_id == row.id).order_by(Call.at, Call.number)
        booked = session.scalars(query).all()
    waited = booked[-1].at - booked[0].at
    return waited.total_seconds() * 1000 - DRAFT_TIMEOUT_S * 1000, len(booked)


if __name__ == "__main__":
    main()
