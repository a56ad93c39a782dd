"""Results of steps that change nothing, taken again within a time instead of asking again.

A result is found by the hash of all that decides it: what the step is and was given, which action
or models answer. A hit makes no call; what it saved is what the recorded calls cost, never a guess.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import text

from pilot import db, money, plugins, settings, strictjson
from pilot.audit import Event
from pilot.engine import outages
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import StepContext
from pilot.engine.language.step_fields import CachedFields, StepFields
from pilot.engine.providers import model_catalogue
from pilot.engine.running import records
from pilot.engine.running.run import Result, Run
from pilot.engine.secrets import connections
from pilot.engine.status import StepStatus

# Fields of a step that do not decide what it gives.
UNREAD = (
    *("id", "name", "metadata", "dependencies", "execute_if", "on_error", "retry", "timeout_s"),
    *("cache", "compensate"),
)
FOUND = text("""
SELECT s.execution_id, s.path, s.output, encode(s.output_blob, 'hex') AS blob, s.duration_ms,
       s.finished_at, c.usd, c.tokens, c.unpriced
  FROM step_execution s CROSS JOIN LATERAL (
    SELECT coalesce(sum(cost), 0) AS usd, count(*) FILTER (WHERE cost IS NULL) AS unpriced,
           coalesce(sum(input_tokens::bigint + cache_read_tokens + cache_write_tokens
             + cache_write_long_tokens + output_tokens + reasoning_tokens), 0)::bigint AS tokens
      FROM call WHERE execution_id = s.execution_id AND path = s.path AND attempt = s.attempt
       AND provider <> 'scripted') c
 WHERE s.owner_id = :owner AND s.cache_key = :key AND s.status = 'completed'
   AND s.output IS NOT NULL
   AND s.finished_at > (SELECT pilot_now() - make_interval(secs => :ttl_s))
 ORDER BY s.finished_at DESC LIMIT 1
""")


@dataclass(frozen=True)
class Hit:
    """A result that was found, and what asking again would have cost."""

    output: Any  # or its blob
    cached: dict[str, Any]  # execution, path, usd (decimal text), unpriced, tokens, ms
    note: str


async def find(
    run: Run, step: StepFields, attempt: Attempt, around: StepContext
) -> tuple[Attempt, Hit | None]:
    """Return the attempt with the key of its result, and a result that may be taken for it.

    A step that a person ran again takes none: it asks, and what it gives is taken from then on.

    Raises:
        StepError: what it needs cannot be read now.
    """
    rule = step.cache if isinstance(step, CachedFields) else None
    usable = attempt.effect == "pure" and run.simulated is None and not run.compensating
    values = settings.with_defaults(run.held.facts["settings"])
    if rule is None or not usable or not values["pilot_step_cache"]:
        return attempt, None
    look = partial(_look, run, step, rule.ttl_s, rule.scope, attempt.input, around)
    key, hit = await run.loop.run_in_executor(run.ports.pool, look)
    fresh = attempt.rerun or around.superseded
    return attempt._replace(cache_key=key), None if fresh else hit


async def take(run: Run, step: StepFields, path: str, hit: Hit) -> Result:
    """Record an output that was found instead of asked for: it had no intent and cost nothing."""
    packed = blobs.pack(hit.output)
    row = records.attempt_row(
        run,
        step,
        path,
        StepStatus.COMPLETED,
        run.now(),
        output=packed.text,
        blob=packed.sha256,
        notes=records.as_json([hit.note]),
        duration_ms=0,
        cached=records.as_json(hit.cached),
    )
    facts = {"duration_ms": 0, "cached": hit.cached}
    consumed = path in run.history.waits
    event = Event.PILOT_STEP_EXECUTED
    await records.record(run, "result", row, facts, event, consumed=consumed, packed=packed)
    return Result(StepStatus.COMPLETED, packed.kept)


def _look(
    run: Run, step: StepFields, ttl_s: float, scope: str, given: Any, around: StepContext
) -> tuple[str, Hit | None]:
    owner = run.held.owner_id
    with outages.held(), db.reading(owner) as session:
        about = {
            "step": step.model_dump(mode="json", by_alias=True, exclude=set(UNREAD)),
            "given": given,
            "agent": str(run.held.facts["agent_id"]) if scope == "agent" else None,
            "zone": around.scope.zone.key,
        }
        about |= _action(session, step, owner) or _models(run, around)
        key = hashlib.sha256(strictjson.canonical(about).encode())
        values = {"owner": owner, "key": key.digest(), "ttl_s": ttl_s}
        row = session.execute(FOUND, values).one_or_none()
    return key.hexdigest(), None if row is None else _hit(row)


def _action(session: Any, step: Any, owner: Any) -> dict[str, Any]:
    """Return the version of an action, and of the account that it acts with."""
    if step.type != "action":
        return {}
    account = None
    if step.connection:
        found = connections.find(session, owner, step.plugin, step.connection)
        account = [str(found.id), found.version] if found else None
    return {"version": plugins.load(step.plugin).version, "account": account}


def _models(run: Run, around: StepContext) -> dict[str, Any]:
    """Return who may answer."""
    values = settings.with_defaults(run.held.facts["settings"])
    scripted = around.resources.script is not None or bool(run.held.facts.get("demo"))
    chosen = ["scripted"] if scripted else list(model_catalogue.chosen(values))
    return {"models": chosen, "downgraded": around.on_limit == "downgrade"}


def _hit(row: Any) -> Hit:
    cached = {
        "execution": str(row.execution_id),
        "path": row.path,
        "usd": f"{row.usd:f}",
        "unpriced": row.unpriced,
        "tokens": row.tokens,
        "ms": row.duration_ms or 0,
    }
    unpriced = f", and {row.unpriced} without a price" if row.unpriced else ""
    note = (
        f"Taken from execution {row.execution_id} ({row.path}, {row.finished_at:%Y-%m-%d %H:%M} "
        f"UTC) instead of asking again: saved {money.usd(row.usd)}{unpriced}, "
        f"{row.tokens:,} tokens and {cached['ms']:,} ms."
    )
    output = row.output if row.blob is None else Blob(row.blob, row.output)
    return Hit(output, cached, note)
