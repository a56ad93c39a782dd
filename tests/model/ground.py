"""Where histories take place: one database, one receiver, one person."""

import csv
import itertools
from decimal import Decimal
from uuid import uuid4

import psycopg
import redis

from pilot import db, jobs, progress, settings
from pilot.audit import Actor
from pilot.engine import folders
from pilot.engine.agents import agents
from pilot.engine.life import restoring
from tests.engine import worker_process as wp
from tests.model import reference
from tests.model.virtual import Clock, Worker

BY = Actor("cli:test")
FAULTS = [
    {"match": {"model": "cheap", "nth": nth}, "fault": {"kind": "status", "status": 500}}
    for nth in range(3, 60, 3)
]  # the other model is asked then


class Ground:
    """What all histories share; each adds executions of its own.

    Whoever makes one says `person`, `host` (the receiver's), `table` (its file), `name()` (what an
    execution is called), `ask(statement, *values)` and `requests()`.
    """

    pace = 1.0  # how long what a workflow waits for takes

    def agent(self, plan):
        body = reference.document(plan, self.host, self.pace)
        new = agents.NewAgent(f"Model {self.name()}", goal="test")
        return agents.create(new, body, owner_id=self.person.id, by=BY).agent_id

    def edit(self, agent, plan):
        body = reference.document(plan, self.host, self.pace)
        (base,) = self.ask("SELECT version_number FROM agent WHERE id = %s", agent)[0]
        who = {"by": self.person.actor, "user_id": self.person.id}
        agents.save_version(agent, body, reason="edit", base=base, **who)
        return agent

    def switch(self, on):
        self.set("pilot_enabled", on)

    def set(self, name, value):
        if self.ask("SELECT 1 FROM setting WHERE key = %s AND value::text = %s", name, str(value)):
            return
        settings.change(name, value, by=BY)

    def was_sent(self, known, path):
        return any(one["id"] == known and one["step"] == path for one in self.requests())

    def rows_of(self, name):
        """Count the rows that were appended to the table under a name."""
        with self.table.open(newline="") as table:
            return sum(row[:1] == [name] for row in csv.reader(table))


class Still(Ground):
    """One process, in which time passes and workers go on when a test says so."""

    def __init__(self, database, redis_url, person, superuser, folder, outside, *, peer=None):
        self.person, self.outside, self._superuser = person, outside, superuser
        self._peer = peer
        self.host = outside.host
        self.config = wp.config(database, redis_url, folder)
        self.config = self.config.__class__(**vars(self.config) | {"egress_allow": (outside.host,)})
        self.clock = Clock(superuser)
        self.queue = redis.Redis.from_url(redis_url)
        self._names, self._numbers = itertools.count(1), itertools.count(1)
        self._line = psycopg.connect(db.dsn(database), autocommit=True, options=db.SESSION_LIMITS)
        jobs.configure(redis_url)
        progress.configure(redis_url)
        self.switch(on=True)
        self.table = folders.private(folder, person.id) / "tables" / "log.csv"
        self.table.parent.mkdir(parents=True, mode=0o700)
        self.table.write_text("id\n")

    def close(self):
        self.queue.close()
        self._line.close()

    def clear(self):
        """Leave nothing of the history before: if it failed, it stopped anywhere."""
        self.outside.forget()
        if self._peer is not None:
            self._peer.script(*FAULTS)
        self.ask("UPDATE worker SET stopped_at = pilot_now() WHERE stopped_at IS NULL")
        self.ask(
            "UPDATE execution SET status = 'cancelled', worker_id = NULL, admitted = true,"
            " finished_at = pilot_now() WHERE finished_at IS NULL"
        )
        self.ask("UPDATE wait SET consumed_at = pilot_now() WHERE consumed_at IS NULL")
        self.ask("UPDATE approval SET decision = 'cancelled' WHERE decision IS NULL")

    def ask(self, statement, *values):
        cursor = self._superuser.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def restore(self):
        """Do what follows when the database is filled from a backup of this moment."""
        with self._superuser.transaction():
            self._superuser.execute(restoring.HOLD.format(backup=uuid4()))
        restoring.settle(by=BY)

    def billed(self, known):
        """Return what the peer charges for what was asked about an execution."""
        asked = zip(self._peer.requests(), self._peer.bodies(), strict=True)
        return sum(Decimal(line["cost"]) for line, body in asked if f"About {known}." in str(body))

    def name(self):
        return f"x{next(self._names)}"

    def worker(self):
        return Worker(self.config, self.clock, next(self._numbers), self._line)

    def requests(self):
        """Return what the receiver saw since it was last forgotten."""
        return self.outside._requests()


def answered(known, step):
    """Return what the receiver would have answered to a `once` request."""
    body = {"id": known, "step": step, "mode": "once"}
    return {"status": 200, "json": body, "headers": {}, "text": None, "size_bytes": 1}
