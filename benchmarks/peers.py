"""Pilot and other engines at the same work, in turns, in one run: W1, W2 and W3 of each.

An execution of W1 has 10 steps of 1 KB, of W2 5 waits of 200 ms; W3 is one over 1,000 items. What
runs at once is queued first, where an engine has a queue; the time runs from the moment at which it
may begin. One worker process each, every step durable, on one PostgreSQL; Restate has its own log.
Baseline: the peer. Only ratios count: both sides share what the machine does meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from benchmarks import w1, w2, w3
from benchmarks.figures import commit_probe, figure, percentile, wait_for_quiet
from benchmarks.installation import ROWS, Installation, Looking, installed
from benchmarks.peer_engines.running import Peer, peers

ROUNDS = 5
ALONE = 10  # executions of a turn that come one after the other
ITEMS = 1_000
STEPS = {"steps": w1.STEPS, "rows": ROWS}


@dataclass(frozen=True)
class Workload:
    """One work that all do, and how its seconds become a figure."""

    name: str
    unit: str
    work: str  # what peers are asked for, with these numbers
    numbers: Mapping[str, object]
    by_pilot: Callable[[Installation, Looking], list[float]]
    value: Callable[[float], float] = lambda seconds: seconds
    in_a_round: int = 1
    higher_is_better: bool = False
    goals: Mapping[str, float] = field(default_factory=dict)  # how many times the peer


def main() -> None:
    """Print the figures."""
    with installed() as pilot, peers(pilot) as others:
        if not others:
            return
        commit_probe(pilot.superuser_url)
        with pilot.worker(), pilot.looking() as look:
            look.wait_for_worker()
            for workload in WORKLOADS:
                able = [peer for peer in others if workload.work not in peer.lacks]
                compare(workload, pilot, look, able)
        commit_probe(pilot.superuser_url)


def compare(workload: Workload, pilot: Installation, look: Looking, others: list[Peer]) -> None:
    """Let Pilot and its peers take turns, after a first turn that does not count; print figures."""
    ours: list[float] = []
    theirs: dict[str, list[float]] = {peer.title: [] for peer in others}
    workload.by_pilot(pilot, look)
    for peer in others:
        by_peer(workload, peer)
    for _ in range(ROUNDS):
        ours += workload.by_pilot(pilot, look)
        for peer in others:
            theirs[peer.title] += by_peer(workload, peer)
    value = workload.value(percentile(ours, 50))
    for title, seconds in theirs.items():
        baseline = workload.value(percentile(seconds, 50))
        name = f"{workload.name} of Pilot against {title}, p50"
        higher = workload.higher_is_better
        figure(name, value, workload.unit, len(ours), baseline, higher_is_better=higher)
        if title in workload.goals:
            name = f"{workload.name}, times {title}"
            goal = workload.goals[title]
            figure(name, value / baseline, "", len(ours), goal=goal, higher_is_better=True)


def by_peer(workload: Workload, peer: Peer) -> list[float]:
    """Return the seconds of one turn of a peer."""
    wait_for_quiet()
    return [peer.seconds(workload.work, **workload.numbers) for _ in range(workload.in_a_round)]


def at_once(pilot: Installation, look: Looking) -> list[float]:
    """Return the seconds of 200 executions of 10 steps."""
    agent = pilot.noop_agent(w1.STEPS)
    rate = w1.rate(look, agent, w1.queued(pilot, look, agent))
    return [w1.AT_ONCE * w1.STEPS / rate]


def alone(pilot: Installation, look: Looking) -> list[float]:
    """Return the seconds of executions of 10 steps, one at a time, from submission to end."""
    agent = pilot.noop_agent(w1.STEPS)
    wait_for_quiet()
    done = []
    for _ in range(ALONE):
        begun = perf_counter()
        look.wait_finished(pilot.start(agent, rows=ROWS))
        done.append(perf_counter() - begun)
    look.wait_done(agent, ALONE)
    return done


WORKLOADS = (
    Workload(
        "W1 steps/s",
        "steps/s",
        "at_once",
        STEPS | {"executions": w1.AT_ONCE},
        at_once,
        lambda seconds: w1.AT_ONCE * w1.STEPS / seconds,
        higher_is_better=True,
        goals={"Restate": 1.4, "LangGraph": 7},
    ),
    Workload(
        "W1 one execution",
        "ms",
        "one",
        STEPS,
        alone,
        lambda seconds: seconds * 1000,
        in_a_round=ALONE,
    ),
    Workload(
        "W2",
        "s",
        "waits",
        {"executions": w2.AT_ONCE, "steps": w2.WAITS, "seconds": w2.WAIT_S},
        lambda pilot, look: [w2.waits_s(pilot, look)],
    ),
    Workload(
        f"W3 of {ITEMS:,} items",
        "s",
        "items",
        {"items": list(range(ITEMS))},
        lambda pilot, look: [w3.scatter_s(pilot, look, ITEMS)],
    ),
)


if __name__ == "__main__":
    main()
