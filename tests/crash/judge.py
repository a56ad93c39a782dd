"""Judges a trial: rows, timeline, audit chain and the receiver's own account must agree."""

import fcntl
from collections import Counter
from itertools import pairwise
from pathlib import Path

from pilot import audit, db, strictjson
from pilot.engine.status import TRANSITIONS
from tests.crash import workflows

TIMED = {"delay", "human_approval"}  # their outputs hold moments
LOST = """
SELECT count(*) FROM (SELECT owner_id, output_blob, execution_id AS id FROM step_execution
                      UNION ALL SELECT owner_id, output_blob, id FROM execution) s
 WHERE s.id = %s AND s.output_blob IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM blob b WHERE (b.owner_id, b.sha256) = (s.owner_id, s.output_blob))
"""
ASKED_FIRST = """
SELECT count(*) FROM step_execution
 WHERE execution_id = %s AND status = 'superseded' AND type = 'action' AND effect IS NULL"""
RECOVERED = {"worker_died", "crashed", "restored"}
ENDS = ("COMPLETED", "FAILED", "CANCELLED")


class Controls(dict):
    """What executions give undisturbed, by workflow: found by the slot that needs it first."""

    def __init__(self, slot):
        super().__init__()
        self._slot = slot

    def __missing__(self, name):
        own = Path(self._slot.place.folder)
        # A simulation gives what real executions of its own slot recorded.
        folder = own if name.startswith(workflows.SIMULATED) else own.parent
        with (folder / f"control {name}").open("a+") as shared:
            fcntl.flock(shared, fcntl.LOCK_EX)
            shared.seek(0)
            told = shared.read()
            if not told:
                self._find(name)
                shared.write(strictjson.dumps(self[name]))
        if told:
            self[name] = strictjson.loads(told)
        return self[name]

    def _find(self, name):
        slot = self._slot
        run = slot.start([name])
        slot.until(lambda: slot.attend(run))
        ((execution, known),) = run.ids.items()
        self[name] = {
            "output": output(slot, execution, known),
            "steps": outputs(slot, execution, known),
            "effects": sorted({(one["mode"], one["step"]) for one in slot.seen(known)}),
            "events": run.events,
        }
        wrong = faults(slot, run, self, {})
        if self[name]["output"][0] != workflows.ENDS.get(name, "completed"):
            wrong.append(f"{name} does not complete undisturbed: {self[name]['output']}")
        assert wrong == [], wrong


def output(slot, execution, known):
    row = slot.ask("SELECT status, output FROM execution WHERE id = %s", execution)[0]
    return [row[0], _plain(row[1], known)]


def outputs(slot, execution, known):
    rows = slot.ask(
        "SELECT path, output FROM step_execution WHERE execution_id = %s "
        "AND status = 'completed' AND NOT type = ANY (%s)",
        execution,
        list(TIMED),
    )
    return {path: _plain(value, known) for path, value in rows}


def _plain(value, known):
    if isinstance(value, dict):
        value.pop("first_row", None)  # where others left the table
        value.pop("blob", None)  # the hash of a large output that names its execution
        value.pop("execution_id", None)  # of an execution within
        value.pop("received_at", None)  # of an event
    return strictjson.canonical(value).replace(known, "ID")


def finished(slot, run):
    """Return what must never change again: the finished attempts."""
    rows = slot.ask(
        "SELECT execution_id, path, attempt, output::text, finished_at FROM step_execution "
        "WHERE execution_id = ANY (%s) AND status = 'completed'",
        list(run.names),
    )
    return {row[:3]: row[3:] for row in rows}


def everything(slot, run):
    """Return all that a worker could write about the executions of a trial."""
    mine = list(run.names)
    return [
        slot.ask(
            "SELECT id, status, fence, event_seq, worker_id FROM execution "
            "WHERE id = ANY (%s) ORDER BY id",
            mine,
        ),
        slot.ask(
            "SELECT execution_id, path, attempt, s::text FROM step_execution s "
            "WHERE execution_id = ANY (%s) ORDER BY 1, 2, 3",
            mine,
        ),
        slot.ask("SELECT id, w::text FROM wait w WHERE execution_id = ANY (%s) ORDER BY 1", mine),
        slot.ask("SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM audit)"),
    ]


def faults(slot, run, controls, before):
    """Return everything that is wrong with the executions of a trial."""
    found = list(run.faults)
    after = finished(slot, run)
    for key, value in before.items():
        void = run.names[key[0]] == "voided" and key[1] == "ask"
        if after.get(key) != value and not void:
            found.append(f"the finished step {key[1:]} changed: {value} to {after.get(key)}")
    with db.reading(None, sees_all=True) as session:
        broken = audit.verify(session, map(str, run.names))[1]
    found += [f"audit: {one}" for one in broken]
    for execution, name in run.names.items():
        here = [
            *_result(slot, run, execution, controls[name]),
            *_effects(slot, run, execution, controls[name]),
            *_attempts(slot, execution),
            *_timeline(slot, execution),
            *_trail(slot, execution),
        ]
        found += [f"{name} {run.ids[execution]} {execution}: {one}" for one in here]
    return found


def _result(slot, run, execution, expected):
    known = run.ids[execution]
    is_cut = run.answers.get(execution) == "skip" or run.cancelled
    if is_cut:
        wanted = "cancelled" if run.cancelled else "completed"
        status = output(slot, execution, known)[0]
        if status != wanted:
            yield f"status {status} instead of {wanted}"
        return
    got = output(slot, execution, known)
    if got != expected["output"]:
        error = slot.ask("SELECT error FROM execution WHERE id = %s", execution)
        yield f"ended as {got} instead of {expected['output']} {error}"
    if slot.ask(LOST, execution) != [(0,)]:
        yield "a large output is not stored"
    steps = outputs(slot, execution, known)
    for path, value in expected["steps"].items():
        if steps.get(path) != value:
            yield f"step {path} gave {steps.get(path)} instead of {value}"


def _effects(slot, run, execution, expected):
    seen = slot.seen(run.ids[execution])
    keys, applied, asked = {}, Counter(), Counter()
    for one in seen:
        effect = (one["mode"], one["step"])
        keys.setdefault(effect, set()).add(one["key"])
        applied[effect] += one["applied"]
        asked[effect] += 1
    for effect, count in applied.items():
        if count > 1 or (effect[0] == "once" and asked[effect] > 1):
            yield f"{effect} was applied {count} times"
        if len(keys[effect]) > 1:
            yield f"{effect} had {len(keys[effect])} keys"
    is_whole = not run.cancelled and run.answers.get(execution) != "skip"
    if is_whole and sorted(+applied) != list(map(tuple, expected["effects"])):
        yield f"effects {sorted(applied)} instead of {expected['effects']}"
    rows = slot.table_rows(run.ids[execution])
    if rows > 1 or (is_whole and rows != (run.names[execution] == "chain")):
        yield f"the table has {rows} rows of it"


def _attempts(slot, execution):
    last, ended = {}, {}
    for path, attempt, status in slot.ask(
        "SELECT path, attempt, status FROM step_execution WHERE execution_id = %s "
        "ORDER BY path, attempt",
        execution,
    ):
        if attempt != last.get(path, 0) + 1:
            yield f"{path} has no attempt {last.get(path, 0) + 1}"
        if path in ended:
            yield f"{path} ran again after it was completed"
        if status in {"running", "waiting"}:
            yield f"{path} is still {status}"
        last[path] = attempt
        if status == "completed":
            ended[path] = attempt


def _timeline(slot, execution):
    status, head = slot.ask("SELECT status, event_seq FROM execution WHERE id = %s", execution)[0]
    rows = slot.ask(
        "SELECT seq, kind, data ->> 'status', data ->> 'reason' FROM event "
        "WHERE execution_id = %s ORDER BY seq",
        execution,
    )
    if [seq for seq, *_ in rows] != list(range(1, head + 1)):
        yield f"the timeline has gaps: {[row[0] for row in rows]} of {head}"
    told = [(state, why) for _, kind, state, why in rows if kind == "execution" and state]
    for (before, _), (after, why) in pairwise(told):
        if after not in TRANSITIONS[before] and why != "restored":
            yield f"the timeline goes from {before} to {after}"
    states = [state for state, _ in told]
    if states[-1] != status:
        yield f"the timeline ends with {states[-1]}, the row says {status}"


def _trail(slot, execution):
    """Every change of state has exactly one audit record."""
    said = Counter(dict(_counted(slot, "audit", "event", "chain = %s::text", execution)))
    tried = Counter(
        dict(_counted(slot, "step_execution", "status", "execution_id = %s", execution))
    )
    told = Counter(
        slot.ask(
            "SELECT data ->> 'status', coalesce(data ->> 'reason', data ->> 'answer') FROM event "
            "WHERE execution_id = %s",
            execution,
        )
    )
    resolved = sum(n for (_, why), n in told.items() if why in {"happened", "skip"})
    done = tried["completed"] + tried["skipped"] - resolved + said["APPROVAL_VOIDED"]
    done += tried["replaced"] - said["PILOT_STEP_COMPENSATED"]
    pairs = {
        "PILOT_STEP_EXECUTED": done,
        "PILOT_EXECUTION_STARTED": 1,
        "PILOT_EXECUTION_RECOVERED": sum(n for (_, why), n in told.items() if why in RECOVERED),
        "PILOT_OUTCOME_RESOLVED": said["PILOT_OUTCOME_UNKNOWN"] - tried["unknown"],
    }
    for event, count in pairs.items():
        if said[event] != count:
            yield f"audit has {said[event]} {event} instead of {count}"
    failed = tried["failed"] + tried["superseded"] - said["APPROVAL_VOIDED"]
    failed -= slot.ask(ASKED_FIRST, execution)[0][0]
    if said["PILOT_STEP_FAILED"] + said["PILOT_STEP_RETRIED"] != failed:
        yield f"audit and attempts disagree on failures: {said} {tried}"
    ends = sum(said[f"PILOT_EXECUTION_{end}"] for end in ENDS)
    if ends != 1 + said["PILOT_EXECUTION_RETRIED"]:
        yield f"audit has not one end: {said}"


def _counted(slot, table, column, where, execution):
    query = f"SELECT {column}, count(*) FROM {table} WHERE {where} GROUP BY 1"  # noqa: S608
    return slot.ask(query, execution)
