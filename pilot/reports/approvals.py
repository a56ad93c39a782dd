"""Approvals: the list of what waits or was decided, and one with everything to decide by."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine import display, graph
from pilot.engine.catalogue import load
from pilot.errors import NotFoundError
from pilot.models.approval import Approval
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

TABS = ("mine", "all", "decided")
SORTS = {
    "deadline": Sort("a.expires_at", "timestamptz"),
    "asked": Sort("a.requested_at", "timestamptz"),
}
STATUS = (
    "coalesce(a.decision, CASE WHEN a.expires_at <= pilot_now() THEN 'expired' ELSE 'pending' END)"
)
VOTED = "EXISTS (SELECT 1 FROM vote v WHERE v.approval_id = a.id AND v.user_id = :me)"
SOURCE = Source(
    columns=f"""a.id, a.title, a.path, {STATUS} AS status, a.requested_at, a.expires_at,
      a.decided_at, a.needed, f.agent_name, f.started_by, f.decided_by_name, a.execution_id,
      (SELECT count(*) FROM vote v WHERE v.approval_id = a.id AND v.decision = 'approved')
        AS approved""",  # noqa: S608 - constants of this module
    tables="approval a CROSS JOIN LATERAL approval_facts(a.id) f",
    id="a.id",
    sorts=SORTS,
)
VOTES = text("""
SELECT v.decision, v.comment, v.at, u.name AS person, v.user_id
  FROM vote v JOIN app_user u ON u.id = v.user_id WHERE v.approval_id = :id ORDER BY v.at
""")
FACTS = text("SELECT * FROM approval_facts(:id)")
NOTICES = text("""
SELECT kind, due_at, attempts, sent_at, dead_at, error FROM outbox
 WHERE kind = 'approval_requested' AND key = :id ORDER BY id
""")
PEOPLE = text("SELECT name FROM app_user WHERE id = ANY (:ids) ORDER BY name")
WAITING = text("""
SELECT count(*) FROM approval a
 WHERE a.decided_at IS NULL AND :me = ANY (a.approver_ids) AND a.expires_at > pilot_now()
   AND NOT EXISTS (SELECT 1 FROM vote v WHERE v.approval_id = a.id AND v.user_id = :me)
""")


@dataclass(frozen=True)
class Shown:
    """One approval with all that a decision needs."""

    row: Approval
    payload: dict[str, Any]  # title, message, context, steps: exactly what the hash covers
    status: str
    facts: dict[str, Any]  # agent_name, started_by, owner, version_number, execution_status
    votes: list[dict[str, Any]]
    people: list[str]  # who may decide
    follows: list[str]  # sentences of what runs after an approval
    notices: list[dict[str, Any]]  # how approvers were told
    may_decide: bool  # this person, now

    @property
    def approved(self) -> int:
        """How many approved so far."""
        return sum(vote["decision"] == "approved" for vote in self.votes)


def waiting(session: Session, user_id: UUID) -> int:
    """Return how many approvals wait for this person."""
    found: int = session.execute(WAITING, {"me": user_id}).scalar_one()
    return found


def listed(session: Session, tab: str, wanted: Wanted, user_id: UUID) -> Listed:
    """Return one page: `mine` waits for this person, `all` waits for anybody, `decided`."""
    conditions = {
        "mine": ["a.decided_at IS NULL", ":me = ANY (a.approver_ids)", f"NOT {VOTED}"],
        "all": ["a.decided_at IS NULL"],
        "decided": ["a.decided_at IS NOT NULL"],
    }[tab]
    return fetch(session, SOURCE, conditions, {"me": user_id}, wanted)


def shown(session: Session, approval_id: UUID, user_id: UUID) -> Shown:
    """Return one approval.

    Raises:
        NotFoundError: absent, or this person may not see it.
    """
    row = session.get(Approval, approval_id)
    facts = session.execute(FACTS, {"id": approval_id}).mappings().one_or_none()
    if row is None or facts is None:
        raise NotFoundError("There is no such approval, or it is not for you.")
    votes = [dict(vote) for vote in session.execute(VOTES, {"id": approval_id}).mappings()]
    late = bool(session.scalar(text("SELECT pilot_now() >= :x"), {"x": row.expires_at}))
    status = row.decision or ("expired" if late else "pending")
    voted = any(vote["user_id"] == user_id for vote in votes)
    named = user_id in row.approver_ids
    return Shown(
        row=row,
        payload=strictjson.loads(row.payload, max_bytes=16 * 1024 * 1024),
        status=status,
        facts=dict(facts),
        votes=votes,
        people=list(session.scalars(PEOPLE, {"ids": row.approver_ids})),
        follows=_follows(facts["document"], row.path),
        notices=[dict(one) for one in session.execute(NOTICES, {"id": str(row.id)}).mappings()],
        may_decide=status == "pending" and named and not voted,
    )


def _follows(document: Any, path: str) -> list[str]:
    """Return in words what waits for the approval, directly or through other steps."""
    steps = (document or {}).get("steps", [])
    needs = graph.dependencies(steps)
    asked = path.partition("/")[0]
    after = graph.descendants(needs, asked) if asked in needs else frozenset()
    return [line.text for line in display.lines(document, load()) if line.id in after]
