"""The time axis of an execution: a bar per attempt, long waits cut out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pilot.reports.execution import WAITING_TYPES, Shown
from pilot.reports.execution_steps import Attempt, Step
from pilot.reports.rounds import Rounds

LONGEST_GAP_MS = 60_000  # without anything running; longer ones are cut
CUT_MS = 2_000  # what is drawn in their place, at least
TONES = {
    "completed": "good",
    "running": "active",
    "waiting": "attention",
    "unknown": "attention",
    "failed": "bad",
}
WAITING = frozenset({"waiting"})


@dataclass(frozen=True)
class Axis:
    """Bars by path, the length of the axis, and where waiting time was cut out."""

    scale_ms: int
    bars: dict[str, list[dict[str, Any]]]
    cuts: list[int]


def axis(shown: Shown, now: datetime) -> Axis:
    """Return the axis; an attempt that is going on lasts until `now`."""
    spans = [
        (step, one, one.started_at, one.finished_at or now)
        for step in shown.steps
        for one in _lasting(step)
    ]
    if not spans:
        return Axis(0, {step.path: [] for step in shown.steps}, [])
    start = min(span[2] for span in spans)
    working = [(_ms(start, a), _ms(start, b)) for step, one, a, b in spans if not _waits(step, one)]
    ends = [_ms(start, b) for _, _, _, b in spans]
    gaps = _gaps(working, max(ends))
    bars: dict[str, list[dict[str, Any]]] = {step.path: [] for step in shown.steps}
    for step, one, began, ended in spans:
        first, last = _ms(start, began), _ms(start, ended)
        bar = {"start_ms": _drawn(first, gaps), "end_ms": _drawn(last, gaps)}
        text = f"{_called(one)}: starts at {_seconds(first)}, {_standing(one)}"
        bars[step.path].append(bar | {"text": text, "tone": TONES.get(one.status, "off")})
    cuts = [_drawn((a + b) // 2, gaps) for a, b in gaps]
    return Axis(_drawn(max(ends), gaps), bars, cuts)


def _lasting(step: Step) -> list[Attempt | Rounds]:
    """Return what of a step has a bar: its attempts, or all its rounds as one."""
    return [*step.attempts, step.rounds] if step.rounds is not None else [*step.attempts]


def _called(one: Attempt | Rounds) -> str:
    return "rounds" if isinstance(one, Rounds) else f"attempt {one.number}"


def _standing(one: Attempt | Rounds) -> str:
    return one.words if isinstance(one, Rounds) else one.status


def _waits(step: Step, one: Attempt | Rounds) -> bool:
    return one.status in WAITING or step.type in WAITING_TYPES


def _gaps(working: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """Return the spans in which nothing worked for longer than is drawn."""
    gaps, reached = [], 0
    for first, last in [*sorted(working), (end, end)]:
        if first - reached > LONGEST_GAP_MS:
            gaps.append((reached, first))
        reached = max(reached, last)
    return gaps


def _drawn(at: int, gaps: list[tuple[int, int]]) -> int:
    """Return where a moment stands on the cut axis."""
    shift = 0
    for first, last in gaps:
        if at <= first:
            break
        inside = min(at, last) - first
        shift += inside - inside * CUT_MS // (last - first)
    return at - shift


def _ms(start: datetime, at: datetime) -> int:
    return max(round((at - start).total_seconds() * 1000), 0)


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s"
