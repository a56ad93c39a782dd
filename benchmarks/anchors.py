"""What signing the audit trail costs: 200 executions of 10 steps with and without anchors.

A worker looks for what to sign every few seconds. It cannot where the file's place is taken by a
folder: then it only says so in its log.
"""

import shutil

from benchmarks import w1
from benchmarks.figures import commit_probe, figure, percentile
from benchmarks.installation import Installation, installed, pause
from pilot.engine.upkeep.anchors import FILE

ROUNDS, BURSTS = 3, 4
UNDER_WAY_S = 12  # a worker's first look, and some more


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        commit_probe(pilot.superuser_url)
        with_anchors, without = [], []
        for _ in range(ROUNDS):  # in turns: what else the machine does meets both
            with_anchors.append(_rate(pilot, signs=True))
            without.append(_rate(pilot, signs=False))
        rates = percentile(with_anchors, 50), percentile(without, 50)
        name = "200 executions of 10 steps at once, anchored, p50"
        figure(name, rates[0], "steps/s", ROUNDS, rates[1])
        figure("throughput lost to anchors", (1 - rates[0] / rates[1]) * 100, "%", ROUNDS)


def _rate(pilot: Installation, *, signs: bool) -> float:
    file = pilot.folder / "data" / FILE
    shutil.rmtree(pilot.folder / "data", ignore_errors=True)
    if signs:
        file.parent.mkdir(parents=True)
    else:
        file.mkdir(parents=True)
    with pilot.worker(), pilot.looking() as look:
        look.wait_for_worker()
        rates = []
        for _ in range(BURSTS):
            agent = pilot.noop_agent(w1.STEPS)
            rates.append(w1.rate(look, agent, w1.queued(pilot, look, agent)))
        pause(UNDER_WAY_S if signs else 0)
    if file.is_file() != signs:
        raise AssertionError("the trail was signed" if not signs else "the trail was not signed")
    return percentile(rates, 50)


if __name__ == "__main__":
    main()
