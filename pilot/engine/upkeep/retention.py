"""What is deleted after a while (settings, group Retention), in small batches, daily or on request.

Timelines and outputs of ended executions, what triggers fired, what was asked for many executions
at once, calls of days whose sums are kept, records of the audit trail (emptied, so that its chains
still verify), and sessions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from pilot import audit, db, settings
from pilot.audit import Actor, Event

BATCH = 2_000


@dataclass(frozen=True)
class Kind:
    """One thing that is pruned: how a batch goes, and how many are due."""

    name: str
    prune: str
    due: str


KINDS = (
    Kind(
        "executions",
        "SELECT prune_executions(:retention_execution_days, :batch)",
        "SELECT count(*) FROM execution e WHERE pruned_at IS NULL "
        "AND finished_at < pilot_now() - make_interval(days => :retention_execution_days) "
        "AND NOT EXISTS (SELECT 1 FROM execution p "
        "WHERE p.id = e.parent_id AND p.finished_at IS NULL)",
    ),
    Kind(
        "large outputs",
        "SELECT prune_blobs(:batch)",
        "SELECT count(*) FROM blob b WHERE b.created_at < pilot_now() - interval '1 hour' "
        "AND NOT EXISTS (SELECT 1 FROM step_execution s "
        "WHERE s.output_blob = b.sha256 AND s.owner_id = b.owner_id) "
        "AND NOT EXISTS (SELECT 1 FROM execution e "
        "WHERE e.output_blob = b.sha256 AND e.owner_id = b.owner_id)",
    ),
    Kind(
        "events",
        "SELECT prune_inbox(:batch)",
        "SELECT count(*) FROM inbox WHERE received_at < pilot_now() - interval '24 hours'",
    ),
    Kind(
        "fires and deliveries",
        "SELECT prune_fires(:retention_execution_days, :batch)",
        "SELECT (SELECT count(*) FROM trigger_fire WHERE status IN ('ended', 'skipped', 'refused') "
        "AND fire_at < pilot_now() - make_interval(days => :retention_execution_days)) "
        "+ (SELECT count(*) FROM hook_delivery "
        "WHERE at < pilot_now() - make_interval(days => :retention_execution_days))",
    ),
    Kind(
        "actions on many",
        "SELECT prune_bulks(:retention_execution_days, :batch)",
        "SELECT count(*) FROM bulk "
        "WHERE finished_at < pilot_now() - make_interval(days => :retention_execution_days)",
    ),
    Kind(
        "breakers of addresses",
        "SELECT prune_breakers(:batch)",
        "SELECT count(*) FROM model_state WHERE model_id LIKE 'host:%' AND NOT EXISTS ("
        "SELECT 1 FROM unnest(failed_at) f WHERE f > pilot_now() - interval '1 day')",
    ),
    Kind(
        "calls",
        "SELECT prune_calls(:retention_call_days, :batch)",
        "SELECT count(*) FROM call WHERE at < date_trunc('day', "
        "pilot_now() - make_interval(days => :retention_call_days), 'UTC')",
    ),
    Kind(
        "audit records",
        "SELECT audit_prune(:retention_audit_days, :retention_critical_days, :batch)",
        "SELECT count(*) FROM audit a JOIN audit_event e ON e.name = a.event "
        "WHERE a.event <> 'AUDIT_PRUNED' AND a.at < pilot_now() - make_interval(days => CASE "
        "e.severity WHEN 'critical' THEN cast(:retention_critical_days AS int) "
        "ELSE cast(:retention_audit_days AS int) END)",
    ),
    Kind(
        "sessions",
        "SELECT prune_sessions(:retention_session_days, :batch)",
        "SELECT count(*) FROM user_session WHERE coalesce(ended_at, last_seen_at) "
        "< pilot_now() - make_interval(days => :retention_session_days)",
    ),
)
DAYS = (
    "retention_execution_days",
    "retention_call_days",
    "retention_audit_days",
    "retention_critical_days",
    "retention_session_days",
)


def due() -> dict[str, int]:
    """Return how many of each kind would be pruned now; nothing changes.

    Of calls those are counted, too, whose day is not summed up yet: they stay until it is.
    """
    with db.reading(None, sees_all=True) as session:
        days = _days(session)
        return {
            one.name: int(session.execute(text(one.due), _used(one.due, days)).scalar_one())
            for one in KINDS
        }


def prune(*, by: Actor, batch: int = BATCH) -> dict[str, int]:
    """Prune all that is due, each batch in a transaction of its own, and return how many went.

    Several may do this at once: each takes other rows.
    """
    gone = {one.name: _prune(one, batch) for one in KINDS}
    if any(gone.values()):
        with db.transaction("retention.record", by.user_id) as session:
            days = _days(session)
            audit.record(
                session,
                Event.DATA_PRUNED,
                actor=by,
                about=("retention", "policy"),
                details={"gone": gone, "days": days},
            )
    return gone


def _prune(kind: Kind, batch: int) -> int:
    total = 0
    while True:
        with db.transaction("retention.prune", None) as session:
            values = _used(kind.prune, _days(session) | {"batch": batch})
            some = int(session.execute(text(kind.prune), values).scalar_one())
        total += some
        if not some:
            return total


def _days(session: Any) -> dict[str, int]:
    return {key: int(settings.value(session, key)) for key in DAYS}


def _used(statement: str, values: Mapping[str, int]) -> dict[str, int]:
    return {key: value for key, value in values.items() if f":{key}" in statement}
