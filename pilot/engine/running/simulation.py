"""What a simulated execution has in the place of the world: outputs, answers and a clock.

It runs through the same runner. What a step with I/O is given is resolved and checked really; what
it gives is that of its newest real run, or made up from its schema, and so is what people and
events say. They and moments are not waited for: once nothing else can run, the first of what is
awaited comes, and the clock of the execution stands at that moment. The rows are those of a real
execution, apart from waits. Executions within it are simulated ones: each begins at the moment at
which its parent stands, and is over for that at the moment at which it ended.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from pilot import db
from pilot.engine.acting.history import Attempt, WaitRow
from pilot.engine.acting.outcomes import Awaited, Done, Simulated, StepContext, Wait, Work
from pilot.engine.acting.recorded import Replay
from pilot.engine.acting.rows import Ask
from pilot.engine.language.step_fields import MODEL_STEPS, StepFields
from pilot.engine.running import answers, made_up, newest_runs, replaying
from pilot.engine.running.run import Run
from pilot.engine.status import StepStatus
from pilot.engine.workflow.outline import AFTER, ON_ERROR, ON_TIMEOUT
from pilot.engine.workflow.ways import REJECTED
from pilot.errors import ErrorClass, StepError
from pilot.plugins.tables.sampling import TableSample, sample

MODE = "simulate"
OPENED = "opened_at"
CLOCK = "@clock"  # beside the ways of an execution within another one: the moment it begins at
MADE_UP = "Made up from the schema: nothing was called."
FROM_COLUMNS = "Made up from the columns of {table}: nothing was called."
RECORDED = "Recorded on {day} in execution {id}: nothing was called."
FORCED = "Taken because the simulation was told to."
_TOLD = text("SELECT simulation, replay_of, replay_model FROM execution WHERE id = :id")
# Where executions within one ended on their clocks, by the path of the step that started them.
_ENDED = text("""
SELECT c.parent_path AS path, v.data ->> 'clock' AS clock FROM execution c
  JOIN LATERAL (SELECT data FROM event WHERE execution_id = c.id AND kind = 'execution'
                 ORDER BY seq DESC LIMIT 1) v ON v.data ->> 'clock' IS NOT NULL
 WHERE c.parent_id = :id AND c.finished_at IS NOT NULL ORDER BY c.id
""")


async def begin(run: Run) -> None:
    """Make a run a simulated one; one that goes on has the clock where it stood."""
    read = partial(_told, run)
    told, ended = await run.loop.run_in_executor(run.ports.pool, read)
    run.simulated = told
    reached = [*_resumed(run), *_taken_up(run, told, ended)]
    reached += [told.ways.pop(CLOCK)] if CLOCK in told.ways else []
    run.skip_to(max(map(datetime.fromisoformat, reached), default=run.now()))
    run.renew()


def _told(run: Run) -> tuple[Simulated, dict[str, str]]:
    """Return what it was told, and when executions within it ended, by path."""
    with db.reading(run.held.owner_id) as session:
        row = session.execute(_TOLD, {"id": run.held.id}).one()
        ended = {one.path: one.clock for one in session.execute(_ENDED, {"id": run.held.id})}
        past = row.replay_of
        replay = replaying.load(session, past, row.replay_model) if past is not None else None
    return Simulated(dict(row.simulation or {}), replay=replay), ended


def _taken_up(run: Run, told: Simulated, ended: dict[str, str]) -> list[str]:
    """Return when executions within it ended that it took up; the next is awaited for its moment.

    While another one is under way nothing else can be awaited: then it is taken up at once.
    """
    waits = run.history.waits
    under_way = any(one.kind == "child" and not one.resolved for one in waits.values())
    found = []
    for path, clock in ended.items():
        step, wait = run.plan.step(path.rpartition("/")[2]), waits.get(path)
        if wait is None and getattr(step, "wait", False):
            found.append(clock)
        elif wait is not None and wait.resolved and not under_way:
            waits[path] = replace(wait, resolved=False)
            at = datetime.fromisoformat(clock)
            told.awaited[path] = Awaited(at, wait.resolution)
    return found


def _resumed(run: Run) -> list[str]:
    """Return the moments at which its delays ended."""
    found = []
    for path, attempts in run.history.attempts.items():
        step = run.plan.step(path.rpartition("/")[2])
        if step is not None and step.type == "delay":
            found += [one.output["resumed_at"] for one in attempts if one.output]
    return found


def check(run: Run, step: StepFields) -> None:
    """Fail a step whose error branch is to be taken.

    Raises:
        StepError: it is (class internal, which no policy repeats).
    """
    if run.simulated is not None and run.simulated.ways.get(step.id) == ON_ERROR:
        raise StepError(ErrorClass.INTERNAL, "The simulation was told that this step fails.")


def steered(run: Run, step: StepFields, decided: dict[str, Any]) -> dict[str, Any]:
    """Return what a conditional or a switch decides: as its data say, unless it was told."""
    way = run.simulated.ways.get(step.id) if run.simulated is not None else None
    if way is None or way in AFTER or "branch" not in decided:
        return decided
    if step.type == "conditional":
        return decided | {"result": way == "then", "branch": way}
    matched = way != "default"
    default = way if getattr(step, "default", None) else None
    return decided | {"matched": matched, "branch": way if matched else default}


@dataclass
class Faked:
    """What an attempt with I/O does in a simulation: everything but its effect."""

    work: Work
    written: StepFields  # the step in the document
    replay: Replay | None = None
    TIMEOUT_S: float = field(init=False)

    def __post_init__(self) -> None:
        """Let it take as long as ever: a replay may ask a model."""
        self.TIMEOUT_S = self.work.TIMEOUT_S

    def resolve(self, step: Any, context: StepContext) -> Any:
        """Return what would be sent."""
        return self.work.resolve(step, context)

    def effect(self, step: Any, context: StepContext, given: Any) -> str:
        """Return that nothing happens outside, once it is known that the call is right."""
        self.work.effect(step, context, given)
        return "pure"

    def gives(self, step: Any, context: StepContext) -> dict[str, Any]:
        """Return the schema of what it gives."""
        return self.work.gives(step, context)

    def perform(
        self,
        step: Any,
        context: StepContext,
        attempt: Attempt,
        timeout_s: float,
        again: bool,  # noqa: FBT001
    ) -> Any:
        """Return what its newest real run gave, or what its schema lets it give.

        A replay takes what the past execution recorded, or asks another model.

        Raises:
            StepError: it failed there, or the model gave no answer that can be used.
        """
        if self.replay is not None:
            if self.replay.model is not None and step.type in MODEL_STEPS:
                return self.work.perform(step, context, attempt, timeout_s, again)
            known = replaying.outcome(self.replay, attempt.path, step, context.owner_id)
        else:
            known = _recorded(context, attempt.path, self.written)
        if known is not None and self._is_about(known):
            return known
        tab = _sample(getattr(step, "action_name", ""), context, attempt.input)
        if tab is not None:
            return Done(made_up.table(tab), [FROM_COLUMNS.format(table=tab.table)])
        schema = self.work.gives(step, context)
        return Done(made_up.value(schema, attempt.path), [MADE_UP])

    def _is_about(self, known: Done) -> bool:
        """Whether a recorded output can be that of this attempt: a call of a batch has its rows."""
        return not isinstance(self.work, Ask) or self.work.covers(known.output)


def _recorded(context: StepContext, path: str, written: StepFields) -> Done | None:
    known = newest_runs.given(context.owner_id, context.execution["agent_id"], path, written)
    if known is None:
        return None
    return Done(known.output, [RECORDED.format(day=known.day, id=known.execution_id)])


def _sample(action: str, context: StepContext, given: Any) -> TableSample | None:
    """Return the sample of the tab that is to be read: what follows names its columns."""
    if action != "tables.read_range":
        return None
    table, tab = given["table"], given.get("tab")
    known = sample(context.resources.folder(context.owner_id))
    found = [one for one in known if one.table == table and tab in {None, one.tab}]
    return found[0] if len(found) == 1 else None


async def wait_for(run: Run, step: StepFields, path: str, wait: Wait) -> dict[str, Any]:
    """Take note of what a step waits for; returns what its row keeps."""
    assert run.simulated is not None
    opened = _opened(run, path)
    at = opened
    way = run.simulated.ways.get(step.id)
    if way == ON_TIMEOUT:
        late = getattr(step, ON_TIMEOUT, None)
        then = late if isinstance(late, str) else "branch"
        answer, at = {"decision": "expired", "then": then, "fired": True}, _end(opened, wait)
    elif way == REJECTED:
        answer = {"decision": "rejected", "by": answers.BY}
    elif wait.kind == "timer":
        answer, at = {"fired": True}, wait.wake_at or _end(opened, wait)
    else:
        said = partial(answers.of, run, step, path, wait)
        answer = await run.loop.run_in_executor(run.ports.pool, said)
    run.simulated.awaited[path] = Awaited(at, answer)
    run.history.waits[path] = WaitRow(path, wait.kind, opened, resolved=False, resolution=None)
    return {OPENED: opened.isoformat()}


def _opened(run: Run, path: str) -> datetime:
    """Return since when it waits: one that was interrupted goes on waiting."""
    latest = run.history.latest(path)
    waiting = latest is not None and latest.status is StepStatus.WAITING
    kept = (latest.input or {}).get(OPENED) if latest is not None and waiting else None
    return datetime.fromisoformat(kept) if kept else run.now()


def _end(opened: datetime, wait: Wait) -> datetime:
    asked = wait.approval or {}
    return opened + timedelta(seconds=wait.delay_s or asked.get("timeout_s") or 0)


def _awaits_child(run: Run, told: Simulated) -> bool:
    """Whether an execution within it is under way."""
    for path, found in run.results.items():
        step = run.plan.step(path.rpartition("/")[2])
        is_child = step is not None and step.type == "sub_workflow"
        if found.status is StepStatus.WAITING and is_child and path not in told.awaited:
            return True
    return False


def goes_on(run: Run) -> bool:
    """Let the first of what is awaited come, as nothing else can run; False: there is nothing.

    What children give is awaited really: they are simulated executions of their own.
    """
    told = run.simulated
    if told is None or run.stop or run.ended is not None:
        return False
    waits = run.history.waits
    for path in [*told.awaited]:
        if path not in waits or waits[path].resolved:
            del told.awaited[path]
    if not told.awaited or _awaits_child(run, told):
        return False
    path = min(told.awaited, key=lambda one: told.awaited[one].at)
    came = told.awaited.pop(path)
    if came.at > datetime.fromisoformat(run.held.facts["deadline_at"]):
        run.ask_to_stop("late")
        return False
    run.skip_to(came.at)
    before = waits[path]
    waits[path] = WaitRow(path, before.kind, before.opened_at, True, came.resolution)
    run.renew()
    return True
