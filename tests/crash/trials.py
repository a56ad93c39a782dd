"""The kinds of trial: each gives the faults it found and facts about what happened."""

import os
import random
import signal
import time

from pilot.engine import executions
from tests.crash import judge

PRESS_AFTER_S = 0.08


def kill(slot, asked):
    """A worker that dies at a crash point, or at a random moment; the survivor goes on."""
    slot.gate(closed=True)
    run = slot.start(asked["workflows"])
    run.answer = asked.get("answer", "truth")
    point = asked.get("point")
    worker = slot.fork(f"{point}:{asked['hit']}:kill9" if point else "")
    code = _dies(slot, run, worker, asked)
    before = judge.finished(slot, run)
    slot.gate(closed=False)
    slot.until(lambda: slot.attend(run))
    found = judge.faults(slot, run, slot.controls, before)
    if code != -signal.SIGKILL:
        found.append(f"the worker was not killed at {point}: {code}")
    return found


def _dies(slot, run, worker, asked):
    """Do what people do while the worker lives; returns how it ended."""
    end = time.monotonic() + asked.get("patience_s", 8)
    kill_at = time.monotonic() + asked["after_s"] if "after_s" in asked else None
    press_at = None
    while (code := slot.ended(worker)) is None and time.monotonic() < end:
        states = slot.statuses(run)
        if press_at is None and any(state == "running" for state, _ in states.values()):
            press_at = time.monotonic() + PRESS_AFTER_S
        if asked.get("press") and press_at and time.monotonic() > press_at:
            _press(slot, run, worker, asked.pop("press"))
        if kill_at and time.monotonic() > kill_at:
            os.kill(worker, signal.SIGKILL)
        if not asked.get("absent"):
            slot.attend(run)
        time.sleep(0.005)
    if code is None:
        slot.end(worker)
    return code


def _press(slot, run, worker, what):
    if what == "drain":
        os.kill(worker, signal.SIGTERM)
        return
    run.cancelled = what == "cancel"
    for execution in run.names:
        getattr(executions, what)(execution, by=slot.by, user_id=slot.owner)


def chance(slot, asked):
    """A kill at a random moment."""
    rng = random.Random(asked["seed"])
    return kill(slot, asked | {"after_s": rng.uniform(0.05, 0.45)})


KINDS = {"kill": kill, "chance": chance}
