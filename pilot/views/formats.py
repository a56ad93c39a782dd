"""How values read: money, tokens, time, rates, ids, statuses. Pure functions over plain values."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from pilot import strictjson

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
ABSOLUTE_AFTER = timedelta(days=7)
TOO_FEW = 20
UTC_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?) UTC\b")


@dataclass(frozen=True)
class Look:
    """How a status looks: tone and shape (never colour alone) and its word."""

    tone: str
    shape: str
    word: str


def _looks(tone: str, shape: str, *words: str) -> dict[str, Look]:
    return {word.replace(" ", "_"): Look(tone, shape, word[0].upper() + word[1:]) for word in words}


IDLE, ACTIVE = ("idle", "ring"), ("active", "half")
ATTENTION, GOOD = ("attention", "diamond"), ("good", "disc")
BAD, OFF = ("bad", "cross"), ("off", "bar")

STATUSES: dict[str, dict[str, Look]] = {
    "execution": {
        **_looks(*IDLE, "queued"),
        **_looks(*ACTIVE, "running", "cancelling"),
        **_looks(*ATTENTION, "waiting", "paused", "needs attention"),
        "budget_paused": Look(*ATTENTION, "Paused by budget"),
        **_looks(*GOOD, "completed"),
        "completed_with_errors": Look("attention", "split", "Completed with errors"),
        **_looks(*BAD, "failed"),
        **_looks(*OFF, "cancelled"),
    },
    "step": {
        **_looks(*IDLE, "pending", "ready"),
        **_looks(*ACTIVE, "running"),
        **_looks(*ATTENTION, "waiting", "retrying"),
        "unknown": Look(*ATTENTION, "Needs attention"),
        **_looks(*GOOD, "completed", "reused", "recovered"),
        **_looks(*BAD, "failed"),
        **_looks(*OFF, "cancelled", "skipped", "not run", "interrupted", "superseded", "replaced"),
    },
    "approval": {
        **_looks(*ATTENTION, "pending", "escalated", "expiring"),
        **_looks(*GOOD, "approved", "submitted"),
        **_looks(*BAD, "rejected", "expired"),
        **_looks(*OFF, "void", "cancelled"),
    },
    "generation": {
        **_looks(*IDLE, "draft"),
        **_looks(*ACTIVE, "generating"),
        **_looks(*ATTENTION, "blocked"),
        **_looks(*GOOD, "accepted", "ok"),
        **_looks(*BAD, "invalid", "failed", "rejected"),
        **_looks(*OFF, "superseded"),
    },
    "connection": {
        **_looks(*IDLE, "untested"),
        **_looks(*ATTENTION, "expiring"),
        **_looks(*GOOD, "ok"),
        **_looks(*BAD, "expired", "failing"),
        **_looks(*OFF, "revoked", "disabled"),
    },
    "delivery": {
        **_looks(*IDLE, "queued"),
        **_looks(*ACTIVE, "sending"),
        **_looks(*GOOD, "delivered"),
        "partly_delivered": Look("attention", "split", "Partly delivered"),
        **_looks(*BAD, "dead", "failed"),
        **_looks(*OFF, "dropped"),
    },
    "agent": {
        **_looks(*IDLE, "draft"),
        **_looks(*GOOD, "on"),
        **_looks(*OFF, "off"),
    },
    "model": {
        **_looks(*IDLE, "untested"),
        **_looks(*ATTENTION, "unpriced", "no key"),
        **_looks(*GOOD, "ok"),
        **_looks(*BAD, "unknown"),
        **_looks(*OFF, "retired", "disabled"),
    },
}


def look(kind: str, status: str) -> Look:
    """Return how `status` of a `kind` looks.

    Raises:
        KeyError: a status without a look; the enums of the engine are tested against the table.
    """
    return STATUSES[kind][str(status)]


def count(number: int | None) -> str:
    """Return a whole number with separators: `18,204`; None is `unknown`."""
    return "unknown" if number is None else f"{number:,}"


def count_short(number: int | None) -> str:
    """Return a number for tiles: `18.2k`, `1.4M`."""
    if number is None or abs(number) < 1_000:
        return count(number)
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        # 999,950 rounds up to the next unit
        if abs(number) >= size * Decimal("0.99995"):
            return f"{number / size:.1f}{unit}"
    return count(number)


def duration(milliseconds: int | None) -> str:
    """Return `840 ms`, `12.4 s`, `1m 12s`, `3h 05m`, `2d 4h`; None is `unknown`."""
    if milliseconds is None:
        return "unknown"
    sign, left = ("-" if milliseconds < 0 else ""), abs(round(milliseconds))
    if left < 1_000:
        return f"{sign}{left} ms"
    if left < 59_950:
        return f"{sign}{left / 1_000:.1f} s"
    seconds = max(left // 1_000, MINUTE_S)
    if seconds < HOUR_S:
        return f"{sign}{seconds // MINUTE_S}m {seconds % MINUTE_S:02}s"
    if seconds < DAY_S:
        return f"{sign}{seconds // HOUR_S}h {seconds % HOUR_S // MINUTE_S:02}m"
    return f"{sign}{seconds // DAY_S:,}d {seconds % DAY_S // HOUR_S}h"


def absolute(at: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
    """Return `14 Mar 2026, 14:05 CET`; the zone is always named."""
    local = at.astimezone(zone)
    clock = "%H:%M:%S" if seconds else "%H:%M"
    return f"{local.day} {local:%b} {local.year}, {local:{clock}} {local:%Z}"


def local_times(words: str, zone: tzinfo) -> str:
    """Return a sentence of the engine, whose times are in UTC, with the times of a reader."""

    def local(found: re.Match[str]) -> str:
        try:
            at = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
            return absolute(at, zone, seconds=bool(found[2]))
        except (ValueError, OverflowError):  # no such day, or none in that zone
            return found[0]

    return UTC_TIME.sub(local, words)


def clock(at: datetime, zone: tzinfo) -> str:
    """Return the time of day with seconds and zone: `14:05:10 CET`."""
    return f"{at.astimezone(zone):%H:%M:%S %Z}"


def ago(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return `3 min ago`, `in 2 h`, or the absolute time when it is over 7 days away."""
    distance = now - at
    if abs(distance) > ABSOLUTE_AFTER:
        return absolute(at, zone)
    seconds = int(abs(distance).total_seconds())
    if seconds < 5:
        return "just now"
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min"), (1, "s")):
        if seconds >= size:
            text = f"{seconds // size} {unit}"
            return f"{text} ago" if distance > timedelta(0) else f"in {text}"
    raise AssertionError("unreachable: seconds >= 5")


def rate(part: int, whole: int) -> str:
    """Return `3.2 % (8 of 250)`; under 20 samples only the counts: too few to rate."""
    if whole < TOO_FEW:
        return f"{part:,} of {whole:,}, too few to rate"
    return f"{Decimal(part) * 100 / whole:.1f} % ({part:,} of {whole:,})"


def size(size_bytes: int | None) -> str:
    """Return `512 bytes`, `256 KiB`, `1.5 MiB`; None is `unknown`."""
    if size_bytes is None:
        return "unknown"
    if size_bytes < 1_024:
        return f"{size_bytes:,} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        size_bytes /= 1_024  # type: ignore[assignment]
        if size_bytes < 1_023.95 or unit == "GiB":
            return f"{size_bytes:,.1f}".removesuffix(".0") + f" {unit}"
    raise AssertionError("unreachable: GiB is the last unit")


def fact(value: Any) -> str:
    """Return a JSON value as it reads within a sentence: a text bare, all else as JSON."""
    return value if isinstance(value, str) else strictjson.dumps(value)


def short_id(full: Any) -> str:
    """Return the last 8 characters: a uuidv7 begins with its clock, so its end tells it apart."""
    return str(full)[-8:]


def plural(number: int, one: str, many: str) -> str:
    """Return `1 step`, `2 steps`."""
    return f"{number:,} {one if number == 1 else many}"
