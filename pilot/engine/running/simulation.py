"""What a simulated execution has in the place of the world: outputs, answers and a clock.

It runs through the same runner. What a step with I/O is given is resolved and checked really; what
it gives is that of its newest real run, or made up from its schema. People, events and moments are
not waited for: once nothing else can run, the first of what is awaited comes, and the clock of the
execution stands at that moment. The rows are those of a real execution, apart from waits.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from pilot import db, older
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob
from pilot.engine.acting.history import Attempt, WaitRow
from pilot.engine.acting.outcomes import Awaited, Done, Simulated, StepContext, Wait, Work
from pilot.engine.acting.recorded import Replay
from pilot.engine.acting.rows import Ask
from pilot.engine.language.step_fields import MODEL_STEPS, StepFields
from pilot.engine.running import made_up, replaying
from pilot.engine.running.run import Run
from pilot.engine.status import StepStatus
from pilot.engine.workflow import document
from pilot.engine.workflow.outline import AFTER, ON_ERROR, ON_TIMEOUT
from pilot.errors import ErrorClass, PilotError, StepError
from pilot.plugins.tables.sampling import TableSample, sample

MODE = "simulate"
BY = "simulation"
OPENED = "opened_at"
MADE_UP = "Made up from the schema: nothing was called."
FROM_COLUMNS = "Made up from the columns of {table}: nothing was called."
RECORDED = "Recorded on {day} in execution {id}: nothing was called."
FORCED = "Taken because the simulation was told to."
_TOLD = text("SELECT simulation, replay_of, replay_model FROM execution WHERE id = :id")
# Of the agent's newest executions, the newest result of a step, with the workflow it was part of.
_RECORDED = text("""
SELECT e.id, s.output, encode(s.output_blob, 'hex') AS blob, s.finished_at,
       coalesce(e.document, v.document) AS document
  FROM (SELECT id, document, version_id FROM execution
         WHERE agent_id BETWEEN :agent AND :agent AND mode <> 'simulate' AND pruned_at IS NULL
         ORDER BY agent_id DESC, id DESC LIMIT 100) e
  JOIN step_execution s ON s.execution_id = e.id AND s.path = :path AND s.status = 'completed'
  LEFT JOIN workflow_version v ON v.id = e.version_id
 ORDER BY e.id DESC LIMIT 1
""")


async def begin(run: Run) -> None:
    """Make a run a simulated one; one that goes on has the clock where it stood."""
    read = partial(_told, run)
    run.simulated = await run.loop.run_in_executor(run.ports.pool, read)
    reached = [datetime.fromisoformat(one) for one in _resumed(run)]
    run.skip_to(max(reached, default=run.now()))
    run.renew()


def _told(run: Run) -> Simulated:
    with db.reading(run.held.owner_id) as session:
        row = session.execute(_TOLD, {"id": run.held.id}).one()
        past = row.replay_of
        replay = replaying.load(session, past, row.replay_model) if past is not None else None
    return Simulated(dict(row.simulation or {}), replay=replay)


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
    about = {"agent": context.execution["agent_id"], "path": path}
    with db.reading(context.owner_id) as session:
        row = session.execute(_RECORDED, about).one_or_none()
    if row is None or _definition(row.document, written.id) != written.model_dump():
        return None
    output = row.output
    if row.blob is not None:
        output = blobs.load(context.owner_id, Blob(row.blob, output))
    return Done(output, [RECORDED.format(day=row.finished_at.date(), id=row.id)])


def _sample(action: str, context: StepContext, given: Any) -> TableSample | None:
    """Return the sample of the tab that is to be read: what follows names its columns."""
    if action != "tables.read_range":
        return None
    table, tab = given["table"], given.get("tab")
    known = sample(context.resources.folder(context.owner_id))
    found = [one for one in known if one.table == table and tab in {None, one.tab}]
    return found[0] if len(found) == 1 else None


def _definition(source: Any, step_id: str) -> dict[str, Any] | None:
    try:
        steps = document.walk(document.parse(older.ours(source)).steps)
    except PilotError:  # of an older engine
        return None
    return next((one.model_dump() for one in steps if one.id == step_id), None)


def wait_for(run: Run, step: StepFields, path: str, wait: Wait) -> dict[str, Any]:
    """Take note of what a step waits for; returns what its row keeps."""
    assert run.simulated is not None
    opened = _opened(run, path)
    answer, at = _answer(run, step, path, wait), opened
    if run.simulated.ways.get(step.id) == ON_TIMEOUT:
        answer, at = {"decision": "expired", "then": "branch", "fired": True}, _end(opened, wait)
    elif wait.kind == "timer":
        at = wait.wake_at or _end(opened, wait)
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


def _answer(run: Run, step: StepFields, path: str, wait: Wait) -> dict[str, Any]:
    """Return what people or events say: yes, and what their schemas ask for."""
    now = run.now().astimezone(UTC).isoformat()
    if wait.kind == "approval":
        return {"decision": "approved", "by": BY}
    if wait.kind == "form":
        schema = getattr(step, "fields", {})
        values = made_up.value(schema, path)
        return {"decision": "submitted", "values": values, "submitted_by": BY, "at": now}
    if wait.kind == "event":
        schema = getattr(step, "json_schema", None) or {"type": "object"}
        payload = made_up.value(schema, path)
        return {"event": wait.event, "payload": payload, "received_at": now}
    return {"fired": True}


def _awaits_child(run: Run) -> bool:
    for path, found in run.results.items():
        step = run.plan.step(path.rpartition("/")[2])
        if found.status is StepStatus.WAITING and step and step.type == "sub_workflow":
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
    if not told.awaited or _awaits_child(run):
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
