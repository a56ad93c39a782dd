"""Open questions to people: who may still answer, and which of them nobody can settle any more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.approvals.approvals import DECIDERS

NAMED = 3  # people in one sentence
# What waits in vain comes first.
OPEN = text("""
SELECT a.path, a.kind, a.needed, a.expires_at, n.*
  FROM approval a CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE v.decision = 'approved')::int AS approved,
           array_agg(u.name ORDER BY u.name) FILTER (WHERE v.decision IS NULL AND may.answer)
             AS able,
           array_agg(coalesce(u.name, 'somebody who is gone') ORDER BY u.name)
             FILTER (WHERE v.decision IS NULL AND NOT may.answer) AS unable
      FROM unnest(a.approver_ids) AS asked(id) LEFT JOIN app_user u ON u.id = asked.id
      LEFT JOIN vote v ON v.approval_id = a.id AND v.round = a.round AND v.user_id = asked.id
     CROSS JOIN LATERAL (SELECT coalesce(u.active AND u.roles && :deciders, false)) AS may(answer)
  ) AS n
 WHERE a.decided_at IS NULL AND (a.id = :approval OR a.execution_id = :execution)
 ORDER BY n.approved + coalesce(cardinality(n.able), 0) >= a.needed, a.requested_at LIMIT 5
""")


@dataclass(frozen=True)
class Question:
    """An approval or a form that waits for people."""

    path: str
    kind: str
    needed: int
    approved: int
    able: list[str]  # who is asked, has not answered, and may
    unable: list[str]  # ... and may not any more
    expires_at: datetime

    @property
    def possible(self) -> int:
        """How many approvals are given or can still be."""
        return self.approved + len(self.able)

    @property
    def unmet(self) -> bool:
        """Whether it waits in vain: too few may still answer."""
        return self.possible < self.needed

    @property
    def awaited(self) -> str:
        """What its step waits for."""
        is_form = self.kind == "form"
        if self.unmet:
            return "a form that nobody can fill in" if is_form else "a decision that cannot come"
        who = _either(self.able)
        until = f"until {self.expires_at:%Y-%m-%d %H:%M} UTC"
        if is_form:
            return f"a form that {who} can fill in, {until}"
        given = f" ({self.approved} of {self.needed} approvals given)" if self.needed > 1 else ""
        return f"a decision by {who}{given}, {until}"

    @property
    def words(self) -> str:
        """Why it waits in vain, and what to do."""
        who = ", ".join(self.unable) or "nobody"
        why = f"{who} may not answer any more"
        if self.kind != "form":
            given = "none is" if not self.possible else f"only {self.possible} are"
            given = "only 1 is" if self.possible == 1 else given
            wanted = "1 approval is" if self.needed == 1 else f"{self.needed} approvals are"
            why = f"{wanted} needed, {given} possible, as {why}"
        return (
            f"{why[0].upper()}{why[1:]}. Let an administrator activate them or give them the role "
            "approver, or cancel the execution; else its time runs out on "
            f"{self.expires_at:%Y-%m-%d %H:%M} UTC."
        )


def of_execution(session: Session, execution_id: UUID) -> list[Question]:
    """Return the first open questions of an execution; before others those that wait in vain."""
    return _found(session, execution=execution_id, approval=None)


def unmet(session: Session, approval_id: UUID) -> Question | None:
    """Return a question if it waits in vain."""
    found = _found(session, execution=None, approval=approval_id)
    return next((one for one in found if one.unmet), None)


def _found(session: Session, **about: Any) -> list[Question]:
    rows = session.execute(OPEN, about | {"deciders": list(DECIDERS)}).mappings()
    return [
        Question(**dict(row) | {"able": row["able"] or [], "unable": row["unable"] or []})
        for row in rows
    ]


def _either(names: list[str]) -> str:
    """Return the first names, and how many there are besides."""
    others = len(names) - NAMED
    *first, last = [*names[:NAMED], f"{others} more"] if others > 0 else names
    return f"{', '.join(first)} or {last}" if first else last
