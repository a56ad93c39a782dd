"""What simulations show: which ways were taken and why others were not, where outputs come from."""

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db, older
from pilot.engine.acting.repeating import MAX_ITEMS
from pilot.engine.life import past_runs, worst_case
from pilot.engine.life.worst_case import Bounds
from pilot.engine.workflow import document, ways
from pilot.engine.workflow.document import Workflow
from pilot.engine.workflow.outline import AFTER, ON_ERROR, ON_TIMEOUT
from pilot.engine.workflow.ways import REJECTED, Way
from pilot.errors import NotFoundError

_NOT_HERE = {
    ON_ERROR: "The step did not fail here.",
    ON_TIMEOUT: "Nothing came late here.",
    REJECTED: "Nobody refused here.",
}
_ROUND = re.compile(r"\[\d+\]")
# With all executions within them, and where these stand in them.
_FAMILY = """
WITH RECURSIVE family AS (
  SELECT id, id AS root, '' AS around FROM execution WHERE simulation_id = :id
  UNION ALL
  SELECT c.id, f.root, f.around || c.parent_path || '/'
    FROM family f JOIN execution c ON c.parent_id = f.id)"""
EXECUTIONS = text(f"""{_FAMILY}
SELECT e.id, e.owner_id, e.agent_id, e.agent_name, e.version_number, e.status, e.status_reason,
       e.inputs, e.simulation AS ways, e.error, e.created_at, e.finished_at,
       coalesce(e.document, v.document) AS document, e.settings,
       EXISTS (SELECT 1 FROM family f JOIN execution c ON c.id = f.id
                WHERE f.root = e.id AND c.finished_at IS NULL) AS open
  FROM execution e LEFT JOIN workflow_version v ON v.id = e.version_id
 WHERE e.simulation_id = :id ORDER BY e.id
""")  # noqa: S608 -- of constants
STEPS = text(f"""{_FAMILY}
SELECT f.root AS execution_id, f.around || s.path AS path, s.type, s.status, s.notes,
       s.error ->> 'message' AS message,
       CASE WHEN s.type IN ('conditional', 'switch', 'loop', 'scatter_gather')
              OR s.type = 'ai_processing' AND s.input ->> 'total' IS NOT NULL
            THEN s.input END AS decided,
       CASE WHEN s.type NOT IN ('human_approval', 'form', 'wait_for_event') THEN NULL
            WHEN s.error ->> 'class' = 'rejected' THEN 'rejected'
            WHEN 'true' IN (s.output ->> 'timed_out', s.output ->> 'expired') THEN 'on_timeout'
            END AS came
  FROM step_execution s JOIN family f ON f.id = s.execution_id
 ORDER BY f.root, s.started_at, f.around, s.path
""")  # noqa: S608 -- of constants


@dataclass(frozen=True)
class Line:
    """One way: whether it was taken, by which execution, and if not, why."""

    step: str
    path: str
    name: str
    way: str
    taken: bool
    forced: bool  # only because a simulation was told to
    execution_id: UUID | None
    why: str


@dataclass(frozen=True)
class Source:
    """Where the output of a step comes from."""

    path: str
    words: str


@dataclass(frozen=True)
class Simulation:
    """Simulations that belong together."""

    id: UUID
    agent_id: UUID
    agent_name: str
    version: int | None
    executions: list[dict[str, Any]]
    coverage: list[Line]
    sources: list[Source]
    here: Bounds  # with as many items as were seen
    most: Bounds  # with as many as may be
    final: bool

    @property
    def taken(self) -> int:
        """How many ways were taken."""
        return sum(line.taken for line in self.coverage)


@dataclass
class _Seen:
    """What was recorded at a path, rounds put together."""

    entered: dict[str, UUID] = field(default_factory=dict)  # way: by which execution
    status: str = ""
    message: str = ""
    items: int | None = None
    decided: bool = False


def shown(session: Session, simulation_id: UUID) -> Simulation:
    """Return how simulations stand, with the coverage so far.

    Raises:
        NotFoundError: there are none, or they are not yours.
    """
    rows = session.execute(EXECUTIONS, {"id": simulation_id}).all()
    if not rows:
        raise NotFoundError("There is no such simulation, or it is not yours.")
    steps = session.execute(STEPS, {"id": simulation_id}).all()
    first = rows[0]
    workflow = document.parse(older.ours(first.document))
    seen = _seen(steps)
    told = {row.id: dict(row.ways or {}) for row in rows}
    final = not any(row.open for row in rows)
    failed = next((row.error for row in rows if row.error), None)
    lines = [
        _line(way, seen, told, _open(way, seen, failed) if final else "It is not finished yet.")
        for way in ways.all_of(workflow.steps)
    ]
    here, most = _worst(session, first, workflow, seen)
    return Simulation(
        id=simulation_id,
        agent_id=first.agent_id,
        agent_name=first.agent_name,
        version=first.version_number,
        executions=[_execution(row) for row in rows],
        coverage=lines,
        sources=_sources(steps),
        here=here,
        most=most,
        final=final,
    )


def _worst(
    session: Session, first: Any, workflow: Workflow, seen: dict[str, _Seen]
) -> tuple[Bounds, Bounds]:
    """Return what it takes at worst: with as many items as were seen, and with as many as may be.

    Agents within it are found as its owner finds them, whoever looks.
    """
    most_items = int(first.settings.get("pilot_max_items", MAX_ITEMS))
    items = {path: one.items for path, one in seen.items() if one.items is not None}
    viewer, sees_all = session.info["user_id"], session.info["sees_all"]
    db.act_as(session, first.owner_id)
    known = past_runs.known_of(session, first.agent_id)
    find = past_runs.Agents(session, first.created_at, known).find
    here = worst_case.of(workflow, known, items, most_items, find)
    most = worst_case.of(workflow, known, None, most_items, find)
    db.act_as(session, viewer, sees_all=sees_all)
    return here, most


def _execution(row: Any) -> dict[str, Any]:
    names = ("id", "status", "status_reason", "ways", "error", "created_at", "finished_at")
    return {name: getattr(row, name) for name in names}


def _seen(steps: Any) -> dict[str, _Seen]:
    found: dict[str, _Seen] = {}
    for row in steps:
        path = _ROUND.sub("", row.path)
        one = found.setdefault(path, _Seen())
        one.status, one.message = row.status, row.message or one.message
        decided = row.decided if isinstance(row.decided, dict) else {}
        if "matched" in decided or "result" in decided:
            one.decided = True
            one.entered.setdefault(decided["branch"] or "default", row.execution_id)
        if row.came is not None:
            one.entered.setdefault(row.came, row.execution_id)
        if decided.get("total") is not None:
            one.items = max(one.items or 0, decided["total"])
        for segment in AFTER:
            around, inside, _ = path.rpartition(f"/{segment}/")
            while inside:
                found.setdefault(around, _Seen()).entered.setdefault(segment, row.execution_id)
                around, inside, _ = around.rpartition(f"/{segment}/")
    return found


def _line(way: Way, seen: dict[str, _Seen], told: dict[UUID, dict[str, str]], why: str) -> Line:
    one = seen.get(way.path, _Seen())
    by = one.entered.get(way.name)
    return Line(
        step=way.key,
        path=way.path,
        name=way.step.name or way.step.id,
        way=way.name,
        taken=by is not None,
        forced=by is not None and told[by].get(way.key) == way.name,
        execution_id=by,
        why="" if by is not None else why,
    )


def _open(way: Way, seen: dict[str, _Seen], failed: dict[str, Any] | None) -> str:
    """Return why a way was not taken."""
    one = seen.get(way.path)
    if one is None:
        return _unreached(way, seen, failed)
    if one.status == "skipped":
        return "The step was skipped: its condition was false, or what it needs was skipped."
    if way.name in _NOT_HERE:
        return _NOT_HERE[way.name]
    if one.decided:
        took = ", ".join(one.entered)
        return f"With these inputs and outputs it took {took}: force it, or take each once."
    return f"The step failed before it could choose: {one.message}"


def _unreached(way: Way, seen: dict[str, _Seen], failed: dict[str, Any] | None) -> str:
    around = way.path.rpartition("/")[0]
    while around:
        one = seen.get(around)
        if one is not None and one.items == 0:
            return f"Never reached: {around} had no items."
        if one is not None and one.entered:
            return f"Never reached: {around} took {', '.join(one.entered)}."
        around = around.rpartition("/")[0]
    if failed is not None:
        where = failed.get("step") or "a step"
        return f"Never reached: {where} failed before. {failed.get('message')}"
    return "Never reached: what it stands in, or needs, did not run."


def _sources(steps: Any) -> list[Source]:
    """Return where outputs and answers come from, once for each step and source."""
    found: dict[str, Source] = {}
    for row in steps:
        for note in row.notes or []:
            if note.startswith(("Made up", "Recorded on")):
                path = _ROUND.sub("", row.path)
                found.setdefault(path, Source(path, note))
    return list(found.values())


def facts(one: Simulation) -> dict[str, Any]:
    """Return it as JSON data."""
    return {
        "id": one.id,
        "agent_id": one.agent_id,
        "version": one.version,
        "final": one.final,
        "ways_taken": one.taken,
        "ways": len(one.coverage),
        "executions": one.executions,
        "coverage": [vars(line) for line in one.coverage],
        "sources": [vars(source) for source in one.sources],
        "worst_case": {"items_as_here": _bounds(one.here), "items_at_most": _bounds(one.most)},
    }


def _bounds(one: Bounds) -> dict[str, Any]:
    return {
        "steps_least": one.least,
        "steps_most": one.most,
        "attempts_most": one.attempts,
        "model_calls_most": one.asks,
        "cost_most_usd": one.usd if not one.unpriced else None,
        "unpriced_calls": one.unpriced,
    }
