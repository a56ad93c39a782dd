"""Spans of what has ended, for an OpenTelemetry collector: told from the rows, beside the work.

One span for each execution, attempt at a step and call to a model; ids, types, statuses, times and
costs, never prompts, inputs, outputs or keys. Spans follow the rows, so a collector that is slow or
away delays nothing but its own spans: the next look goes on where the last one ended.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from pilot import db, strictjson
from pilot.db import transaction
from pilot.egress import Egress
from pilot.errors import StepError

log = structlog.get_logger()

BATCH = 200  # executions of one look
MOST_SPANS = 2_000  # in one request
SEND_S, LOOK_S = 10.0, 20.0
# Whoever looks holds the place for so long; what ended is told this late, when no commit of that
# time can still be on its way (30 s is the longest statement).
CLAIM = text("""
UPDATE span_place SET held_until = pilot_now() + interval '60 s'
 WHERE held_until <= pilot_now() RETURNING at, id
""")
ENDED = text("""
SELECT id, owner_id, agent_id, agent_name, status, runs, mode, started_at, created_at, finished_at,
       cost_usd, tokens, unpriced_calls
  FROM execution
 WHERE pruned_at IS NULL AND finished_at >= :at AND (finished_at, id) > (:at, :id)
   AND finished_at > (SELECT pilot_now() - interval '1 day')
   AND finished_at < (SELECT pilot_now() - interval '40 s')
 ORDER BY finished_at, id LIMIT :batch
""")
STEPS = text("""
SELECT execution_id, path, attempt, type, status, effect, started_at, finished_at,
       error ->> 'class' AS error_class
  FROM step_execution WHERE execution_id = :id AND finished_at IS NOT NULL
   AND reused_from IS NULL ORDER BY path, attempt
""")
CALLS = text("""
SELECT id, execution_id, path, attempt, provider, model_asked, model_billed, role, state, outcome,
       reason, at, ended_at, cost, input_tokens + cache_read_tokens + cache_write_tokens
       + cache_write_long_tokens AS input_tokens, output_tokens + reasoning_tokens AS output_tokens
  FROM call WHERE execution_id = :id AND ended_at IS NOT NULL ORDER BY at, id
""")
MOVE = text("UPDATE span_place SET at = :at, id = :id, held_until = pilot_now()")
RELEASE = text("UPDATE span_place SET held_until = pilot_now()")
FAILED = frozenset({"failed", "lost", "needs_attention", "unknown", "interrupted"})


@dataclass(frozen=True)
class Collector:
    """Where spans go: the base address of OTLP over HTTP, and headers that may be secret."""

    url: str
    allow: str  # its host and port: an administrator's own, which may be within the house
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def look(self) -> bool:
        """Tell of some executions that ended; True: there may be more."""
        with transaction("spans.claim", None) as session:
            place = session.execute(CLAIM).one_or_none()
        if place is None:
            return False
        with db.reading(None, sees_all=True) as session:
            values = {"at": place.at, "id": place.id, "batch": BATCH}
            ended = session.execute(ENDED, values).all()
        last = self._tell(ended)
        with transaction("spans.move", None) as session:
            if last is None:
                session.execute(RELEASE)
            else:
                session.execute(MOVE, {"at": last.finished_at, "id": last.id})
        return last is not None and len(ended) == BATCH

    def _tell(self, ended: Sequence[Any]) -> Any:
        """Tell of executions in turn, many in one request; returns the last that was taken."""
        waiting: list[dict[str, Any]] = []
        last, stops_at = None, time.monotonic() + LOOK_S
        for number, one in enumerate(ended, start=1):
            waiting += _of(one)
            if len(waiting) < MOST_SPANS and number < len(ended):
                continue
            parts = (waiting[n : n + MOST_SPANS] for n in range(0, len(waiting), MOST_SPANS))
            if not all(self._send(part) for part in parts):
                break
            last, waiting = one, []
            if time.monotonic() > stops_at:
                break
        return last

    def _send(self, found: list[dict[str, Any]]) -> bool:
        scope = {"scope": {"name": "pilot"}, "spans": found}
        resource = {"attributes": attributes({"service.name": "pilot"})}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}
        try:
            reply = Egress([self.allow]).post(
                f"{self.url.rstrip('/')}/v1/traces",
                headers={"content-type": "application/json", **self.headers},
                content=strictjson.dumps(body).encode(),
                deadline=time.monotonic() + SEND_S,
            )
        except StepError as error:
            log.warning("spans_not_sent", error=str(error.error_class))
            return False
        if not 200 <= reply.status < 300:
            log.warning("spans_refused", status=reply.status)
        # What a collector calls wrong it would call wrong again: only a busy one is asked again.
        return reply.status not in {408, 429} and reply.status < 500


def _of(ended: Any) -> list[dict[str, Any]]:
    """Return the spans of an execution, of its attempts at steps, and of its calls."""
    with db.reading(None, sees_all=True) as session:
        about = {"id": ended.id}
        steps, calls = session.execute(STEPS, about).all(), session.execute(CALLS, about).all()
    return [_execution(ended), *map(_step, steps), *map(_call, calls)]


def _execution(one: Any) -> dict[str, Any]:
    facts = {
        "pilot.execution.id": one.id,
        "pilot.agent.id": one.agent_id,
        "pilot.agent.name": one.agent_name,
        "pilot.owner.id": one.owner_id,
        "pilot.runs": one.runs,
        "pilot.mode": one.mode,
        "pilot.tokens": one.tokens,
        "pilot.cost_usd": one.cost_usd if one.cost_usd or not one.unpriced_calls else None,
        "pilot.unpriced_calls": one.unpriced_calls,
    }
    begun = one.started_at or one.created_at
    return _span(one.id, "", "", "execution", (begun, one.finished_at), one.status, facts)


def _step(one: Any) -> dict[str, Any]:
    facts = {
        "pilot.step.path": one.path,
        "pilot.step.attempt": one.attempt,
        "pilot.step.type": one.type,
        "pilot.step.effect": one.effect,
        "error.type": one.error_class,
    }
    times = (one.started_at, one.finished_at)
    key = f"{one.path}#{one.attempt}"
    return _span(one.execution_id, key, "", f"step {one.type}", times, one.status, facts)


def _call(one: Any) -> dict[str, Any]:
    facts = {
        "pilot.call.id": one.id,
        "pilot.call.role": one.role,
        "gen_ai.system": one.provider,
        "gen_ai.request.model": one.model_asked,
        "gen_ai.response.model": one.model_billed,
        "gen_ai.usage.input_tokens": one.input_tokens,
        "gen_ai.usage.output_tokens": one.output_tokens,
        "pilot.cost_usd": one.cost,
        "error.type": one.reason,
    }
    around, status = f"{one.path}#{one.attempt}", one.outcome or one.state
    times = (one.at, one.ended_at)
    return _span(one.execution_id, str(one.id), around, "model call", times, status, facts)


def _span(  # noqa: PLR0913, PLR0917 -- the parts of a span
    execution: UUID,
    key: str,
    around: str,
    name: str,
    times: tuple[datetime, datetime],
    status: str,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    begun, ended = times
    found = {
        "traceId": execution.hex,
        "spanId": _id(execution, key),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": _nanoseconds(begun),
        "endTimeUnixNano": _nanoseconds(max(begun, ended)),
        "attributes": attributes({"pilot.status": status, **facts}),
        "status": {"code": 2 if status in FAILED else 1},
    }
    return found | ({"parentSpanId": _id(execution, around)} if key else {})


def _id(execution: UUID, key: str) -> str:
    return hashlib.sha256(f"{execution}|{key}".encode()).hexdigest()[:16]


def _nanoseconds(at: datetime) -> str:
    return f"{round(at.timestamp() * 1_000_000)}000"


def attributes(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return facts as attributes: money as exact text; what is absent is left out."""
    found = []
    for name, value in facts.items():
        kind = "intValue" if isinstance(value, int) else "stringValue"
        if value is not None:
            found.append({"key": name, "value": {kind: str(value)}})
    return found
