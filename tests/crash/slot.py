"""A place for trials: one database, one worker that survives, and forked ones that are killed.

Everything is imported once, before the forks: a worker is there in milliseconds and runs the code
of `pilot worker`.
"""

import csv
import json
import os
import signal
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
from cryptography.fernet import Fernet

from pilot import cli, db, failpoints, jobs, progress, settings, strictjson, vault
from pilot.audit import Actor
from pilot.engine import folders
from pilot.engine.approvals import approvals
from pilot.engine.life import executions, retrying, starts
from pilot.engine.secrets import connections
from pilot.engine.secrets.connections import Given
from pilot.engine.waits import events
from pilot.errors import PilotError
from pilot.services import processes
from pilot.worker import RESTART_ME
from tests import world
from tests.crash import workflows
from tests.engine.worker_process import BY, make_agent, switch_on
from tests.patience import LIMITS, PATIENT

# Its receiver fails on purpose, each second for another trial.
UNRESTING = {"llm_breaker_failures": 100, "llm_breaker_window_s": 1}
FINAL = {"completed", "completed_with_errors", "failed", "cancelled"}
# Of waits that end well before: a machine may be slow, and stand still for a while.
TRIAL_S = 180.0
ENDS_WITHIN_S = 90.0
STARTS = 3  # of a worker that is to survive
SHUT, OPEN = Given("door", {}, "the-wrong-secret"), Given("door", {}, "the-right-secret")
LOOK_EVERY_S = 0.02  # where the moment counts
ASK_EVERY_S = 0.05
TO_APPROVE = """
SELECT id, payload_hash FROM approval WHERE execution_id = ANY (%s) AND decided_at IS NULL"""
PARKED = "SELECT id FROM execution WHERE parent_id = ANY (%s) AND status = 'needs_attention'"


class MissedError(Exception):
    """A trial told nothing: what it stages did not take place, through no fault of Pilot."""


_KEPT = []  # what a child inherits and must not close: its parent goes on with it


@dataclass
class Place:
    """Where a slot works."""

    database: str
    redis: str
    folder: str
    base: str  # the receiver's address
    journal: str


@dataclass
class Running:
    """The executions of one trial."""

    names: dict[UUID, str]  # execution -> workflow
    ids: dict[UUID, str]  # execution -> what the receiver calls it
    answers: dict[UUID, str] = field(default_factory=dict)
    answer: str = "truth"
    cancelled: bool = False
    events: int = 0  # that happened in them, when somebody looked last
    states: set[str] = field(default_factory=set)  # that they were in then
    faults: list[str] = field(default_factory=list)

    def add(self, other):
        """Take the executions of another one in."""
        self.names |= other.names
        self.ids |= other.ids


class Slot:
    """Starts executions, kills their workers, does what people do, and looks."""

    def __init__(self, place, number, documents=workflows.ALL):
        self.place, self.number, self.count = place, number, 0
        self.children, self.closed = set(), False
        self.journal = Journal(place.journal, number)
        db.SESSION_LIMITS = PATIENT
        db.configure(place.database)
        jobs.configure(place.redis)
        progress.configure(place.redis)
        switch_on()
        settings.change("llm_breaker_failures", 100, by=BY)  # the receiver's faults are many
        settings.change_all(UNRESTING, by=BY)
        self.key = Fernet.generate_key().decode()
        vault.configure([self.key])
        self.owner = world.person("owner", "operator").id
        self.by = Actor(f"user:{self.owner}")
        self.door = connections.create("door", SHUT, by=self.by, owner_id=self.owner)
        self.agents = {
            name: make_agent(self.owner, **_aimed(one, place.base))
            for name, one in documents.items()
        }
        self.table = folders.private(Path(place.folder), self.owner) / "tables" / "log.csv"
        self.table.parent.mkdir(parents=True, mode=0o700)
        self.table.write_text("id\n")
        self.rows = psycopg.connect(
            db.dsn(place.database), autocommit=True, options="-c role=pilot_app"
        )
        self.rows.execute("SELECT set_config('app.sees_all', 'on', false)")
        self.survive()

    def close(self):
        self.rest()
        self.rows.close()

    def rest(self):
        """Let nobody work, while there is nothing to do."""
        if self.survivor:
            self.end(self.survivor, signal.SIGTERM)
        self.survivor = None

    def survive(self):
        """Start the worker that goes on when others die."""
        for _ in range(STARTS):
            self.survivor = self.fork()
            with suppress(MissedError):
                self.survivor_id = self.registered(self.survivor)
                return
        raise MissedError("no worker starts")

    def ask(self, statement, *values):
        return self.rows.execute(statement, values).fetchall()

    # processes

    def fork(self, failpoint="", work=None, limits=LIMITS, **environment):
        """Start a worker, or `work`, in a process of its own; returns its pid."""
        prepare = processes._die_with_parent(signal.SIGKILL)
        pid = os.fork()
        if pid:
            self.children.add(pid)
            return pid
        code = 99
        try:
            prepare()
            db.SESSION_LIMITS = limits
            self._become(failpoint, environment)
            code = work() if work else cli.main(["worker"])
        finally:
            os._exit(code or 0)

    def _become(self, failpoint, environment):
        log = os.open(f"{self.place.folder}/workers.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _KEPT.extend((db._Process.engine, jobs._Process.queue, progress._Process.redis))
        db._Process.engine = None
        failpoints._armed.cache_clear()
        os.environ |= {
            "DATABASE_URL": self.place.database,
            "REDIS_URL": self.place.redis,
            "PILOT_DATA": self.place.folder,
            "PILOT_EGRESS_ALLOW": self.place.base.removeprefix("http://"),
            "PILOT_THREADS": "16",
            "PILOT_DRAIN_S": "2",
            "PILOT_FAILPOINT": failpoint,
            "PILOT_SECRET_KEYS": self.key,
        }
        os.environ |= environment
        db.configure(self.place.database)
        jobs.configure(self.place.redis)
        progress.configure(self.place.redis)

    def registered(self, pid):
        """Return a worker's id once it has one; one that cannot connect in time ends before."""
        query, ended = "SELECT id FROM worker WHERE pid = %s AND stopped_at IS NULL", [(None,)]
        found = self.until(
            lambda: self.ask(query, pid) or (self.ended(pid) is not None and ended),
            every_s=LOOK_EVERY_S,
        )
        if found is ended:
            raise MissedError("a worker ended at its start")
        return found[0][0]

    def end(self, pid, number=signal.SIGKILL):
        if pid in self.children:  # or it ended before, and its number may be another's
            os.kill(pid, number)
            os.waitpid(pid, 0)
            self.children.remove(pid)

    def tidy(self):
        """End what a trial left behind, and let the survivor work again."""
        for pid in self.children - {self.survivor}:
            self.end(pid)
        os.kill(self.survivor, signal.SIGCONT)
        jobs.configure(self.place.redis)
        self.gate(closed=False)

    def ended(self, pid):
        """Return how a child ended: its exit code or -signal; None while it lives."""
        found, status = os.waitpid(pid, os.WNOHANG)
        self.children.discard(found)
        return os.waitstatus_to_exitcode(status) if found else None

    def lost(self, pid):
        """Whether a worker ended because it stood still for too long; no other end is well."""
        code = self.ended(pid)
        assert code in {None, RESTART_ME}, f"a worker ended with {code}"
        return code is not None

    def wait(self, pid, seconds=ENDS_WITHIN_S):
        """Return how a child ended; None if it did not."""
        end = time.monotonic() + seconds
        while (code := self.ended(pid)) is None and time.monotonic() < end:
            time.sleep(LOOK_EVERY_S)
        return code

    def until(self, question, seconds=TRIAL_S, every_s=ASK_EVERY_S):
        """Ask again until the answer is true."""
        end = time.monotonic() + seconds
        while not (answer := question()):
            if time.monotonic() > end:
                raise TimeoutError("still not so")
            time.sleep(every_s)
        return answer

    def gate(self, *, closed):
        """Let the survivor claim nothing, or everything."""
        self.closed = closed
        self.rows.execute(
            "UPDATE worker SET draining = %s WHERE id = %s", (closed, self.survivor_id)
        )
        if not closed:
            with suppress(Exception):
                jobs.ring_now(self.survivor_id)

    def holds(self, pid):
        """Whether a worker is at work."""
        return self.ask(
            "SELECT 1 FROM worker w JOIN execution e ON e.worker_id = w.id WHERE w.pid = %s", pid
        )

    def end_leases(self, pids):
        """Let the leases of stopped workers end at once."""
        self.rows.execute(
            "UPDATE worker SET lease_until = pilot_now() WHERE pid = ANY (%s)", (pids,)
        )

    def supervise(self):
        """Start the survivor anew if it stood still for too long, as `pilot up` does."""
        if self.lost(self.survivor):
            self.survive()
            self.gate(closed=self.closed)

    def state(self, pid):
        """Return `T` of a process that was stopped by a signal, `Z` of one that ended."""
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]

    # what people do

    def start(self, names):
        """Start one execution of each workflow."""
        run = Running({}, {})
        for name in names:
            if name == "shut":
                self.change_lock(SHUT)
            self.count += 1
            known = f"{self.number:02}-{self.count:05}"
            agent = self.agents[name.removeprefix(workflows.SIMULATED)]
            mode = starts.SIMULATE if name.startswith(workflows.SIMULATED) else "run"
            asked = starts.Start(inputs={"id": known}, mode=mode)
            execution = starts.start(agent, asked, by=self.by, user_id=self.owner)
            run.names[execution], run.ids[execution] = name, known
        return run

    def statuses(self, run):
        found = self.ask(
            "SELECT id, status, status_reason, event_seq FROM execution WHERE id = ANY(%s)",
            list(run.names),
        )
        run.events = sum(one[3] for one in found)
        run.states = {status for _, status, *_ in found}
        return {one: (status, reason) for one, status, reason, _ in found}

    def attend(self, run):
        """Do what people have to do now; True when all executions are at their end."""
        self.supervise()
        found = self.statuses(run)
        self.attend_waiting(run, [one for one, (status, _) in found.items() if status == "waiting"])
        for execution, (status, _) in found.items():
            if status == "waiting":
                if run.names[execution] == "awaits":
                    self.send(run, execution)
                if run.names[execution] == "shut":
                    self.change_lock(OPEN)
            elif status in {"needs_attention", "paused"} and not self.say(run, execution):
                self.twice(run, executions.resume, execution)
            elif status == "failed" and run.names[execution] == "fails":
                self.twice(run, retrying.failed, execution)
        return all(
            status in FINAL - ({"failed"} if run.names[execution] == "fails" else set())
            for execution, (status, _) in found.items()
        )

    def change_lock(self, given):
        """Let the connection hold a secret that is refused, or one that is not."""
        (version,) = self.ask("SELECT version FROM connection WHERE id = %s", self.door)[0]
        who = {"by": self.by, "owner_id": self.owner}
        connections.change(self.door, given, seen_version=version, **who)

    def attend_waiting(self, run, waiting):
        """Approve; let executions within go on that were parked, as many workers died with them."""
        for approval, seen in self.ask(TO_APPROVE, waiting) if waiting else ():
            self.twice(run, approvals.decide, approval, "approved", seen_hash=seen)
        for (child,) in self.ask(PARKED, waiting) if waiting else ():
            self.twice(run, executions.resume, child)

    def send(self, run, execution):
        """Send the event that an execution waits for; later ones with its id are no other."""
        known = run.ids[execution]
        sent = events.Sent(f"go.{known}", {"n": 1}, id=known)
        events.send(sent, by=self.by, user_id=self.owner)

    def say(self, run, execution):
        """Answer what became of unknown steps: the truth, as the receiver knows it; False: none."""
        unknown = self.ask(
            "SELECT path FROM step_execution WHERE execution_id = %s AND status = 'unknown'",
            execution,
        )
        for (path,) in unknown:
            step = path.split("/")[-1]
            seen = [one for one in self.seen(run.ids[execution]) if one["step"] == step]
            answer = run.answer if run.answer != "truth" else ("happened" if seen else "run")
            run.answers[execution] = answer
            result = answered(run.ids[execution], step)
            self.twice(run, executions.answer, execution, path, answer, result=result)
        return bool(unknown)

    def twice(self, run, operation, *arguments, **named):
        """Press twice: the second press changes nothing and is told so."""
        for press in (1, 2):
            try:
                operation(*arguments, **named, by=self.by, user_id=self.owner)
            except PilotError:
                if press == 1:
                    return  # the state moved on between look and press
            else:
                if press == 2:
                    run.faults.append(f"{operation.__name__} was accepted twice")

    # the receiver's own account

    def seen(self, known):
        self.journal.read()
        return self.journal.by_id[known]

    def table_rows(self, known):
        with self.table.open(newline="") as table:
            return sum(row[:1] == [known] for row in csv.reader(table))


def answered(known, step):
    """Return what the receiver would have answered to a `once` request."""
    body = {"id": known, "step": step, "mode": "once"}
    size = len(json.dumps(body))
    headers = {"content-length": str(size), "content-type": "application/json"}
    return {"status": 200, "json": body, "headers": headers, "text": None, "size_bytes": size}


def _aimed(document, base):
    """Return a document with the receiver's address in it."""
    return strictjson.loads(strictjson.dumps(document).replace(workflows.BASE, base))


class Journal:
    """What the receiver writes down about one slot; `read` goes on where it stopped."""

    def __init__(self, path, number):
        self.by_id = defaultdict(list)
        self._file = Path(path).open("rb")  # noqa: SIM115 -- as long as the slot is there
        self._mine, self._rest = f'"id": "{number:02}-'.encode(), b""

    def read(self):
        """Return the requests since the last time."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        found = [strictjson.loads(line) for line in lines if self._mine in line]
        for one in found:
            self.by_id[one["id"]].append(one)
        return found
