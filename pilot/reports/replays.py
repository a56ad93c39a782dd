"""What a replay shows: whether all is as it was in the past execution, and if not, what differs.

Compared are which steps ran and how they ended, what they decided and gave, what actions and models
were given, and the end: status, output, error. Of another model also how its answers differ, and
what they cost.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine.language.pointers import pointer
from pilot.engine.language.step_fields import MODEL_STEPS
from pilot.engine.life import executions
from pilot.engine.status import FINAL
from pilot.errors import NotFoundError
from pilot.models.execution import Execution
from pilot.reports import calls
from pilot.reports.calls import Calls

NAMED = 5  # changes of one value
SHOWN = 60  # characters of a value
GIVEN = frozenset({"action", *MODEL_STEPS})  # types whose input is what would be sent
CHOOSING = frozenset({"conditional", "switch"})
ABSENT = object()
STEPS = text("""
SELECT DISTINCT ON (path) path, type, status, input, output, encode(output_blob, 'hex') AS blob,
       error ->> 'message' AS message, notes::text LIKE '["Made up%' AS made_up, started_at
  FROM step_execution
 WHERE execution_id = :id AND status NOT IN ('superseded', 'replaced', 'interrupted')
 ORDER BY path, attempt DESC
""")
FOLLOWING = text("""
SELECT id, replay_of FROM execution WHERE parent_id = :id AND replay_of IS NOT NULL
""")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was; of the execution as a whole, the path is empty."""

    path: str
    what: str  # ran, status, way, given, output or error
    words: str


@dataclass(frozen=True)
class Answer:
    """What another model answered, beside what was recorded."""

    path: str
    valid: bool  # it fits the schema
    equal: int  # values in it that are as they were
    values: int  # in it and in the recorded one together
    differing: tuple[str, ...]  # where the others stand
    message: str  # of a failure
    before: Calls
    now: Calls


@dataclass(frozen=True)
class Replay:
    """A replay beside what it replays."""

    id: UUID
    execution_id: UUID
    agent_id: UUID
    agent_name: str
    version: int | None
    model: str | None
    status: str
    steps: int
    differences: tuple[Difference, ...]
    answers: tuple[Answer, ...]
    before: Calls
    now: Calls

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def equal(self) -> bool:
        """Whether all is as it was, as far as it has come."""
        same = all(one.valid and one.equal == one.values for one in self.answers)
        return self.final and same and not self.differences


def shown(session: Session, replay_id: UUID) -> Replay:
    """Return a replay as it stands.

    Raises:
        NotFoundError: there is none, it is not yours, or what it replays is gone.
    """
    row = executions.find(session, replay_id)
    if row.replay_of is None:
        raise NotFoundError("There is no such replay, or what it replays is gone.")
    past = executions.find(session, row.replay_of)
    before, now = _steps(session, past.id), _steps(session, row.id)
    ids = {str(row.id): str(past.id)}
    ids |= {str(one.id): str(one.replay_of) for one in session.execute(FOLLOWING, {"id": row.id})}
    found = _Comparison(before, now, ids, row.replay_model is not None)
    paid = calls.of_execution(session, past), calls.of_execution(session, row)
    return Replay(
        id=row.id,
        execution_id=past.id,
        agent_id=row.agent_id,
        agent_name=row.agent_name,
        version=row.version_number,
        model=row.replay_model,
        status=row.status,
        steps=len(now),
        differences=found.all(past, row) if row.status in FINAL else (),
        answers=tuple(found.answers(*paid)) if row.status in FINAL else (),
        before=paid[0],
        now=paid[1],
    )


def _steps(session: Session, execution_id: UUID) -> dict[str, Any]:
    rows = session.execute(STEPS, {"id": execution_id}).all()
    return {row.path: row for row in sorted(rows, key=lambda row: (row.started_at, row.path))}


@dataclass(frozen=True)
class _Comparison:
    before: dict[str, Any]
    now: dict[str, Any]
    ids: dict[str, str]  # of the replay and what it started, by those of the past
    asks: bool  # another model

    def all(self, past: Execution, row: Execution) -> tuple[Difference, ...]:
        """Return what differs: first step by step, then at the end."""
        steps = tuple(self.steps())
        return (*steps, *self.ends(past, row, told=bool(steps)))

    def steps(self) -> Iterator[Difference]:
        """Yield what differs step by step, in their order."""
        gone, new = self.before.keys() - self.now.keys(), self.now.keys() - self.before.keys()
        for path in {**self.before, **self.now}:
            if path in gone | new:
                if not self.asks or not self._model_around(path):
                    yield from _ran(path, gone if path in gone else new, was=path in gone)
                continue
            yield from self._step(path, self.before[path], self.now[path])

    def _step(self, path: str, was: Any, is_: Any) -> Iterator[Difference]:
        if self.asks and self._asked(path):
            return
        if was.status != is_.status:
            why = f": {is_.message}" if is_.message else ""
            yield Difference(path, "status", f"was {was.status}, now {is_.status}{why}")
            return
        if is_.made_up and was.type == is_.type:
            yield Difference(path, "output", "nothing is recorded of this call: it was made up")
        elif was.type in CHOOSING and _branch(was) != _branch(is_):
            yield Difference(path, "way", f"took {_branch(was)}, now {_branch(is_)}")
        elif was.blob is None or was.blob != is_.blob:
            yield from self._changed(path, "output", "gave", was.output, is_.output)
        if was.type in GIVEN:
            yield from self._changed(path, "given", "was given", was.input, is_.input)
        if was.message != self.as_past(is_.message):
            yield Difference(path, "error", f"failed with {was.message}, now {is_.message}")

    def ends(self, past: Execution, row: Execution, *, told: bool) -> Iterator[Difference]:
        """Yield what differs at the end; `told`: the steps say already why its output does."""
        if past.status != row.status:
            yield Difference("", "status", f"was {past.status}, now {row.status}")
        if not self.asks and (past.output_blob is None or past.output_blob != row.output_blob):
            found = list(self._changed("", "output", "gave", past.output, row.output))
            if told and found:
                found = [Difference("", "output", "its output differs, as those of the steps do")]
            yield from found
        was, is_ = ((one.error or {}).get("message") for one in (past, row))
        if was != self.as_past(is_):
            yield Difference("", "error", f"failed with {was}, now {is_}")

    def answers(self, before: Calls, now: Calls) -> Iterator[Answer]:
        """Yield how the answers of another model compare."""
        for path, is_ in self.now.items():
            if not (self.asks and self._asked(path)) or self._model_around(path):
                continue
            was = self.before.get(path)
            old = _values(was.output) if was is not None else {}
            new = _values(self.as_past(is_.output))
            differing = [one for one in {**old, **new} if not _same(old, new, one)]
            values = len({**old, **new})
            yield Answer(
                path=path,
                valid=is_.status in {"completed", "skipped"},
                equal=values - len(differing),
                values=values,
                differing=tuple(one or "/" for one in differing),
                message=is_.message or "",
                before=_of(before, path),
                now=_of(now, path),
            )

    def as_past(self, value: Any) -> Any:
        """Return a value with the ids of the past in the place of the replay's."""
        written = strictjson.dumps(value)
        if not any(one in written for one in self.ids):
            return value
        for now, then in self.ids.items():
            written = written.replace(now, then)
        return strictjson.loads(written, max_bytes=len(written) * 4)

    def _changed(self, path: str, what: str, verb: str, was: Any, is_: Any) -> Iterator[Difference]:
        old, new = _values(was), _values(self.as_past(is_))
        differing = [one for one in {**old, **new} if not _same(old, new, one)]
        for one in differing[:NAMED]:
            words = f"{verb} {_words(old, one)}, now {_words(new, one)}"
            yield Difference(path, what, f"{one}: {words}" if one else words)
        if len(differing) > NAMED:
            more = f"{len(differing) - NAMED:,} more values of what it {verb} differ"
            yield Difference(path, what, more)

    def _asked(self, path: str) -> bool:
        """Whether a model answered, or what a model chose was done."""
        row = self.now.get(path) or self.before[path]
        return row.type in MODEL_STEPS or self._model_around(path)

    def _model_around(self, path: str) -> bool:
        while "/" in path:
            path = path.rpartition("/")[0]
            row = self.now.get(path) or self.before.get(path)
            if row is not None and row.type in MODEL_STEPS:
                return True
        return False


def _ran(path: str, alone: Iterable[str], *, was: bool) -> Iterator[Difference]:
    """Yield that a step ran on one side only, unless that is so of one around it."""
    if any(path.startswith((f"{one}/", f"{one}[")) for one in alone):
        return
    words = "ran, now it does not" if was else "did not run, now it does"
    yield Difference(path, "ran", words)


def _branch(row: Any) -> str:
    output = row.output if isinstance(row.output, dict) else {}
    return str(output.get("branch") or "no branch")


def _values(value: Any) -> dict[str, Any]:
    """Return every value in a JSON value by its place; empty lists and objects are values."""
    found: dict[str, Any] = {}
    open_: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while open_:
        place, one = open_.pop()
        if isinstance(one, dict) and one:
            open_ += [((*place, name), part) for name, part in reversed(one.items())]
        elif isinstance(one, list) and one:
            open_ += [((*place, n), part) for n, part in reversed([*enumerate(one)])]
        else:
            found[pointer(*place)] = one
    return found


def _same(old: dict[str, Any], new: dict[str, Any], place: str) -> bool:
    was, is_ = old.get(place, ABSENT), new.get(place, ABSENT)
    return type(was) is type(is_) and bool(was == is_)


def _words(values: dict[str, Any], place: str) -> str:
    if place not in values:
        return "nothing"
    written = strictjson.dumps(values[place])
    return written if len(written) <= SHOWN else f"{written[:SHOWN]}…"


def _of(paid: Calls, path: str) -> Calls:
    return Calls([one for one in paid.all if one.path == path or one.path.startswith(f"{path}/")])


def facts(one: Replay) -> dict[str, Any]:
    """Return it as JSON data."""
    names = ("id", "execution_id", "agent_id", "version", "model", "status", "final", "equal")
    return {name: getattr(one, name) for name in names} | {
        "steps": one.steps,
        "differences": [vars(found) for found in one.differences],
        "answers": [_answer(found) for found in one.answers],
        "before": _cost(one.before),
        "now": _cost(one.now),
    }


def _answer(one: Answer) -> dict[str, Any]:
    names = ("path", "valid", "equal", "values", "differing", "message")
    paid = {"before": _cost(one.before), "now": _cost(one.now)}
    return {name: getattr(one, name) for name in names} | paid


def _cost(paid: Calls) -> dict[str, Any]:
    return {
        "calls": len(paid.counted),
        "tokens": paid.tokens,
        "cost_usd": paid.known_cost,
        "unpriced_calls": paid.unpriced,
    }
