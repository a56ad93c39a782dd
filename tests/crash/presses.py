"""Trials of what people do: pressed by a process that dies meanwhile, or by fifty at once."""

import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

from pilot.engine.approvals import approvals
from pilot.engine.life import executions, forks, retrying, simulations, starts
from pilot.engine.providers.budgets import Limits
from pilot.engine.waits import events
from pilot.errors import PilotError
from tests.crash import judge
from tests.crash.slot import FINAL, MissedError, Running, answered
from tests.patience import PATIENT

PRESSES = 50
MORE_USD = Decimal(50)


def pressed(slot, asked):
    """Somebody presses, and the process dies at a crash point; then they press again."""
    run, operation = _prepared(slot, asked["operation"])
    key = f"key-{slot.count}"
    press = partial(operation, key=key, by=slot.by, user_id=slot.owner)
    child = slot.fork(f"{asked['point']}:1:kill9", work=press, limits=PATIENT)
    code = slot.wait(child)
    press()
    if asked["operation"] == "start":
        _note_starts(slot, run)
    slot.until(lambda: slot.attend(run))
    found = judge.faults(slot, run, slot.controls, {})
    found += _made(slot, run, asked["operation"], key)
    if code != -signal.SIGKILL:
        found.append(f"the process was not killed at {asked['point']}: {code}")
    return found


def crowd(slot, asked):
    """Fifty press at once, without keys (with one key for a start): one press counts."""
    run, operation = _prepared(slot, asked["operation"])
    key = f"key-{slot.count}" if asked["operation"] in STARTING else None
    press = partial(operation, key=key, by=slot.by, user_id=slot.owner)
    accepted = slot.wait(slot.fork(work=lambda: _accepted(press), limits=PATIENT))
    if asked["operation"] == "start":
        _note_starts(slot, run)
    slot.until(lambda: slot.attend(run))
    found = judge.faults(slot, run, slot.controls, {})
    found += _made(slot, run, asked["operation"], key)
    if accepted != (PRESSES if key else 1):
        found.append(f"{accepted} of {PRESSES} presses were accepted")
    return found


def _accepted(press):
    def once(_):
        try:
            press()
        except PilotError:
            return 0
        return 1

    with ThreadPoolExecutor(PRESSES) as pool:
        return sum(pool.map(once, range(PRESSES)))


def _prepared(slot, name):
    """Bring an execution to where the operation can be pressed; gives the operation."""
    slot.gate(closed=False)
    if name == "start":
        slot.count += 1
        asked = starts.Start(inputs={"id": f"{slot.number:02}-{slot.count:05}"})
        return Running({}, {}), partial(_start, slot.agents["chain"], asked)
    if name == "answer":
        return _unknown(slot)
    run = slot.start([ON.get(name, ("slow",))[0]])
    execution = next(iter(run.names))
    _reach(slot, run, ON.get(name, ("", "running"))[1])
    if name in OTHERS:
        return run, partial(OTHERS[name], slot, run, execution)
    if name == "decide":
        approval, seen = slot.ask(
            "SELECT id, payload_hash FROM approval WHERE execution_id = %s", execution
        )[0]
        return run, partial(approvals.decide, approval, "approved", seen_hash=seen)
    if name == "retry":
        return run, partial(retrying.failed, execution)
    run.cancelled = name == "cancel"
    if name == "resume":
        executions.pause(execution, by=slot.by, user_id=slot.owner)
        _reach(slot, run, "paused")
    return run, partial(getattr(executions, name), execution)


def _reach(slot, run, status):
    """Wait until an execution is where it can be pressed; it may have run past it."""
    slot.until(lambda: slot.statuses(run) and run.states <= FINAL | {status})
    if run.states != {status}:
        found = judge.faults(slot, run, slot.controls, {})
        assert not found, found
        raise MissedError(f"it was {run.states} before anybody saw it {status}")


def _repeat(_slot, _run, execution, *, key, by, user_id):
    retrying.from_step(execution, "last", key=key, by=by, user_id=user_id)


def _fork(_slot, _run, execution, *, key, by, user_id):
    forks.fork(execution, forks.Fork(key=key), by=by, user_id=user_id)


def _raise_budget(_slot, _run, execution, *, key, by, user_id):
    executions.raise_budget(execution, Limits(MORE_USD, None), key=key, by=by, user_id=user_id)


def _simulate(slot, _run, _execution, *, key, by, user_id):
    asked = simulations.Asked(inputs={"id": key}, key=key)
    simulations.begin(slot.agents["later"], asked, by=by, user_id=user_id)


def _send(_slot, run, execution, *, key, by, user_id):
    sent = events.Sent(f"go.{run.ids[execution]}", {"n": 1}, id=key)
    events.send(sent, by=by, user_id=user_id)


# Where an execution has to be before somebody presses: its workflow and its status.
ON = {
    "decide": ("asked", "waiting"),
    "retry": ("fails", "failed"),
    "repeat": ("once", "completed"),
    "fork": ("once", "completed"),
    "simulate": ("once", "completed"),
    "send": ("awaits", "waiting"),
}
OTHERS = {
    "raise": _raise_budget,
    "repeat": _repeat,
    "fork": _fork,
    "simulate": _simulate,
    "send": _send,
}
STARTING = {"start", "fork", "simulate"}  # the same key gives the same execution
MADE = {
    "fork": "SELECT count(*) FROM execution WHERE forked_from = %s",
    "raise": "SELECT count(*) FROM audit WHERE event = 'PILOT_BUDGET_RAISED' AND chain = %s::text",
    "simulate": "SELECT count(*) FROM execution WHERE mode = 'simulate' AND inputs ->> 'id' = %s",
}


def _made(slot, run, name, key):
    """Yield what is wrong with what a press made besides."""
    if name in MADE:
        about = key if name == "simulate" else next(iter(run.names))
        count = slot.ask(MADE[name], about)[0][0]
        if count != 1:
            yield f"{name} made {count} of what it makes"


def _start(agent, asked, *, key, by, user_id):
    starts.start(agent, starts.Start(inputs=asked.inputs, key=key), by=by, user_id=user_id)


def _note_starts(slot, run):
    known = f"{slot.number:02}-{slot.count:05}"
    rows = slot.ask("SELECT id FROM execution WHERE inputs ->> 'id' = %s", known)
    if len(rows) != 1:
        run.faults.append(f"one start made {len(rows)} executions")
    for (execution,) in rows:
        run.names[execution], run.ids[execution] = "chain", known


def _unknown(slot):
    """An execution whose `once` step was applied by a worker that died before it said so."""
    slot.gate(closed=True)
    run = slot.start(["once"])
    execution = next(iter(run.names))
    slot.wait(slot.fork("effect.after:1:kill9"))
    slot.gate(closed=False)
    _reach(slot, run, "needs_attention")
    run.answers[execution] = "happened"
    result = answered(run.ids[execution], "pay")
    return run, partial(executions.answer, execution, "pay", "happened", result=result)


KINDS = {"pressed": pressed, "crowd": crowd}
