"""The overview: what needs attention, what ran in the last day, who works."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from pilot.engine.status import ExecutionStatus

ASKING = (
    ExecutionStatus.NEEDS_ATTENTION,
    ExecutionStatus.FAILED,
    ExecutionStatus.COMPLETED_WITH_ERRORS,
    ExecutionStatus.PAUSED,
)
MOST = 8


@dataclass(frozen=True)
class Attention:
    """One thing that a person should look at, most urgent kinds first."""

    kind: str  # approval or execution
    id: UUID
    title: str
    status: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Recent:
    """An execution in short."""

    id: UUID
    agent_name: str
    status: str
    reason: str
    created_at: datetime
    duration_ms: int | None


@dataclass(frozen=True)
class Day:
    """What happened in the last 24 hours."""

    by_status: dict[str, int]
    median_ms: int | None  # of finished executions, first claim to end

    @property
    def total(self) -> int:
        """How many were started."""
        return sum(self.by_status.values())


APPROVALS = text("""
SELECT 'approval' AS kind, a.id, a.title, 'pending' AS status, f.agent_name AS reason,
       a.requested_at AS at
  FROM approval a CROSS JOIN LATERAL approval_facts(a.id) f
 WHERE a.decided_at IS NULL AND :me = ANY (a.approver_ids)
   AND NOT EXISTS (SELECT 1 FROM vote v WHERE v.approval_id = a.id AND v.user_id = :me)
 ORDER BY a.expires_at LIMIT :most
""")
# Failed ones only of the last week: what nobody looked at for longer is in the list.
EXECUTIONS = text("""
SELECT 'execution' AS kind, id, agent_name AS title, status,
       coalesce(error ->> 'message', status_reason, '') AS reason,
       coalesce(finished_at, created_at) AS at
  FROM execution
 WHERE status IN :asking
   AND (status IN ('needs_attention', 'paused') OR finished_at > pilot_now() - interval '7 days')
 ORDER BY status = 'needs_attention' DESC, coalesce(finished_at, created_at) DESC LIMIT :most
""").bindparams(bindparam("asking", expanding=True))
RECENT = text("""
SELECT id, agent_name, status, coalesce(status_reason, '') AS reason, created_at,
       (extract(epoch FROM finished_at - started_at) * 1000)::int8 AS duration_ms
  FROM execution ORDER BY id DESC LIMIT :most
""")
DAY = text("""
SELECT status, count(*) AS number FROM execution
 WHERE created_at > pilot_now() - interval '24 hours' GROUP BY status
""")
MEDIAN = text("""
SELECT percentile_cont(0.5) WITHIN GROUP (
         ORDER BY extract(epoch FROM finished_at - started_at) * 1000)
  FROM execution
 WHERE created_at > pilot_now() - interval '24 hours' AND finished_at IS NOT NULL
   AND started_at IS NOT NULL
""")
WORKERS = text("""
SELECT count(*) FROM worker
 WHERE stopped_at IS NULL AND NOT draining AND lease_until > pilot_now()
""")


def attention(session: Session, user_id: UUID) -> list[Attention]:
    """Return approvals that wait for this person, then executions that wait for anybody."""
    approvals = session.execute(APPROVALS, {"me": user_id, "most": MOST})
    asking = [str(status) for status in ASKING]
    executions = session.execute(EXECUTIONS, {"asking": asking, "most": MOST})
    return [Attention(**_facts(row)) for rows in (approvals, executions) for row in rows]


def recent(session: Session) -> list[Recent]:
    """Return the newest executions."""
    return [Recent(**_facts(row)) for row in session.execute(RECENT, {"most": MOST})]


def last_day(session: Session) -> Day:
    """Return the counts of the executions that were started in the last 24 hours."""
    counts = {row.status: row.number for row in session.execute(DAY)}
    median = session.scalar(MEDIAN)
    return Day(counts, None if median is None else round(median))


def live_workers(session: Session) -> int:
    """Return how many workers take executions right now."""
    found: int = session.execute(WORKERS).scalar_one()
    return found


def _facts(row: Any) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
