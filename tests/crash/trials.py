"""The kinds of trial: each gives the faults it found and facts about what happened."""

import multiprocessing
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psycopg

from pilot import cli, db, jobs
from pilot.config import embedded_redis_url
from pilot.engine.life import executions
from pilot.engine.worker import liveness
from pilot.services import processes, valkey
from pilot.worker import RESTART_ME
from tests.crash import judge
from tests.crash.slot import ENDS_WITHIN_S, LOOK_EVERY_S, MissedError, Running

PRESS_AFTER_S = 0.03
MAX_DEATHS = 12
LEASE_S = 15.0
AT_ONCE = (1,) * 19 + (8,)  # executions that are new when a worker is
LAG_S = 0.02  # of a kill, behind what the rows say
PATIENCE_S = 1.2  # some stand still, as their time has not come
LATEST_S = 10.0  # from the end of all executions to a crash point behind it
OVER = "alive when all was over"  # instead of the code of a worker that did not die


def kill(slot, asked):
    """A worker that dies at a crash point; the survivor goes on."""
    slot.gate(closed=True)
    run = slot.start(asked["workflows"])
    run.answer = asked.get("answer", "truth")
    worker = slot.fork(f"{asked['point']}:{asked['hit']}:kill9")
    if asked.get("alone"):  # or the survivor's chores could be first
        os.kill(slot.survivor, signal.SIGSTOP)
    code = _dies(slot, run, worker, asked)
    os.kill(slot.survivor, signal.SIGCONT)
    before = judge.finished(slot, run)
    slot.gate(closed=False)
    slot.until(lambda: slot.attend(run))
    drained = [0] if asked.get("press") == "drain" else []
    return staged(judge.faults(slot, run, slot.controls, before), [code], excused=drained)


def staged(found, codes, wanted=-signal.SIGKILL, excused=()):
    """Return what is wrong; a trial in which all is well, but not what it is about, told nothing.

    A worker that stood still for too long was declared dead, or others did its work meanwhile.
    """
    odd = {code for code in codes if code != wanted}
    if not found and odd and odd <= {RESTART_ME, OVER, *excused}:
        raise MissedError(f"workers ended with {codes}")
    return [*found, f"workers ended with {codes}"] if odd else found


def _dies(slot, run, worker, asked):
    """Do what people do while the worker lives; returns how it ended."""
    end, over = time.monotonic() + ENDS_WITHIN_S, False
    press_at, at = None, asked.get("press_at", "running")
    press = asked.get("press")
    while (code := slot.ended(worker)) is None and time.monotonic() < end:
        if asked.get("absent"):
            slot.statuses(run)
        elif not over and (over := slot.attend(run)):
            end = time.monotonic() + LATEST_S
        if press_at is None and at in run.states:
            press_at = time.monotonic() + PRESS_AFTER_S
        if press and press_at and time.monotonic() > press_at:
            _press(slot, run, worker, press)
            press = None
        time.sleep(LOOK_EVERY_S)
    if code is None:
        slot.end(worker)
    return OVER if over and code is None else code


def _press(slot, run, worker, what):
    if what == "drain":
        os.kill(worker, signal.SIGTERM)
        return
    run.cancelled = what == "cancel"
    for execution in run.names:
        getattr(executions, what)(execution, by=slot.by, user_id=slot.owner)


def chance(slot, asked):
    """Workers die one after the other, each at a random moment of executions new to it.

    What one leaves the next may take over, if it lives long enough, and dies with it again.
    """
    rng = random.Random(asked["seed"])
    lengths = {name: slot.controls[name]["events"] for name in asked["workflows"]}
    slot.gate(closed=True)
    run, before = Running({}, {}), {}
    for _ in range(asked["kills"]):
        workers = [slot.fork()]
        slot.until(partial(_amid, slot, run, lengths, rng, workers), every_s=LOOK_EVERY_S)
        time.sleep(rng.uniform(0, LAG_S))
        slot.end(workers[-1])
        before |= judge.finished(slot, run)
    slot.gate(closed=False)
    slot.until(lambda: slot.attend(run))
    return judge.faults(slot, run, slot.controls, before)


def _amid(slot, run, lengths, rng, workers):
    """Start executions and wait until they are so far by chance; whether the worker is at work."""
    more = slot.start(rng.choices(list(lengths), k=rng.choice(AT_ONCE)))
    run.add(more)
    events = rng.random() * sum(lengths[name] for name in more.names.values())
    end = time.monotonic() + PATIENCE_S
    while more.events < events and time.monotonic() < end:
        slot.attend(more)
        time.sleep(LOOK_EVERY_S)
    if slot.lost(workers[-1]):
        workers.append(slot.fork())
    return slot.holds(workers[-1])


def zombies(slot, asked):
    """Workers stopped past their lease; others finish their work; then they wake up."""
    slot.gate(closed=True)
    run, stopped, slept = Running({}, {}), [], multiprocessing.RawValue("d")
    run.answer = asked.get("answer", "truth")
    for point in asked["points"]:
        more = slot.start(asked["workflows"])
        run.add(more)
        stopped.append(slot.fork(f"{point}:stop", work=sleeper(slept)))
        _until_stopped(slot, more, stopped[-1])
    before = judge.finished(slot, run)
    slot.end_leases(stopped)
    slept.value = LEASE_S
    slot.gate(closed=False)
    slot.until(lambda: slot.attend(run))
    slot.journal.read()
    rows = judge.everything(slot, run)
    asleep = [slot.state(pid) == "T" for pid in stopped]
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    codes = [slot.wait(pid) for pid in stopped]
    late = [one for one in slot.journal.read() if one["applied"]]
    wrote = judge.everything(slot, run) != rows
    found = judge.faults(slot, run, slot.controls, before)
    if set(codes) != {RESTART_ME}:
        found.append(f"the zombies ended with {codes}")
    if late:  # a request that was on its way is sent, but its key is known by then
        found.append(f"zombies acted: {late}")
    if wrote:
        found.append("zombies wrote")
    return staged(found, [None if one else OVER for one in asleep], wanted=None)


def sleeper(slept):
    """Return the work of a worker for whom so many seconds more passed, as in a real sleep."""

    def work():
        liveness.time = SimpleNamespace(monotonic=lambda: time.monotonic() + slept.value)
        return cli.main(["worker"])

    return work


def _until_stopped(slot, run, pid):
    slot.until(lambda: slot.attend(run) or slot.state(pid) in {"T", "Z"})


def cut(slot, asked):
    """The connections of two working workers are cut, again and again; nobody is killed."""
    run = slot.start(asked["workflows"])
    other = slot.fork()
    slot.registered(other)
    with psycopg.connect(db.dsn(slot.place.database), autocommit=True) as knife:
        for _ in range(asked["times"]):
            time.sleep(0.12)
            knife.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND backend_type = 'client backend' "
                "AND pid <> ALL (%s)",
                ([knife.info.backend_pid, slot.rows.info.backend_pid],),
            )
            slot.supervise()
    slot.until(lambda: slot.attend(run))
    slot.end(other, signal.SIGTERM)
    return judge.faults(slot, run, slot.controls, {})


def rolling(slot, asked):
    """Two workers are restarted one after the other, as a deploy does it; work goes on."""
    old = slot.fork()
    slot.registered(old)
    run, found, codes = slot.start(asked["workflows"]), [], []
    slot.until(lambda: any(state == "running" for state, _ in slot.statuses(run).values()))
    for _ in range(asked["times"]):
        leaving, old = old, slot.fork()
        slot.registered(old)
        codes.append(_leaves(slot, run, leaving, found))
        leaving = slot.survivor
        slot.survive()
        codes.append(_leaves(slot, run, leaving, found))
    slot.until(lambda: slot.attend(run))
    slot.end(old, signal.SIGTERM)
    return staged(found + judge.faults(slot, run, slot.controls, {}), codes, wanted=0)


def _leaves(slot, run, worker, found):
    """Ask a worker to go; it finishes what it can, releases the rest. Returns how it ended."""
    begun = time.monotonic()
    os.kill(worker, signal.SIGTERM)
    while (code := slot.ended(worker)) is None and time.monotonic() < begun + ENDS_WITHIN_S:
        slot.attend(run)
        time.sleep(LOOK_EVERY_S)
    held = slot.ask(
        "SELECT count(*) FROM execution e JOIN worker w ON w.id = e.worker_id "
        "WHERE w.pid = %s AND w.stopped_at IS NOT NULL",
        worker,
    )
    found += [] if held == [(0,)] else [f"a worker that went kept {held}"]
    return code


def race(slot, asked):
    """Two workers, every bell rung ten times: each step runs once."""
    other, survivor = slot.fork(), slot.survivor
    slot.registered(other)
    run = slot.start(asked["workflows"])
    for execution in run.names:
        for _ in range(10):
            jobs.ring_now(execution)
    slot.until(lambda: slot.attend(run))
    codes = [slot.ended(other), None if slot.survivor == survivor else RESTART_ME]
    slot.end(other, signal.SIGTERM)
    found = staged(judge.faults(slot, run, slot.controls, {}), codes, wanted=None)
    again = slot.ask(
        "SELECT path, attempt, status FROM step_execution WHERE execution_id = ANY (%s) "
        "AND attempt > 1 AND NOT path = ANY (%s)",
        list(run.names),
        ["left", "bad", "ask"],  # those fail once or are asked anew by their workflow
    )
    return found + [f"ran twice: {one}" for one in again]


def shared(slot, asked):
    """Two workers at one wide scatter: the one that handed it out dies, the other goes on."""
    slot.gate(closed=True)
    run = slot.start(["shared"])
    worker = slot.fork(f"{asked['point']}:{asked['hit']}:kill9")
    slot.until(lambda: slot.statuses(run) and run.states != {"queued"})
    slot.gate(closed=False)
    code = _dies(slot, run, worker, asked)
    before = judge.finished(slot, run)
    slot.until(lambda: slot.attend(run))
    found = staged(judge.faults(slot, run, slot.controls, before), [code])
    by = slot.ask(
        "SELECT DISTINCT worker_id FROM step_execution WHERE execution_id = ANY (%s) "
        "AND path LIKE 'all[%%'",
        list(run.names),
    )
    if slot.ask("SELECT 1 FROM batch WHERE execution_id = ANY (%s)", list(run.names)):
        found.append("batches are left")
    if len(by) != asked["workers"] and not found:
        raise MissedError(f"{len(by)} workers did items")
    return found


def takeover(slot, asked):
    """A worker that dies while it takes over from another, or while it fires what is due."""
    slot.gate(closed=True)
    os.kill(slot.survivor, signal.SIGSTOP)
    run = slot.start(asked["workflows"])
    first = slot.wait(slot.fork("effect.after:2:kill9"))
    second = slot.wait(slot.fork(f"sweep.between_items:{asked['hit']}:kill9"))
    before = judge.finished(slot, run)
    os.kill(slot.survivor, signal.SIGCONT)
    slot.gate(closed=False)
    slot.until(lambda: slot.attend(run))
    return staged(judge.faults(slot, run, slot.controls, before), [first, second])


def poison(slot, asked):
    """One execution kills every worker: it is parked after five, all others are completed."""
    deadly = slot.table.parents[1] / "deadly"
    deadly.touch()
    slot.gate(closed=True)
    bad, run = slot.start(["poison"]), slot.start(asked["workflows"])
    execution, codes, worker = next(iter(bad.names)), [], slot.fork()
    while slot.statuses(bad)[execution][0] != "needs_attention" or not slot.attend(run):
        if (code := slot.ended(worker)) is not None:
            codes.append(code)
            worker = slot.fork()
        if len(codes) > MAX_DEATHS:
            break
        time.sleep(LOOK_EVERY_S)
    died = slot.ask(
        "SELECT count(*) FROM step_execution WHERE execution_id = %s AND status = 'interrupted'",
        execution,
    )
    found = [f"{codes}, attempts: {died}"] if (len(codes), died) != (5, [(5,)]) else []
    found += [f"parked: {one}" for one in _parked(slot, run)]
    deadly.unlink()
    slot.until(lambda: slot.attend(bad) and slot.attend(run))
    slot.end(worker, signal.SIGTERM)
    slot.gate(closed=False)
    wrong = [one for each in (bad, run) for one in judge.faults(slot, each, slot.controls, {})]
    return staged(wrong, codes) + found


def _parked(slot, run):
    return slot.ask(
        "SELECT chain FROM audit WHERE event = 'PILOT_EXECUTION_POISONED' AND chain = ANY (%s)",
        [str(one) for one in run.names],
    )


def queueless(slot, asked):
    """The queue server is emptied, killed and started again; executions go on all the time."""
    folder = Path(slot.place.folder) / "queue"
    folder.mkdir(mode=0o700, exist_ok=True)
    url = embedded_redis_url(folder)
    signals = processes.Signals()
    server = valkey.start(folder, folder / "log", signals)
    slot.gate(closed=True)
    jobs.configure(url)
    workers = [slot.fork(REDIS_URL=url)]
    runs = [slot.start(asked["workflows"])]
    for _ in range(5):
        time.sleep(0.05)
        jobs.connect(url).flushall()
    server.kill()
    server.wait()
    runs.append(slot.start(asked["workflows"]))
    slot.until(lambda: _all_over(slot, runs, workers, url))
    server = valkey.start(folder, folder / "log", signals)
    runs.append(slot.start(asked["workflows"]))
    slot.until(lambda: _all_over(slot, runs, workers, url))
    os.kill(workers[-1], signal.SIGTERM)
    code = slot.wait(workers[-1])
    valkey.stop(server)
    signals.close()
    jobs.configure(slot.place.redis)
    slot.gate(closed=False)
    found = [f"the worker ended with {code}"] if code else []
    return found + [one for run in runs for one in judge.faults(slot, run, slot.controls, {})]


def _all_over(slot, runs, workers, url):
    if slot.lost(workers[-1]):
        workers.append(slot.fork(REDIS_URL=url))
    return all(slot.attend(run) for run in runs)


KINDS = {
    "shared": shared,
    "kill": kill,
    "chance": chance,
    "zombies": zombies,
    "cut": cut,
    "race": race,
    "rolling": rolling,
    "takeover": takeover,
    "poison": poison,
    "queueless": queueless,
}
