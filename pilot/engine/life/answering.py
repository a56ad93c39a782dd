"""Whether those whom a workflow asks can answer: told before anything runs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.approvals.approvals import DECIDERS
from pilot.engine.validation import approvals
from pilot.engine.workflow.outline import Node

ABLE = text("""
SELECT id, email, roles FROM app_user
 WHERE active AND roles && :deciders
   AND (email = ANY (:emails) OR roles && :roles OR id = :owner)
""")
NO_PERSON = (
    "{} is asked, but is nobody here who is active and may decide: invite them with the role "
    "approver, or name somebody else."
)
NO_ROLE = (
    "Anybody who is {} is asked, but nobody here who is active and may decide has this role: "
    "invite somebody with it, or name somebody else."
)
ONLY_THEMSELVES = (
    "With self_approval false, who starts it or wrote the workflow may not decide, and nobody else "
    "is asked: name somebody else."
)


@dataclass(frozen=True)
class Hindrance:
    """Who cannot answer; where no other can, the step would fail."""

    fails: bool
    step: str
    field: str  # JSON Pointer in the workflow
    problem: str


@dataclass(frozen=True)
class _Able:
    """Who may answer, of all that are named."""

    rows: list[Any]  # id, email, roles
    owner_id: UUID

    def of(self, one: str) -> set[UUID]:
        """Return whom a text like owner, user:ann@example.com, role:approver stands for."""
        kind, _, name = one.partition(":")
        if kind == "owner":
            return {row.id for row in self.rows if row.id == self.owner_id}
        if kind == "user":
            return {row.id for row in self.rows if row.email == name.strip().lower()}
        return {row.id for row in self.rows if name in row.roles}


def hindrances(
    session: Session, nodes: Iterable[Node], owner_id: UUID, themselves: set[UUID]
) -> Iterator[Hindrance]:
    """Yield who cannot answer; `themselves` are who starts it and who wrote the workflow."""
    asked = [(node, place, who) for node in nodes for place, who in approvals.asked(node) if who]
    if not asked:
        return
    able = _able(session, {one for *_, who in asked for one in who}, owner_id)
    for node, place, who in asked:
        first, path = not place.startswith("/escalation"), f"{node.path}{place}"
        gone = [one for one in who if _known(one) and one != "owner" and not able.of(one)]
        for one in gone:
            problem = _nobody(one)
            fails = first and len(gone) == len(who)
            yield Hindrance(fails, node.id, f"{path}/{who.index(one)}", problem)
        if len(gone) < len(who) and all(_known(one) for one in who):
            people = set().union(*(able.of(one) for one in who))
            problem = _too_few(node, people, themselves)
            if problem:
                yield Hindrance(first, node.id, path, problem)


def _able(session: Session, named: set[str], owner_id: UUID) -> _Able:
    split = [one.partition(":")[::2] for one in named if _known(one)]
    values = {
        "emails": [name.strip().lower() for kind, name in split if kind == "user"],
        "roles": [name for kind, name in split if kind == "role"],
        "deciders": list(DECIDERS),
        "owner": owner_id,
    }
    return _Able(list(session.execute(ABLE, values)), owner_id)


def _known(one: str) -> bool:
    return "{{" not in one  # who a template means is known only when it runs


def _nobody(one: str) -> str:
    kind, _, name = one.partition(":")
    return (NO_PERSON if kind == "user" else NO_ROLE).format(name.strip().lower())


def _too_few(node: Node, people: set[UUID], themselves: set[UUID]) -> str:
    """Return why too few of those who are asked may decide; empty: enough may."""
    left = people - themselves if node.step.get("self_approval") is False else people
    if people and not left:
        return ONLY_THEMSELVES
    k = node.step.get("k")
    if not isinstance(k, int) or k <= len(left):
        return ""
    may = "nobody" if not left else "only 1" if len(left) == 1 else f"only {len(left)}"
    return (
        f"{k} approvals are wanted, but {may} of those who are asked may decide: add approvers or "
        "lower k."
    )
