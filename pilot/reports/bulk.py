"""One action for many executions: what it would meet, and what became of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot.engine.agents.access import Level
from pilot.engine.life.bulk import ALLOWED, MOST, Action, Matching
from pilot.engine.status import FINAL, ExecutionStatus
from pilot.errors import NotFoundError
from pilot.models.agent_grant import AgentGrant
from pilot.models.bulk import Bulk
from pilot.models.columns import NOW
from pilot.models.user import User
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch
from pilot.reports.spending import known

UNKNOWN = "Nobody asked for this, or it is not yours to see."
NAMED, MOST_GROUPS = 3, 50
SORTS = {"asked": Sort("b.created_at", "timestamptz")}
SOURCE = Source(
    columns="""b.id, b.action, b.matched, b.created_at, b.finished_at,
      (SELECT u.name FROM app_user u WHERE u.id = b.owner_id) AS asked_by""",
    tables="bulk b",
    id="b.id",
    sorts=SORTS,
)
# What keeps the operation from acting besides a status, in the order in which it looks.
ARCHIVED = "EXISTS (SELECT 1 FROM agent a WHERE a.id = e.agent_id AND a.deleted_at IS NOT NULL)"
HINDRANCES: dict[Action, dict[str, str]] = {
    Action.CANCEL: {},
    Action.PAUSE: {},
    Action.RESUME: {
        "archived": ARCHIVED,
        "parent": """NOT e.detached AND EXISTS (SELECT 1 FROM execution p WHERE p.id = e.parent_id
          AND (p.status = 'paused' OR p.pause_requested_at IS NOT NULL))""",
        "answer": """e.status = 'needs_attention' AND EXISTS (SELECT 1 FROM step_execution s
          WHERE s.execution_id = e.id AND s.status = 'unknown')""",
    },
    Action.RETRY: {
        "undone": "e.compensation = 'begun'",
        "pruned": "e.pruned_at IS NOT NULL",
        "archived": ARCHIVED,
        "above": """NOT e.detached AND EXISTS (SELECT 1 FROM execution p
          WHERE p.id = e.parent_id AND p.finished_at IS NOT NULL)""",
        "nothing": """e.error IS NULL AND NOT EXISTS (SELECT 1 FROM step_execution s
          WHERE s.execution_id = e.id AND s.status = 'failed' AND NOT EXISTS (
            SELECT 1 FROM step_execution n WHERE n.execution_id = s.execution_id
               AND n.path = s.path AND n.attempt > s.attempt))""",
    },
}
HINDERED = {
    "no_right": "Shared with you only to look at",
    "archived": "Its agent was archived",
    "parent": "A paused execution started it: resume that one",
    "above": "An execution that has ended started it: retry that one",
    "answer": "A step's outcome is unknown: answer it first",
    "undone": "Its finished steps were undone",
    "pruned": "Its outputs were deleted after a while",
    "nothing": "Nothing failed in it",
}
NOT_NOW = {
    Action.PAUSE: "Rests already",
    Action.RESUME: "Goes on by itself",
    Action.RETRY: "Has not ended",
}
AWAITED = {
    "approval": "an approval",
    "form": "a form",
    "event": "an event",
    "timer": "a time",
    "retry": "its next attempt",
    "turn": "the turn of a connection",
    "reconnect": "a connection to be mended",
}
# What is reserved for a call counts for all that pay for it: here once, for the outermost of them.
FOUND = """
WITH found AS MATERIALIZED (
  SELECT e.*, CASE WHEN NOT ({may}) THEN 'no_right'
      WHEN e.status <> ALL (cast(:allowed AS text[])) THEN 'status' {hindrances} END AS reason
    FROM execution e WHERE ({condition}) AND e.created_at <= cast(:as_of AS timestamptz)
   LIMIT :most)
SELECT reason, CASE WHEN reason = 'status' THEN status END AS status,
       CASE WHEN reason = 'status' AND status = 'waiting' THEN (SELECT min(w.kind) FROM wait w
         WHERE w.execution_id = f.id AND w.consumed_at IS NULL) END AS awaited,
       count(*) AS count, (array_agg(id ORDER BY id DESC))[1:{named}] AS examples,
       sum(cost_usd) AS usd, sum(unpriced_calls) AS unpriced,
       sum(reserved_usd) FILTER (WHERE parent_id IS NULL OR reserved_usd = 0 OR NOT EXISTS (
         SELECT 1 FROM payers(f.id) AS p(id) JOIN found o USING (id)
          WHERE p.id <> f.id AND o.reason IS NULL)) AS reserved,
       sum(greatest(budget_usd - spent_usd, 0)) AS left_usd,
       count(*) FILTER (WHERE budget_usd IS NULL) AS unlimited
  FROM found f
 GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3
"""
BECAME = text("""
SELECT status, reason, count(*) AS count,
       (array_agg(execution_id ORDER BY execution_id DESC))[1:3] AS examples
  FROM bulk_item WHERE bulk_id = :id GROUP BY status, reason
 ORDER BY count(*) DESC, status, reason
""")
BEYOND = text("""
SELECT EXISTS (SELECT 1 FROM bulk_item i JOIN execution e ON e.id = i.execution_id
  WHERE i.bulk_id = :id AND e.agent_id <> ALL (cast(:agents AS uuid[])))
""")
NAMES = text("SELECT id, agent_name FROM execution WHERE id = ANY(cast(:ids AS uuid[]))")


@dataclass(frozen=True)
class Group:
    """Executions that fare alike."""

    words: str  # why they are not acted on; empty: they are
    count: int
    examples: Sequence[Mapping[str, Any]]  # id and agent_name
    status: str = ""  # of an action under way or done: open, done, skipped, failed


@dataclass(frozen=True)
class Preview:
    """What an action would meet if it were asked for now."""

    action: Action
    as_of: datetime  # what is created later is not meant
    can: Group
    cannot: Sequence[Group]
    usd: Decimal  # what those cost that can be acted on
    unpriced: int
    reserved_usd: Decimal  # for their calls under way
    left_usd: Decimal  # of their budgets
    unlimited: int  # of them have no budget

    @property
    def matched(self) -> int:
        """How many match; more than `MOST`: not all are counted."""
        return self.can.count + sum(one.count for one in self.cannot)

    @property
    def is_too_many(self) -> bool:
        """Whether more match than can be asked for at once."""
        return self.matched > MOST

    def facts(self) -> dict[str, Any]:
        """Return what programs read of it."""
        return {
            "action": self.action,
            "as_of": self.as_of,
            "matched": self.matched,
            "can": self.can.count,
            "cannot": [_told(one) for one in self.cannot],
            "examples": [one["id"] for one in self.can.examples],
            "cost_usd": known(self.usd, self.unpriced),
            "unpriced_calls": self.unpriced,
            "reserved_usd": self.reserved_usd,
            "left_usd": self.left_usd,
            "without_budget": self.unlimited,
        }


@dataclass(frozen=True)
class Shown:
    """How far an action on many is."""

    row: Bulk
    asked_by: str
    groups: Sequence[Group]

    def count(self, status: str) -> int:
        """Return how many are open, done, skipped or failed."""
        return sum(one.count for one in self.groups if one.status == status)

    @property
    def reasons(self) -> list[Group]:
        """Why some were not acted on."""
        return [one for one in self.groups if one.words]

    @property
    def final(self) -> bool:
        """Whether nothing is left to do."""
        return self.row.finished_at is not None

    def facts(self) -> dict[str, Any]:
        """Return what programs read of it."""
        row = self.row
        kept = ("id", "action", "filters", "as_of", "previewed", "matched", "created_at")
        return {
            **{name: getattr(row, name) for name in kept},
            "finished_at": row.finished_at,
            "asked_by": self.asked_by,
            "final": self.final,
            **{name: self.count(name) for name in ("open", "done", "skipped", "failed")},
            "reasons": [_told(one) | {"status": one.status} for one in self.reasons],
        }


def preview(session: Session, action: Action, matching: Matching) -> Preview:
    """Return how many executions match now, and what an action could do with them."""
    condition, values = matching(session)
    as_of = session.scalars(select(NOW)).one()
    may, own = _may(session)
    bound = {**values, **own, "allowed": sorted(ALLOWED[action]), "as_of": as_of, "most": MOST + 1}
    cases = [f"WHEN {one} THEN '{reason}'" for reason, one in HINDRANCES[action].items()]
    parts = {"may": may, "hindrances": " ".join(cases), "condition": condition, "named": NAMED}
    rows = session.execute(text(FOUND.format(**parts)), bound).all()
    names = _names(session, rows)
    groups = [_group(one, _words(action, one), names) for one in rows if one.reason is not None]
    able = next((one for one in rows if one.reason is None), None)
    if able is None:
        none = Decimal(0)
        return Preview(action, as_of, Group("", 0, ()), groups, none, 0, none, none, 0)
    can = _group(able, "", names)
    left = able.left_usd or Decimal(0)
    spent = able.usd, able.unpriced, able.reserved
    return Preview(action, as_of, can, groups, *spent, left, able.unlimited)


def _may(session: Session) -> tuple[str, dict[str, Any]]:
    """Return which executions the session's user may act on, as a condition with its values."""
    if session.info["sees_all"]:
        return "true", {}
    me = session.info["user_id"]
    query = select(AgentGrant.agent_id).where(
        AgentGrant.user_id == me, AgentGrant.level == Level.RUN
    )
    own = {"me": me, "runnable": list(session.scalars(query))}
    return "e.owner_id = :me OR e.agent_id = ANY(cast(:runnable AS uuid[]))", own


def _words(action: Action, one: Any) -> str:
    """Return why executions cannot be acted on."""
    if one.reason != "status":
        return HINDERED[one.reason]
    state = one.status.replace("_", " ")
    if one.status == ExecutionStatus.WAITING:
        state = f"waits for {AWAITED.get(one.awaited, 'other work')}"
    if one.status == ExecutionStatus.CANCELLING:
        return f"Ends already: {state}"
    if one.status in FINAL:
        return f"{'Nothing failed' if action is Action.RETRY else 'Already ended'}: {state}"
    return f"{NOT_NOW[action]}: {state}"


def _group(one: Any, words: str, names: Mapping[UUID, str], status: str = "") -> Group:
    examples = [{"id": id_, "agent_name": names.get(id_, "")} for id_ in one.examples]
    return Group(words, one.count, examples, status)


def _names(session: Session, rows: Sequence[Any]) -> dict[UUID, str]:
    ids = [id_ for one in rows for id_ in one.examples]
    return {row.id: row.agent_name for row in session.execute(NAMES, {"ids": ids})}


def _told(one: Group) -> dict[str, Any]:
    return {
        "reason": one.words,
        "count": one.count,
        "examples": [example["id"] for example in one.examples],
    }


def shown(session: Session, bulk_id: UUID) -> Shown:
    """Return how far an action on many is.

    Raises:
        NotFoundError: there is none, or somebody else asked for it.
    """
    row = session.get(Bulk, bulk_id)
    if row is None:
        raise NotFoundError(UNKNOWN)
    found = session.execute(BECAME, {"id": bulk_id}).all()
    names = _names(session, found[:MOST_GROUPS])
    groups = [_group(one, one.reason, names, one.status) for one in found]
    asked_by = session.scalar(select(User.name).where(User.id == row.owner_id)) or ""
    return Shown(row, asked_by, groups)


def goes_beyond(session: Session, bulk_id: UUID, agents: Collection[UUID]) -> bool:
    """Return whether it concerns executions of other agents than these."""
    return bool(session.scalar(BEYOND, {"id": bulk_id, "agents": list(agents)}))


def listed(session: Session, wanted: Wanted) -> Listed:
    """Return one page of the actions on many that the session's user asked for, or all."""
    if session.info["sees_all"]:
        return fetch(session, SOURCE, [], {}, wanted)
    own = {"reader": session.info["user_id"]}
    return fetch(session, SOURCE, ["b.owner_id = :reader"], own, wanted)
