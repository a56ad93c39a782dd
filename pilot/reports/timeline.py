"""The time axis of an execution: a bar per attempt, long waits cut out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pilot.reports.execution import WAITING_TYPES, Shown, Step

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
        (step, attempt, attempt.started_at, attempt.finished_at or now)
        for step in shown.steps
        for attempt in step.attempts
    ]
    if not spans:
        return Axis(0, {step.path: [] for step in shown.steps}, [])
    start = min(span[2] for span in spans)
    working = [(_ms(start, a), _ms(start, b)) for step, one, a, b in spans if not _waits(step, one)]
    ends = [_ms(start, b) for _, _, _, b in spans]
    gaps = _gaps(working, max(ends))
    bars: dict[str, list[dict[str, Any]]] = {step.path: [] for step in shown.steps}
    for step, attempt, began, ended in spans:
        first, last = _ms(start, began), _ms(start, ended)
        text = f"attempt {attempt.number}: starts at {_seconds(first)}, {attempt.status}"
        bar = {"start_ms": _drawn(first, gaps), "end_ms": _drawn(last, gaps), "text": text}
        bars[step.path].append(bar | {"tone": TONES.get(attempt.status, "off")})
    cuts = [_drawn((a + b) // 2, gaps) for a, b in gaps]
    return Axis(_drawn(max(ends), gaps), bars, cuts)


def _waits(step: Step, attempt: Any) -> bool:
    return attempt.status in WAITING or step.type in WAITING_TYPES


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
