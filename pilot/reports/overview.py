"""The overview: what needs attention, what was spent, what ran in the last day, who works."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from pilot import money
from pilot.engine.providers import model_lint
from pilot.engine.status import FINAL, ExecutionStatus
from pilot.reports import costs
from pilot.reports.spending import COUNTED, MODEL, Spent, ago
from pilot.reports.standstill import STOPPED

ASKING = (
    ExecutionStatus.NEEDS_ATTENTION,
    ExecutionStatus.FAILED,
    ExecutionStatus.COMPLETED_WITH_ERRORS,
    ExecutionStatus.PAUSED,
    ExecutionStatus.BUDGET_PAUSED,
)
MOST = 8
WHY = STOPPED | {"unknown_outcome": "for an answer: did the step happen?"}


@dataclass(frozen=True)
class Attention:
    """One thing that a person should look at, most urgent kinds first."""

    kind: str  # approval, execution or model
    id: UUID | None  # of an approval or execution
    title: str
    status: str
    reason: str
    at: datetime | None
    url: str


@dataclass(frozen=True)
class Money:
    """What was spent since a day began, in a zone."""

    since: date
    until: date
    spent: Spent


@dataclass(frozen=True)
class Worker:
    """A worker that was there in the last 24 hours and was not stopped."""

    host: str
    pid: int
    version: str
    state: str  # live, draining, dead
    heartbeat_at: datetime
    executions: int  # that it holds now


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
       a.requested_at AS at,
       CASE a.kind WHEN 'form' THEN '/forms/' ELSE '/approvals/' END || a.id AS url
  FROM approval a CROSS JOIN LATERAL approval_facts(a.id) f
 WHERE a.decided_at IS NULL AND :me = ANY (a.approver_ids)
   AND NOT EXISTS (SELECT 1 FROM vote v
     WHERE v.approval_id = a.id AND v.round = a.round AND v.user_id = :me)
 ORDER BY a.expires_at LIMIT :most
""")
# Failed ones only of the last week: what nobody looked at for longer is in the list.
EXECUTIONS = text("""
SELECT 'execution' AS kind, id, agent_name AS title, status,
       coalesce(error ->> 'message', CASE WHEN status = 'budget_paused' THEN (
         SELECT v.data ->> 'message' FROM event v WHERE v.execution_id = execution.id
            AND v.kind = 'execution' AND v.data ->> 'status' = 'budget_paused'
          ORDER BY v.seq DESC LIMIT 1) END, '') AS reason, coalesce(status_reason, '') AS stopped,
       coalesce(finished_at, created_at) AS at, '/executions/' || id AS url
  FROM execution
 WHERE status IN :asking AND mode <> 'simulate'
   AND (status IN ('needs_attention', 'paused', 'budget_paused')
        OR finished_at > pilot_now() - interval '7 days')
 ORDER BY status = 'needs_attention' DESC, coalesce(finished_at, created_at) DESC LIMIT :most
""").bindparams(bindparam("asking", expanding=True))
# They may stop soon: somebody may want to raise their budgets before.
NEARLY_SPENT = text("""
SELECT 'execution' AS kind, id, agent_name AS title, status, created_at AS at,
       '/executions/' || id AS url, budget_usd,
       trunc(100 * (spent_usd + reserved_usd) / budget_usd)::int AS percent
  FROM execution
 WHERE status IN :under_way AND spent_usd + reserved_usd > 0.8 * budget_usd
 ORDER BY percent DESC, id LIMIT :most
""").bindparams(bindparam("under_way", expanding=True))
RECENT = text("""
SELECT id, agent_name, status, coalesce(status_reason, '') AS reason, created_at,
       (extract(epoch FROM finished_at - started_at) * 1000)::int8 AS duration_ms
  FROM execution WHERE mode <> 'simulate' ORDER BY id DESC LIMIT :most
""")
# The row without a status is that of all.
DAY = text(f"""
SELECT status, count(*) AS number, percentile_cont(0.5) WITHIN GROUP (
         ORDER BY extract(epoch FROM finished_at - started_at) * 1000) AS median_ms
  FROM execution WHERE created_at > {ago(1)} AND mode <> 'simulate'
 GROUP BY GROUPING SETS ((status), ())
""")  # noqa: S608 -- constants
# Somebody pays for these calls, and nobody knows how much.
UNPRICED = text(f"""
SELECT 'model' AS kind, NULL::uuid AS id, {MODEL} AS title, 'unpriced' AS status,
       count(*) AS calls, max(c.at) AS at
  FROM call c WHERE c.cost IS NULL AND {COUNTED} AND c.at > {ago(7)}
 GROUP BY 3 ORDER BY calls DESC, 3 LIMIT :most
""")  # noqa: S608 -- constants
BEGUN = text("""
SELECT date_trunc('month', pilot_now() AT TIME ZONE :zone)::date AS month,
       (pilot_now() AT TIME ZONE :zone)::date AS today
""")
WORKERS = text("""
SELECT w.host, w.pid, w.version, w.heartbeat_at,
       CASE WHEN w.lease_until <= pilot_now() THEN 'dead' WHEN w.draining THEN 'draining'
            ELSE 'live' END AS state,
       (SELECT count(*) FROM (
          SELECT e.id FROM execution e WHERE e.worker_id = w.id AND e.finished_at IS NULL
          UNION SELECT b.execution_id FROM batch b WHERE b.worker_id = w.id) AS held) AS executions
  FROM worker w
 WHERE w.stopped_at IS NULL AND w.heartbeat_at > pilot_now() - interval '24 hours'
 ORDER BY w.heartbeat_at DESC, w.id LIMIT :most
""")
MOST_WORKERS = 50
LINTS = {"unpriced": "unpriced", "retired": "retired", "no_key": "no_key", "unknown": "unknown"}


def attention(session: Session, user_id: UUID) -> list[Attention]:
    """Return approvals that wait for this person, then executions that wait for anybody."""
    approvals = session.execute(APPROVALS, {"me": user_id, "most": MOST})
    asking = [str(status) for status in ASKING]
    executions = session.execute(EXECUTIONS, {"asking": asking, "most": MOST})
    found = [Attention(**_facts(row)) for row in approvals]
    for row in executions:
        facts = _facts(row)
        stopped = WHY.get(facts["stopped"], facts["stopped"])
        words = f"{facts['status'].replace('_', ' ').capitalize()} {stopped}" if stopped else ""
        del facts["stopped"]
        found.append(Attention(**facts | {"reason": facts["reason"] or words}))
    return found


def nearly_spent(session: Session) -> list[Attention]:
    """Return the executions under way that have used more than 80 % of their budgets."""
    # Named one by one: an index finds what is under way among all that has ended.
    under_way = [str(one) for one in set(ExecutionStatus) - FINAL - {ExecutionStatus.BUDGET_PAUSED}]
    values = {"under_way": under_way, "most": MOST}
    rows = session.execute(NEARLY_SPENT, values).mappings()
    told = "{} % of its budget of {} is used"
    return [
        Attention(
            reason=told.format(row["percent"], money.usd(row["budget_usd"])),
            **{name: row[name] for name in ("kind", "id", "title", "status", "at", "url")},
        )
        for row in rows
    ]


def recent(session: Session) -> list[Recent]:
    """Return the newest executions."""
    return [Recent(**_facts(row)) for row in session.execute(RECENT, {"most": MOST})]


def last_day(session: Session) -> Day:
    """Return the counts of the executions that were started in the last 24 hours."""
    rows = session.execute(DAY).all()
    (median,) = (row.median_ms for row in rows if row.status is None)
    counts = {row.status: row.number for row in rows if row.status is not None}
    return Day(counts, None if median is None else round(median))


def workers(session: Session) -> list[Worker]:
    """Return the workers of the last 24 hours that nobody stopped, and what each holds."""
    return [Worker(**_facts(row)) for row in session.execute(WORKERS, {"most": MOST_WORKERS})]


def spending(session: Session, zone: str) -> tuple[Money, Money]:
    """Return what was spent today and what this month, in the days of a zone."""
    days = session.execute(BEGUN, {"zone": zone}).one()
    today, month = (
        Money(since, days.today, costs.total(session, costs.Asked(since, days.today, zone, "role")))
        for since in (days.today, days.month)
    )
    return today, month


def unpriced_models(session: Session) -> list[Attention]:
    """Return the models without a price that were called in the last 7 days."""
    rows = session.execute(UNPRICED, {"most": MOST}).mappings()
    told = "Has no price: {} of the last 7 days in no sum"
    return [
        Attention(
            row["kind"],
            row["id"],
            row["title"],
            row["status"],
            told.format("1 call" if row["calls"] == 1 else f"{row['calls']:,} calls"),
            row["at"],
            f"/costs?group=day&model={quote(row['title'], safe='')}",
        )
        for row in rows
    ]


def chosen_models(session: Session, values: Mapping[str, Any]) -> list[Attention]:
    """Return what keeps the models that these settings choose from being asked or priced."""
    return [
        Attention(
            "model",
            None,
            one.model_id or "Models",
            LINTS[one.code],
            one.message,
            None,
            "/system-config/workflow-pilot",
        )
        for one in model_lint.lint(session, values)
        if one.code in LINTS
    ]


def _facts(row: Any) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
