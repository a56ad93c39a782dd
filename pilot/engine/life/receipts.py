"""What a resume or a retry would do: which outputs are reused, what runs, what is sent again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.life import executions, forks, kept, moving, reruns
from pilot.engine.life.reruns import Effect
from pilot.engine.status import REPEATABLE, RESUMABLE, RETRYABLE, ExecutionStatus, StepStatus
from pilot.engine.workflow import document as documents
from pilot.engine.workflow.following import around, containers, following
from pilot.engine.workflow.outline import outline
from pilot.errors import ConflictError
from pilot.models.execution import Execution
from pilot.models.worker import LIVE_WORKER

KINDS = {"resume": RESUMABLE, "retry": RETRYABLE}
DONE = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED})
# With its waits, of which `duration_ms` knows nothing; a simulated one is over sooner than it says.
MEDIANS = text("""
SELECT s.path, percentile_cont(0.5) WITHIN GROUP (ORDER BY greatest(s.duration_ms,
         extract(epoch FROM s.finished_at - s.started_at) * 1000))::int8 AS median_ms
  FROM step_execution s JOIN execution e ON e.id = s.execution_id
 WHERE e.agent_id = :agent AND s.status = 'completed' AND s.duration_ms IS NOT NULL
 GROUP BY s.path
""")


@dataclass(frozen=True)
class Line:
    """One step of a receipt."""

    path: str
    status: str
    effect: str | None
    key: UUID | None
    ms: int | None  # reused: what it took; to run: the median of its history, None: unknown
    usd: Decimal = Decimal(0)  # reused: what its run cost, executions within it included
    unpriced: int = 0  # calls of it whose price is unknown


@dataclass(frozen=True)
class Receipt:
    """What would happen, as of one event sequence: posted back, it must still be the present."""

    kind: str
    seq: int
    reused: list[Line]
    runs: list[Line]
    asks: list[Line]  # unknown outcomes that need an answer first
    live_worker: bool
    version: int | None
    step: str | None = None  # where a retry starts; None: at what failed
    effects: list[Effect] = field(default_factory=list)  # happen once more, under new keys
    stale: list[str] = field(default_factory=list)  # done already with what comes out anew
    names: Mapping[str, str] = field(default_factory=dict)  # of the steps, by their ids

    def name_of(self, path: str) -> str:
        """Return what the step at a path is called."""
        last = path.rpartition("/")[2].partition("[")[0]
        return self.names.get(last, path)

    @property
    def kept_ms(self) -> int:
        """The time that reuse saves; what stands inside a step is part of its time."""
        inside = {one for line in self.reused for one in containers(line.path)}
        return sum(line.ms or 0 for line in self.reused if line.path not in inside)

    @property
    def kept_usd(self) -> Decimal:
        """The money that reuse saves."""
        return sum((line.usd for line in self.reused), Decimal(0))

    @property
    def kept_unpriced(self) -> int:
        """How many calls it saves whose price is unknown."""
        return sum(line.unpriced for line in self.reused)

    @property
    def again(self) -> list[Line]:
        """Effects that are sent once more, under the same key."""
        new = {one.path for one in self.effects}
        acting = (line for line in self.runs if line.key is not None and line.effect != "pure")
        return [line for line in acting if line.path not in new and line.status != "replaced"]

    def facts(self) -> dict[str, Any]:
        """Return what programs read of it."""
        names = {"reused": "reused", "runs": "runs", "asks": "asks", "repeats": "effects"}
        paths = {name: [one.path for one in getattr(self, key)] for name, key in names.items()}
        paths["stale"] = self.stale
        kept = ("kept_ms", "kept_usd", "kept_unpriced")
        return {"sequence": self.seq} | paths | {name: getattr(self, name) for name in kept}


def receipt(session: Session, execution_id: UUID, kind: str, step: str | None = None) -> Receipt:
    """Return the receipt of `resume` or `retry`, of all that failed or from a step on.

    Raises:
        NotFoundError: no such execution, or no such step in it.
        ConflictError: it cannot be resumed or retried now.
    """
    row = executions.find(session, execution_id)
    if row.status not in (REPEATABLE if step else KINDS[kind]):
        status = row.status.replace("_", " ")
        raise ConflictError(f"It is {status}: there is nothing to {kind}.")
    newest = kept.steps(session, execution_id)
    medians = {one.path: one.median_ms for one in session.execute(MEDIANS, {"agent": row.agent_id})}
    document = executions.document_of(session, row)
    again = reruns.Again([], [], [])
    if step:
        again = reruns.with_step(session, row.id, document, step)
    anew = {*again.replaced, *again.reopened}
    stale: list[str] = []
    if kind == "retry" and not step:
        gathering = reruns.tolerant({path: one.status for path, one in newest.items()})
        anew |= gathering
        stale = _stale(document, newest, gathering)
    done = (path for path, one in newest.items() if one.status in DONE and path not in anew)
    reused = [_reused(newest[path]) for path in _as_written(document, done)]
    asks = [_line(one, None) for one in newest.values() if one.status == StepStatus.UNKNOWN]
    stays = {line.path for line in (*reused, *asks)} | _tolerated(row, newest.values(), anew, step)
    runs = [
        _line(newest[path], medians.get(path))
        if path in newest
        else Line(path, "pending", None, None, medians.get(path))
        for path in _order(document, newest)
        if path not in stays
    ]
    return Receipt(
        kind,
        row.event_seq,
        reused,
        runs,
        asks,
        bool(session.scalar(LIVE_WORKER)),
        row.version_number,
        step,
        again.effects,
        stale,
        _names(document),
    )


def of_fork(session: Session, found: forks.Plan) -> Receipt:
    """Return the receipt of a fork before it is made, as of the old one's event sequence."""
    source = found.source
    return _of_reuse(session, source, "fork", found.document, found.reuse.held)


def of_move(session: Session, found: moving.Plan) -> Receipt:
    """Return the receipt of a move to another version, as of the execution's event sequence."""
    made = _of_reuse(session, found.row, "migrate", found.document, found.reuse.held)
    places = {node.id: place for place, node in enumerate(outline(found.document))}
    parts = [path.rpartition("/") for path in found.again.replaced if "/" in path]
    inner = [
        Line(f"{around}/{name}", "pending", None, None, None)
        for around, _, name in sorted(parts, key=lambda one: (one[0], places.get(one[2], 0)))
        if name in places
    ]
    number, effects = found.version.number, found.again.effects
    return replace(made, runs=[*made.runs, *inner], version=number, effects=effects)


def _of_reuse(
    session: Session, row: Execution, kind: str, document: Any, held: Collection[str]
) -> Receipt:
    """Return what would run of a document, and what holds of the results of an execution."""
    newest = kept.steps(session, row.id)
    medians = {one.path: one.median_ms for one in session.execute(MEDIANS, {"agent": row.agent_id})}
    reused = [_reused(newest[path]) for path in _as_written(document, held)]
    runs = [
        Line(path, "pending", None, None, medians.get(path))
        for path in _order(document, {})
        if path not in held
    ]
    again = reruns.effects(session, row.id, newest.keys() - held)
    live = bool(session.scalar(LIVE_WORKER))
    number = row.version_number
    names = _names(document)
    return Receipt(kind, row.event_seq, reused, runs, [], live, number, effects=again, names=names)


def _line(one: Any, ms: int | None) -> Line:
    return Line(one.path, one.status, one.effect, one.key, ms)


def _reused(one: Any) -> Line:
    return Line(one.path, one.status, one.effect, one.key, one.ms, one.usd, one.unpriced)


def _tolerated(row: Execution, newest: Iterable[Any], anew: set[str], step: str | None) -> set[str]:
    """Return the failures that a retry from a step leaves as they are."""
    if not step or row.status == ExecutionStatus.FAILED:
        return set()
    failed = (one.path for one in newest if one.status == StepStatus.FAILED)
    return {path for path in failed if path not in anew}


def _stale(document: Any, newest: Mapping[str, Any], gathering: Iterable[str]) -> list[str]:
    """Return the finished steps that depend on containers which gather anew, the outermost."""
    found: set[str] = set()
    for one in gathering:
        with suppress(ConflictError):  # it is part of what another one does again
            found |= {
                path for path in following(document, newest, one).again if one not in around(path)
            }
    done = {path for path in found if newest[path].status == StepStatus.COMPLETED}
    return [
        one for one in _order(document, newest) if one in done and done.isdisjoint(containers(one))
    ]


def _order(document: Any, newest: Mapping[str, Any]) -> Sequence[str]:
    """Return the paths that may still run: the steps at the top, then what failed inside them."""
    top = [step.id for step in documents.parse(document).steps] if document else []
    inner = [path for path in newest if path not in top]
    return [*top, *inner]


def _as_written(document: Any, paths: Iterable[str]) -> list[str]:
    """Return paths in the order of the document; those within a step by their text."""
    places = {node.id: place for place, node in enumerate(outline(document))}

    def place(path: str) -> tuple[int, str]:
        top = path.partition("/")[0].partition("[")[0]
        return places.get(top, len(places)), path

    return sorted(paths, key=place)


def _names(document: Any) -> dict[str, str]:
    """Return what the steps are called, by their ids."""
    return {node.id: node.name for node in outline(document) if node.name != node.id}
