"""What Prometheus scrapes: sums over all owners, read from the rows, as its plain text format.

Labels are statuses, step types and models: nothing that an owner wrote.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.status import ExecutionStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
KINDS = ("input", "cache_read", "cache_write", "output", "reasoning")

Number = int | Decimal
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Gauge:
    """A number that goes up and down; the query gives its labels and `value`."""

    name: str
    about: str
    query: str


GAUGES = (
    Gauge(
        "pilot_executions",
        "Executions by status.",
        """SELECT status, count(e.status) AS value FROM unnest(cast(:statuses AS text[])) AS status
             LEFT JOIN execution e USING (status) GROUP BY status ORDER BY status""",
    ),
    Gauge(
        "pilot_queue_depth",
        "What waits for a worker.",
        """SELECT 'executions' AS queue, count(*) AS value FROM execution
            WHERE status = 'queued' AND wake_at <= (SELECT pilot_now())
           UNION ALL SELECT 'goals', count(*) FROM generation WHERE stage = 'queued'""",
    ),
    Gauge(
        "pilot_queue_oldest_seconds",
        "For how long the oldest of them has waited; 0: nothing waits.",
        """SELECT 'executions' AS queue,
                  coalesce(extract(epoch FROM pilot_now() - min(wake_at)), 0) AS value
             FROM execution WHERE status = 'queued' AND wake_at <= (SELECT pilot_now())
           UNION ALL
           SELECT 'goals', coalesce(extract(epoch FROM pilot_now() - min(updated_at)), 0)
             FROM generation WHERE stage = 'queued'""",
    ),
    Gauge(
        "pilot_workers",
        "Workers that have not stopped; a dead one holds no lease.",
        """SELECT state, count(w.id) AS value
             FROM unnest(ARRAY['dead', 'draining', 'live']) AS state
             LEFT JOIN worker w ON w.stopped_at IS NULL AND state = CASE
               WHEN w.lease_until <= pilot_now() THEN 'dead'
               WHEN w.draining THEN 'draining' ELSE 'live' END
            GROUP BY state ORDER BY state""",
    ),
    Gauge(
        "pilot_timers_due",
        "Timers and retries whose moment has come.",
        """SELECT count(*) AS value FROM wait
            WHERE resolved_at IS NULL AND wake_at <= (SELECT pilot_now())""",
    ),
    Gauge(
        "pilot_approvals_open",
        "Questions that wait for people.",
        "SELECT count(*) AS value FROM approval WHERE decided_at IS NULL",
    ),
    Gauge(
        "pilot_outbox_messages",
        "Messages that were not sent: due now, due later, or given up.",
        """SELECT state, count(o.id) AS value FROM unnest(ARRAY['dead', 'due', 'later']) AS state
             LEFT JOIN outbox o ON o.sent_at IS NULL AND o.dropped_at IS NULL AND state = CASE
               WHEN o.dead_at IS NOT NULL THEN 'dead'
               WHEN o.due_at <= pilot_now() THEN 'due' ELSE 'later' END
            GROUP BY state ORDER BY state""",
    ),
    Gauge(
        "pilot_outbox_lag_seconds",
        "For how long the oldest due message has waited; 0: none is due.",
        """SELECT coalesce(extract(epoch FROM pilot_now() - min(due_at)), 0) AS value FROM outbox
            WHERE sent_at IS NULL AND dead_at IS NULL AND dropped_at IS NULL
              AND due_at <= (SELECT pilot_now())""",
    ),
    Gauge(
        "pilot_breaker_open",
        "1: too many calls to the model failed, nobody asks it now.",
        """SELECT model_id AS model, coalesce(open_until > pilot_now(), false)::int AS value
             FROM model_state WHERE model_id !~ '^(connection|host):' ORDER BY model_id""",
    ),
    Gauge(
        "pilot_calls_under_way",
        "Calls to models that were booked and have not ended.",
        "SELECT count(*) AS value FROM call WHERE state = 'reserved'",
    ),
)

# One scan of each table: rows that are alike, with the bucket of their duration.
STEPS = """
SELECT type, status, width_bucket(duration_ms, cast(:bounds AS int[])) AS bucket,
       count(*) AS rows, coalesce(sum(duration_ms), 0) AS ms
  FROM step_execution WHERE reused_from IS NULL AND cached IS NULL GROUP BY 1, 2, 3
"""
CALLS = """
SELECT provider, model_asked AS model, role,
       CASE state WHEN 'lost' THEN 'lost' ELSE outcome END AS outcome,
       width_bucket(latency_ms, cast(:bounds AS int[])) AS bucket,
       count(*) AS rows, coalesce(sum(latency_ms), 0) AS ms,
       sum(input_tokens) AS input, sum(cache_read_tokens) AS cache_read,
       sum(cache_write_tokens::bigint + cache_write_long_tokens)::bigint AS cache_write,
       sum(output_tokens) AS output, sum(reasoning_tokens) AS reasoning,
       coalesce(sum(cost), 0) AS cost, count(*) FILTER (WHERE cost IS NULL) AS unpriced
  FROM call WHERE state <> 'reserved' GROUP BY 1, 2, 3, 4, 5
UNION ALL  -- what retention deleted: a counter never falls
SELECT provider, model, role, outcome, nullif(bucket, -1), rows, ms, input, cache_read, cache_write,
       output, reasoning, cost, unpriced FROM pruned_calls
"""


def exposition(session: Session) -> Iterator[str]:
    """Yield the lines of all metrics; the session must see all rows."""
    for gauge in GAUGES:
        values = {"statuses": list(ExecutionStatus)} if ":statuses" in gauge.query else {}
        rows = session.execute(text(gauge.query), values).mappings()
        yield from _family(gauge.name, "gauge", gauge.about)
        yield from (_sample(gauge.name, _without_value(row), row["value"]) for row in rows)
    # Row security hides from the planner how many rows there are: it would sort them all on disk.
    session.execute(text("SET LOCAL enable_sort = off"))
    # A bound counts itself: of whole milliseconds, "up to 5" are those below 6.
    bounds = {"bounds": [bound + 1 for bound in BOUNDS_MS]}
    steps: Rows = list(map(dict, session.execute(text(STEPS), bounds).mappings()))
    yield from _sums("pilot_step_attempts", "gauge", "Attempts at steps.", steps, "type status")
    yield from _histogram("pilot_step_duration_seconds", "How long steps took.", steps, "type")
    calls: Rows = list(map(dict, session.execute(text(CALLS), bounds).mappings()))
    yield from _of_calls(calls)


def _of_calls(calls: Rows) -> Iterator[str]:
    names = "provider model role outcome"
    yield from _sums("pilot_calls_total", "counter", "Ended calls to models.", calls, names)
    about = "How long calls to models took."
    yield from _histogram("pilot_call_duration_seconds", about, calls, "provider model")
    kinds = [{**row, "kind": kind, "tokens": row[kind]} for row in calls for kind in KINDS]
    about = "Tokens that calls took."
    names = "provider model kind"
    yield from _sums("pilot_tokens_total", "counter", about, kinds, names, "tokens")
    about = "What calls with a known price cost."
    yield from _sums("pilot_cost_usd_total", "counter", about, calls, "provider model", "cost")
    about = "Ended calls without a known price."
    names = "provider model"
    yield from _sums("pilot_unpriced_calls_total", "counter", about, calls, names, "unpriced")


def _family(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _sums(
    name: str,
    kind: str,
    about: str,
    rows: Rows,
    labels: str,
    column: str = "rows",
) -> Iterator[str]:
    """Yield a family that adds up a column by some labels."""
    sums: dict[tuple[str, ...], Number] = defaultdict(int)
    for row in rows:
        sums[_key(row, labels)] += row[column]
    yield from _family(name, kind, about)
    for key, value in sorted(sums.items()):
        yield _sample(name, dict(zip(labels.split(), key, strict=True)), value)


def _histogram(name: str, about: str, rows: Rows, labels: str) -> Iterator[str]:
    """Yield a histogram of seconds; rows without a duration (no bucket) are not in it."""
    counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_MS) + 1))
    took_ms: dict[tuple[str, ...], int] = defaultdict(int)
    for row in rows:
        if row["bucket"] is not None:
            key = _key(row, labels)
            counts[key][row["bucket"]] += row["rows"]
            took_ms[key] += row["ms"]
    yield from _family(name, "histogram", about)
    limits = [*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf"]
    for key, buckets in sorted(counts.items()):
        named = dict(zip(labels.split(), key, strict=True))
        for limit, count in zip(limits, accumulate(buckets), strict=True):
            yield _sample(f"{name}_bucket", named | {"le": limit}, count)
        yield _sample(f"{name}_sum", named, Decimal(took_ms[key]) / 1000)
        yield _sample(f"{name}_count", named, sum(buckets))


def _key(row: Mapping[str, Any], labels: str) -> tuple[str, ...]:
    return tuple(str(row[label]) for label in labels.split())


def _without_value(row: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(cell) for name, cell in row.items() if name != "value"}


def _sample(name: str, labels: Mapping[str, str], value: Number) -> str:
    inner = ",".join(f'{label}="{_escaped(cell)}"' for label, cell in labels.items())
    number = str(value) if isinstance(value, int) else f"{value:f}"
    return f"{name}{{{inner}}} {number}" if inner else f"{name} {number}"


def _escaped(cell: str) -> str:
    return cell.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
