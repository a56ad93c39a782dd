"""Workers that ask the peer and are killed while they do; then the ledger against its bill."""

import os
import random
import time
from collections import defaultdict
from contextlib import contextmanager
from decimal import Decimal

import psycopg
from psycopg.rows import dict_row

from pilot import db, settings
from pilot.audit import Actor
from pilot.engine.generation import drafts
from tests.engine import worker_process as wp
from tests.engine.generation import asked
from tests.processes import start_worker

WORKERS = 2
GIVE_UP_S = 300
BELOW = "more than the worst case"
FAULTS = (
    *((None, {"kind": "delay", "s": 0.1}, {"kind": "delay", "s": 0.4}) * 3),
    *("fences", "single_quotes", "empty", "refusal", "truncated", "filtered", "not_json", "nan"),
    *(
        "duplicate",
        "reset",
        "cut",
        {"kind": "cached", "n": 99_999},
        {"kind": "written", "n": 1_234},
    ),
    *({"kind": "status", "status": status} for status in (413, 429, 500, 503, 529)),
)
HANGS = 60  # every so many requests of a model one is never answered
ANSWER = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
STEPS = [
    {
        "id": f"ask{n}",
        "type": "ai_processing",
        "prompt": f"Question {{{{inputs.n}}}}-ask{n} : how many?",
        "output_schema": ANSWER,
        "retry": {"max_attempts": 3, "base_s": 0.1, "max_s": 0.2},
        "dependencies": [f"ask{n - 1}"] if n else [],
    }
    for n in range(3)
]
INPUTS = {"type": "object", "properties": {"n": {"type": "string"}}}
CHOSEN = {
    "pilot_enabled": True,
    "llm_timeout_s": 2,
    "llm_retry_after_max_s": 0,
    "llm_breaker_failures": 100,
    "llm_breaker_window_s": 1,
    "generation_timeout_s": 5,
    "generation_cost_cap_usd": "10",
}
OPEN = """SELECT w.pid, count(*) FROM call c
  LEFT JOIN execution e ON e.id = c.execution_id LEFT JOIN generation g ON g.id = c.generation_id
  JOIN worker w ON w.id = coalesce(e.worker_id, g.worker_id)
 WHERE c.state = 'reserved' AND w.stopped_at IS NULL GROUP BY w.pid ORDER BY w.pid"""


class Trial:
    """Executions and generations that ask the peer, and the workers that run them."""

    def __init__(self, peer, owner, data, environment, seed):
        """Choose two models of the peer; `environment` is what workers need, `data` a folder."""
        self._peer, self._owner, self._data = peer, owner, data
        self._by = Actor(f"user:{owner}")
        self._environment = environment
        self._chance = random.Random(seed)
        self._workers = {}
        self._started = 0
        self.killed = []  # how many calls each killed worker had open
        asked.set_up(peer)
        settings.change_all(CHOSEN, by=asked.BY)
        self._agent = wp.make_agent(owner, STEPS, inputs=INPUTS, name="Asks")
        self._rows = psycopg.connect(
            db.dsn(environment["DATABASE_URL"]), autocommit=True, options="-c role=pilot_app"
        )
        self._rows.execute("SELECT set_config('app.sees_all', 'on', false)")

    def script(self, calls):
        """Let the peer answer so many calls of each model, with faults by chance."""
        rules = []
        for model in ("cheap", "strong"):
            for nth in range(1, calls + 1):
                fault = "hang" if nth % HANGS == 0 else self._chance.choice(FAULTS)
                match = {"model": model, "nth": nth}
                rules += [
                    {"match": match | {"text": "<goal>"}, "reply": asked.GOOD, "fault": fault},
                    {"match": match, "fault": fault},
                ]
        self._peer.script(*rules)

    @contextmanager
    def working(self):
        """Run workers until the block ends."""
        for _ in range(WORKERS):
            self._work()
        try:
            yield
        finally:
            for process in self._workers.values():
                process.kill()
                process.join()

    def keep_busy(self, executions):
        """Start executions, and a generation, when fewer than so many are under way."""
        count = "SELECT count(*) FROM execution WHERE status <> ALL (%s)"
        (under_way,) = self._rows.execute(count, [sorted(wp.END)]).fetchone()
        if under_way < executions:
            self.start(executions - under_way)

    def start(self, executions, generations=1):
        """Start so many, each with a number of its own."""
        for _ in range(executions):
            self._started += 1
            wp.start(self._agent, self._owner, n=f"E{self._started}")
        for _ in range(generations):
            self._started += 1
            goal = f"{asked.GOAL} Mention G{self._started} in it."
            drafts.begin(goal, data=self._data, by=self._by, user_id=self._owner)

    def kill(self):
        """Kill a worker that waits for a model, and start another one."""
        waiting = self._until(self._waiting)
        time.sleep(self._chance.uniform(0, 0.4))
        pid = self._chance.choice(sorted(waiting))
        victim = self._workers.pop(pid)
        victim.kill()
        victim.join()
        still = dict(self._rows.execute(OPEN).fetchall())
        self.killed.append(still.get(pid, 0))
        self._work()

    def _waiting(self):
        return {pid for (pid, _) in self._rows.execute(OPEN).fetchall()} & set(self._workers)

    def finish(self):
        """Wait until nothing goes on by itself any more."""
        over = (
            "SELECT (SELECT count(*) FROM execution WHERE status <> ALL (%s)) = 0"
            " AND (SELECT count(*) FROM generation WHERE stage <> 'done') = 0"
        )
        self._until(lambda: self._rows.execute(over, [sorted(wp.END)]).fetchone()[0])

    def rows(self):
        """Return the ledger, with the question of each call, in the order of the attempts."""
        cursor = self._rows.cursor(row_factory=dict_row)
        return cursor.execute(
            "SELECT c.*, coalesce((e.inputs ->> 'n') || '-' || c.path,"
            " substring(g.goal from 'G[0-9]+')) AS question, s.status AS step_status"
            " FROM call c LEFT JOIN execution e ON e.id = c.execution_id"
            " LEFT JOIN generation g ON g.id = c.generation_id"
            " LEFT JOIN step_execution s ON s.execution_id = c.execution_id"
            " AND s.path = c.path AND s.attempt = c.attempt"
            " ORDER BY c.at, c.attempt, c.number"
        ).fetchall()

    def close(self):
        self._rows.close()

    def _work(self):
        process = start_worker(os.environ | self._environment)
        self._workers[process.pid] = process

    def _until(self, question):
        end = time.monotonic() + GIVE_UP_S
        while not (answer := question()):
            if time.monotonic() > end:
                raise TimeoutError("still not so")
            time.sleep(0.01)
        return answer


def lines(peer):
    """Return the peer's bill, each line with the question that it was for."""
    billed = sorted(peer.requests(), key=lambda line: line["number"])
    return [
        line | {"question": _question(str(body)), "cost": Decimal(line["cost"])}
        for line, body in zip(billed, peer.bodies(), strict=True)
    ]


def _question(text):
    mark = "Question " if "Question " in text else "Mention "
    return text.partition(mark)[2].split()[0]


def faults(rows, billed):
    """Return everything in which the ledger and the bill disagree."""
    by_question = defaultdict(lambda: ([], []))
    for row in rows:
        by_question[row["question"]][0].append(row)
    for line in billed:
        by_question[line["question"]][1].append(line)
    found = [f"{one['question']} is still open" for one in rows if one["state"] == "reserved"]
    for question, (mine, theirs) in by_question.items():
        wrong = [*_unequal(mine, theirs), *_twice(mine)]
        found += [f"{question}: {one}" for one in wrong]
    return found


def _unequal(rows, billed):
    """Pair each row with its line: by the request's id, by the status, the rest by the cost."""
    left = {f"req_{line['number']}": line for line in billed}
    worst = []
    for row in rows:
        if "cost_estimated" in row["flags"]:
            worst.append(row["cost"])
            continue
        line = left.pop(row["request_id"] or _by_status(left, row["http_status"]), None)
        if line is None and _never_left(row):
            continue
        if line is None:
            yield f"{row['reason']} {row['request_id']} {row['http_status']} has no line"
        elif line["cost"] != row["cost"]:
            yield f"{row['cost']} is booked, {line['cost']} billed"
    rest = sorted((line["cost"] for line in left.values()), reverse=True)
    worst.sort(reverse=True)
    if len(rest) > len(worst):
        yield f"{len(rest) - len(worst)} lines have no row"
    below = [bill for bill, booked in zip(rest, worst, strict=False) if booked < bill]
    if below:
        yield f"{below} are {BELOW}"


def _never_left(row):
    """Its time was over, or the connection refused, before anything was sent: it costs nothing."""
    return row["cost"] == 0 and row["http_status"] is None and row["request_id"] is None


def _by_status(left, status):
    return next((name for name, line in left.items() if line["answered"] == str(status)), None)


def _twice(rows):
    """A step that is completed was answered once, by its last call."""
    done = [one for one in rows if one["step_status"] == "completed"]
    if not done:
        return
    used = [one for one in rows if not one["wasted"]]
    if len(used) != 1 or used[0]["attempt"] != done[0]["attempt"] or used[0] is not rows[-1]:
        yield f"{len(used)} answers were paid for a completed step"
