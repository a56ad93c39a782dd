"""Approvals: the list of what waits or was decided, and one with everything to decide by."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from pilot import older, strictjson
from pilot.engine import digests
from pilot.engine.approvals import delegating
from pilot.engine.approvals.approvals import DECIDERS
from pilot.engine.editor import differences, display
from pilot.engine.language import wording
from pilot.engine.language.catalogue import load
from pilot.engine.notices.outbox import NO_CHANNEL
from pilot.engine.workflow import graph
from pilot.engine.workflow.outline import ON_ERROR, ON_TIMEOUT, outline, recorded_path
from pilot.errors import NotFoundError
from pilot.models.approval import Approval
from pilot.models.user import User
from pilot.reports import questions
from pilot.reports.execution_steps import ROUND
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch
from pilot.reports.questions import Question

TABS = ("mine", "all", "decided")
SORTS = {
    "deadline": Sort("a.expires_at", "timestamptz"),
    "asked": Sort("a.requested_at", "timestamptz"),
}
STATUS = (
    "coalesce(a.decision, CASE WHEN a.expires_at <= pilot_now() THEN 'expired' ELSE 'pending' END)"
)
VOTED = (
    "EXISTS (SELECT 1 FROM vote v"
    " WHERE v.approval_id = a.id AND v.round = a.round AND v.user_id = :me)"
)
# The facts are asked for the rows of one page only, never for all that are counted.
SOURCE = Source(
    columns=f"""a.id, a.kind, a.title, a.path, {STATUS} AS status, a.requested_at, a.expires_at,
      a.decided_at, a.needed, cardinality(a.approver_ids) AS people, a.execution_id,
      (SELECT f.agent_name FROM approval_facts(a.id) f) AS agent_name,
      (SELECT f.started_by FROM approval_facts(a.id) f) AS started_by,
      (SELECT u.name FROM app_user u WHERE u.id = a.decided_by) AS decided_by_name,
      (SELECT count(*) FROM vote v WHERE v.approval_id = a.id AND v.round = a.round
        AND v.decision = 'approved') AS approved""",  # noqa: S608 - constants of this module
    tables="approval a",
    id="a.id",
    sorts=SORTS,
)
VOTES = text("""
SELECT v.decision, v.comment, v.at, v.round, u.name AS person, v.user_id
  FROM vote v JOIN app_user u ON u.id = v.user_id WHERE v.approval_id = :id ORDER BY v.at
""")
FACTS = text("SELECT * FROM approval_facts(:id)")
NOTICES = text("""
SELECT o.id, coalesce(u.name, initcap(o.payload -> 'channel' ->> 'kind')) AS person, u.email,
       o.dead_at, o.kind = 'approval_reminder' AS reminds, o.attempts, o.sent_at,
       o.error,
       CASE WHEN o.sent_at IS NULL AND o.dead_at IS NULL AND o.dropped_at IS NULL
            THEN o.due_at END AS next_at,
       CASE WHEN o.sent_at IS NOT NULL THEN 'delivered' WHEN o.dead_at IS NOT NULL THEN 'dead'
            WHEN o.dropped_at IS NOT NULL THEN 'dropped'
            WHEN o.attempts = 0 OR coalesce(o.error, :no_channel) = :no_channel THEN 'queued'
            ELSE 'failed' END AS status
  FROM outbox o LEFT JOIN app_user u ON u.id = (o.payload ->> 'user_id')::uuid
 WHERE o.kind IN ('approval_requested', 'approval_reminder', 'approval_channel')
   AND o.about = :id AND (o.sent_at IS NOT NULL OR o.payload ->> 'round' IS NULL
     OR (o.payload ->> 'round')::int = (SELECT a.round FROM approval a WHERE a.id = o.about))
 ORDER BY u.name, u.id, o.created_at
""")
HANDED_ON = text("""
SELECT f.name AS from, t.name AS to, (d.value ->> 'round')::int AS round
  FROM approval a, json_array_elements(a.delegations) WITH ORDINALITY AS d(value, place)
  JOIN app_user f ON f.id = (d.value ->> 'from')::uuid
  JOIN app_user t ON t.id = (d.value ->> 'to')::uuid
 WHERE a.id = :id ORDER BY d.place
""")
BEFORE = text("""
SELECT a.id, a.decided_at, a.payload_hash, u.name AS person,
       CASE WHEN a.terms -> 'excerpt' IS NULL THEN a.payload END AS payload
  FROM approval a LEFT JOIN app_user u ON u.id = a.decided_by WHERE a.id = approved_before(:id)
""")
PEOPLE = text("SELECT name, roles FROM app_user WHERE id = ANY (:ids) ORDER BY name, id")
OTHERS = text(f"""
SELECT a.id, {STATUS} AS status, a.requested_at, a.decided_at, a.payload_hash, u.name AS person
  FROM approval a LEFT JOIN app_user u ON u.id = a.decided_by
 WHERE a.execution_id = :execution AND a.path = :path AND a.id <> :id ORDER BY a.requested_at
""")  # noqa: S608 - constants of this module
WAITING = text("""
SELECT count(*) FROM approval a
 WHERE a.decided_at IS NULL AND :me = ANY (a.approver_ids) AND a.expires_at > pilot_now()
   AND NOT EXISTS (SELECT 1 FROM vote v
     WHERE v.approval_id = a.id AND v.round = a.round AND v.user_id = :me)
""")


FAILS = {  # by the step's failure policy
    "fail": "Nothing of the above happens. The step fails, and with it the execution; finished "
    "steps stay as they are.",
    "continue": "Nothing of the above happens. The execution goes on with what it did not guard.",
    "branch": "Nothing of the above happens. These steps run instead:",
}


@dataclass(frozen=True)
class Act:
    """One step that would happen."""

    title: str
    action: str
    params: dict[str, Any] | None  # in the order of the action; None: not all is known yet
    open: str
    cut: list[str]  # parameters of which this is only a digest


@dataclass(frozen=True)
class Before:
    """What was approved last of the same step of the same agent."""

    id: UUID
    at: datetime
    person: str | None  # None: it was approved by itself
    changes: list[tuple[str, str]] | None  # since then, as lines; None: too large to tell


@dataclass(frozen=True)
class Shown:
    """One approval with all that a decision needs."""

    row: Approval
    # Title, message, context, steps: exactly what the hash covers, or of a large one its excerpt.
    payload: dict[str, Any]
    acts: list[Act]  # the same steps, for a person
    status: str
    facts: dict[str, Any]  # agent_name, started_by, owner, version_number, execution_status
    votes: list[dict[str, Any]]
    people: list[str]  # who may decide
    follows: list[str]  # sentences of what runs after an approval
    refused: str  # what a rejection does
    instead: list[str]  # sentences of what runs after a rejection
    late: list[str]  # sentences of what runs when nobody answered in time
    notices: list[dict[str, Any]]  # how each approver was told
    earlier: list[dict[str, Any]]  # the same step, asked before with something else
    later: list[dict[str, Any]]  # ... and asked again since
    may_decide: bool  # this person, now
    delegations: list[dict[str, Any]]  # names: from, to
    may_delegate: bool  # this person, now
    before: Before | None
    unmet: Question | None  # too few of those who are asked may still answer

    @property
    def cost_usd(self) -> Decimal | None:
        """What the execution had cost when it asked; None: of before that was told."""
        found = self.payload.get("cost_usd")
        return None if found is None else Decimal(found)

    @property
    def size_bytes(self) -> int | None:
        """How large the whole payload is, where only an excerpt of it is shown."""
        return None if self.row.excerpt is None else int(self.row.excerpt["size_bytes"])

    @property
    def approved(self) -> int:
        """How many approved so far."""
        return sum(
            vote["decision"] == "approved" and vote["round"] == self.row.round
            for vote in self.votes
        )

    @property
    def levels(self) -> list[dict[str, Any]]:
        """Who is asked next, one level after the other: `people` in words and `timeout_s`."""
        left = (self.row.terms or {}).get("escalation", [])[self.row.level :]
        return [one | {"people": wording.people(one["approvers"])} for one in left]


def waiting(session: Session, user_id: UUID) -> int:
    """Return how many approvals wait for this person."""
    found: int = session.execute(WAITING, {"me": user_id}).scalar_one()
    return found


def listed(session: Session, tab: str, wanted: Wanted, user_id: UUID, q: str = "") -> Listed:
    """Return one page: `mine` waits for this person, `all` waits for anybody, `decided`.

    `q` is part of the title or of what would happen.
    """
    conditions = {
        "mine": ["a.decided_at IS NULL", ":me = ANY (a.approver_ids)", f"NOT {VOTED}"],
        "all": ["a.decided_at IS NULL"],
        "decided": ["a.decided_at IS NOT NULL"],
    }[tab]
    values: dict[str, Any] = {"me": user_id}
    if q:
        conditions.append("strpos(lower(a.title || ' ' || a.payload), lower(:q)) > 0")
        values["q"] = q
    return fetch(session, SOURCE, conditions, values, wanted)


def shown(session: Session, approval_id: UUID, user_id: UUID) -> Shown:
    """Return one approval.

    Raises:
        NotFoundError: absent, or this person may not see it.
    """
    row = session.get(Approval, approval_id)
    facts = session.execute(FACTS, {"id": approval_id}).mappings().one_or_none()
    if row is None or facts is None:
        raise NotFoundError("There is no such approval, or it is not for you.")
    votes = _dicts(session, VOTES, id=approval_id)
    late = bool(session.scalar(text("SELECT pilot_now() >= :x"), {"x": row.expires_at}))
    status = row.decision or ("expired" if late else "pending")
    now = [vote for vote in votes if vote["round"] == row.round]
    voted = any(vote["user_id"] == user_id for vote in now)
    people = _dicts(session, PEOPLE, ids=row.approver_ids)
    person = session.get(User, user_id)
    decides = person is not None and bool(DECIDERS & set(person.roles))
    others = _dicts(session, OTHERS, execution=row.execution_id, path=row.path, id=row.id)
    payload = row.excerpt or strictjson.loads(row.payload, max_bytes=digests.MAX_BYTES)
    asked = {step["step"] for step in payload["steps"]}
    follows = _follows(older.ours(facts["document"]) or {}, row.path, asked)
    may_decide = status == "pending" and user_id in row.approver_ids and not voted and decides
    return Shown(
        row=row,
        payload=payload,
        acts=[_act(step) for step in payload["steps"]],
        status=status,
        facts=dict(facts),
        votes=votes,
        people=[one["name"] for one in people],
        follows=follows.approved,
        refused=follows.refused,
        instead=follows.instead,
        late=follows.late,
        notices=_dicts(session, NOTICES, id=row.id, no_channel=NO_CHANNEL),
        earlier=[one for one in others if one["requested_at"] <= row.requested_at],
        later=[one for one in others if one["requested_at"] > row.requested_at],
        may_decide=may_decide,
        delegations=_dicts(session, HANDED_ON, id=row.id),
        may_delegate=may_decide and delegating.may_delegate(row, user_id),
        before=_before(session, row),
        unmet=questions.unmet(session, row.id) if status == "pending" else None,
    )


def _before(session: Session, row: Approval) -> Before | None:
    """Return what was approved last, as far as this person may see that."""
    found = session.execute(BEFORE, {"id": row.id}).one_or_none()
    if found is None:
        return None
    changes: list[tuple[str, str]] | None = [] if found.payload_hash == row.payload_hash else None
    if found.payload is not None and row.excerpt is None:
        changes = differences.text_lines(_steps(found.payload), _steps(row.payload))
    return Before(found.id, found.decided_at, found.person, changes)


def _steps(payload: str) -> str:
    """Return what would happen, as lines."""
    steps = strictjson.loads(payload, max_bytes=digests.MAX_BYTES)["steps"]
    found = [{"action": step["action"], "params": step["params"]} for step in steps]
    return json.dumps(found, indent=2, ensure_ascii=False)


def _dicts(session: Session, query: TextClause, **values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in session.execute(query, values).mappings()]


@dataclass(frozen=True)
class _Follows:
    """What runs after each decision, in words."""

    approved: list[str]
    refused: str
    instead: list[str]
    late: list[str]


def _act(step: dict[str, Any]) -> Act:
    """Return a step with its parameters in the order of its action: the bytes sort them."""
    action, params = load().actions.get(step["action"]), step["params"]
    if action is not None and params is not None:
        known = [name for name in action.params_schema.get("properties", {}) if name in params]
        params = {name: params[name] for name in [*known, *(params.keys() - known)]}
    title = action.title if action is not None else step["action"]
    return Act(title, step["action"], params, step.get("open", ""), step.get("cut", []))


def _follows(document: dict[str, Any], path: str, asked: set[str]) -> _Follows:
    """Return what waits for the approval, directly or through other steps, and what fails.

    `asked` are the steps that are shown in full: these are only named.
    """
    nodes = {recorded_path(node): node for node in outline(document)}
    node = nodes.get(ROUND.sub("", path))
    if node is None:
        return _Follows([], FAILS["fail"], [], [])
    needs = graph.dependencies([sibling.step for sibling in node.siblings])
    after = graph.descendants(needs, node.id) if node.id in needs else frozenset()
    lines = display.lines(document, load())
    policy = node.step.get("on_error") or document.get("defaults", {}).get("on_error") or "fail"
    return _Follows(
        approved=[
            f"{line.name}: as shown above." if line.id in asked else line.text
            for line in lines
            if line.id in after or line.id in asked
        ],
        refused=FAILS[policy if isinstance(policy, str) else next(iter(policy))],
        instead=_within(lines, f"{node.path}/{ON_ERROR}/"),
        late=_within(lines, f"{node.path}/{ON_TIMEOUT}/"),
    )


def _within(lines: list[display.Line], path: str) -> list[str]:
    """Return the sentences of the steps below a place of the document."""
    return [line.text for line in lines if line.path.startswith(path)]
