"""The line that every measurement prints, and the probe of this machine that stands beside it."""

import os
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter

import psutil
import psycopg

from pilot import db, strictjson

QUIET_PERCENT = 15


def figure(
    name: str,
    value: float,
    unit: str,
    n: int,
    baseline: float | None = None,
    goal: float | None = None,
    *,
    higher_is_better: bool = False,
) -> bool:
    """Print one figure as a line of JSON; returns whether it reaches its goal.

    `n` is how many measurements it is made of; `baseline` is the floor, measured in the same run.
    """
    ok = goal is None or (value >= goal if higher_is_better else value <= goal)
    facts = {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "n": n,
        "baseline": None if baseline is None else _rounded(baseline),
        "ratio": round(value / baseline, 2) if baseline else None,
        "goal": goal,
        "ok": ok,
    }
    print(strictjson.dumps(facts), flush=True)
    return ok


def _rounded(value: float) -> float:
    """Round to three or four digits; large numbers to whole ones."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


def wait_for_quiet(seconds: float = 5.0) -> None:
    """Wait, at most so long, for a moment in which others leave the machine alone."""
    end = perf_counter() + seconds
    while perf_counter() < end and psutil.cpu_percent(0.25) > QUIET_PERCENT:
        continue


def timed_ms(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1000


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which `percent` of the values lie; 50 is the median."""
    if percent == 50:
        return statistics.median(values)
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def commit_probe(url: str, rounds: int = 200) -> float:
    """Print, and return, the median of a single durable commit of 1 KB, and the machine's load.

    A timing taken while a commit is far above 0.3 ms, or the load above the number of cores, was
    disturbed by others.
    """
    with psycopg.connect(db.dsn(url), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS commit_probe")
        connection.execute("CREATE TABLE commit_probe (text text)")
        insert = "INSERT INTO commit_probe VALUES (%s)"
        times = [
            timed_ms(lambda: connection.execute(insert, ["x" * 1000], prepare=True))
            for _ in range(rounds)
        ]
        connection.execute("DROP TABLE commit_probe")
    value = percentile(times, 50)
    figure("probe: one commit, p50", value, "ms", rounds)
    figure("probe: load of the machine, 1 min", os.getloadavg()[0], "", 1)
    return value
