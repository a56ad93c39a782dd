"""The record of what happened: as many events and audit records as the rows had transitions."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pilot import db, settings
from pilot.audit import Event, verify
from pilot.engine.approvals import approvals
from pilot.engine.life import executions, retrying
from pilot.engine.providers.budgets import Limits
from tests.engine import worker_process as wp
from tests.http_peer import serving

# Notes every change of a status, which no code of the product knows of.
WATCH = """
CREATE TABLE moved (n serial, execution text, path text, attempt int, was text, becomes text);
CREATE FUNCTION watch_execution() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public AS $$
BEGIN
  INSERT INTO moved (execution, was, becomes)
    VALUES (NEW.id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status);
  RETURN NULL;
END $$;
CREATE FUNCTION watch_step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public AS $$
BEGIN
  INSERT INTO moved (execution, path, attempt, was, becomes) VALUES (NEW.execution_id, NEW.path,
    NEW.attempt, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status);
  RETURN NULL;
END $$;
CREATE TRIGGER a AFTER INSERT ON execution FOR EACH ROW EXECUTE FUNCTION watch_execution();
CREATE TRIGGER b AFTER UPDATE ON execution FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION watch_execution();
CREATE TRIGGER a AFTER INSERT ON step_execution FOR EACH ROW EXECUTE FUNCTION watch_step();
CREATE TRIGGER b AFTER UPDATE ON step_execution FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION watch_step();
"""
SET = {"type": "transform", "operation": "set", "config": {"value": 1}}
REST = {"id": "rest", "type": "delay", "for_s": 600}
ASK = {"id": "ask", "type": "human_approval", "title": "Go on?", "approvers": ["owner"]}


@dataclass
class Life:
    """The executions of one test, their owner, and where they are looked at."""

    database: str
    owner: Any
    superuser: Any
    peer: str

    def begin(self, *steps, **document):
        agent = wp.make_agent(self.owner.id, list(steps), **document)
        return wp.start(agent, self.owner.id)

    def until(self, execution, *statuses):
        assert wp.wait_for(self.database, execution, set(statuses))[0] in statuses

    def ask(self, operation, execution, *arguments):
        operation(execution, *arguments, by=self.owner.actor, user_id=self.owner.id)

    def http(self, method, path, **fields):
        params = {"method": method, "url": f"{self.peer}{path}"}
        step = {"id": "call", "type": "action", "plugin": "http", "action": "request"}
        return step | {"params": params} | fields

    def rows(self, query):
        return self.superuser.execute(query).fetchall()


@pytest.fixture
def life(database, redis_url, world, superuser, tmp_path):
    """Give a life with a worker that may reach a peer, its transitions watched from outside."""
    superuser.execute(WATCH)
    wp.switch_on()
    with serving() as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        script = tmp_path / "answers.json"
        script.write_text('{"rules": [{"answer": "fine"}]}')
        facts = replace(
            wp.config(database, redis_url, tmp_path), egress_allow=(host,), script=script
        )
        with wp.working(facts):
            yield Life(database, world.operator, superuser, f"http://{host}")


def _completes(life):
    execution = life.begin(
        SET | {"id": "a"},
        SET | {"id": "b", "execute_if": "steps.a.output == 2"},
        {
            "id": "c",
            "type": "conditional",
            "condition": "steps.a.output == 1",
            "then": [SET | {"id": "d"}],
        },
    )
    life.until(execution, "completed")
    tolerated = SET | {"id": "bad", "execute_if": "steps.a.output > 'x'", "on_error": "continue"}
    execution = life.begin(SET | {"id": "a"}, tolerated)
    life.until(execution, "completed_with_errors")


def _fails_and_is_retried(life):
    retry = {"max_attempts": 2, "base_s": 0.01}
    execution = life.begin(life.http("GET", "/status?code=503", retry=retry))
    life.until(execution, "failed")
    life.ask(retrying.failed, execution)
    life.until(execution, "queued", "running")
    life.until(execution, "failed")


def _is_undone(life):
    call = life.http("GET", "/status?code=200")
    undo = {name: call[name] for name in ("plugin", "action", "params")}
    broken = SET | {"id": "bad", "execute_if": "steps.call.output > 'x'"}
    life.until(life.begin(call | {"compensate": undo}, broken), "failed")


def _is_paused_resumed_and_cancelled(life):
    execution = life.begin(REST)
    life.until(execution, "waiting")
    life.ask(executions.pause, execution)
    life.ask(executions.resume, execution)
    life.until(execution, "waiting")
    life.ask(executions.cancel, execution)


def _is_approved(life):
    execution = life.begin(ASK)
    life.until(execution, "waiting")
    ((approval, seen),) = life.rows("SELECT id, payload_hash FROM approval")
    who = {"by": life.owner.actor, "user_id": life.owner.id}
    approvals.decide(approval, "approved", seen_hash=seen, **who)
    life.until(execution, "completed")


def _nobody_knows(life):
    execution = life.begin(life.http("POST", "/reset"))
    life.until(execution, "needs_attention")
    life.ask(executions.answer, execution, "call", "skip")
    life.until(execution, "completed")


def _uses_its_budget_up(life):
    step = {"id": "say", "type": "ai_processing", "prompt": "Say it."}
    policies = {"budget": {"tokens": 1_000}}
    execution = life.begin(SET | {"id": "a"}, step, policies=policies)
    life.until(execution, "budget_paused")
    life.ask(executions.raise_budget, execution, Limits(None, 10_000))
    life.until(execution, "completed")


def _is_switched_off(life):
    execution = life.begin(
        *(
            {"id": f"s{n}", "type": "delay", "for_s": 0.3}
            | {"dependencies": [f"s{n - 1}"] if n else []}
            for n in range(4)
        )
    )
    life.until(execution, "running")
    settings.change("pilot_enabled", False, by=wp.BY)
    life.until(execution, "paused")
    wp.switch_on()
    life.ask(executions.resume, execution)
    life.until(execution, "running")
    life.ask(executions.cancel, execution)
    life.until(execution, "cancelled")


def _loses_its_workers(life):
    execution = life.begin(REST | {"id": "long"}, SET | {"id": "slow", "dependencies": ["long"]})
    life.until(execution, "waiting")
    life.superuser.execute("UPDATE worker SET draining = true")  # the real one looks away
    life.superuser.execute("SELECT fire_wait(id) FROM wait WHERE consumed_at IS NULL")
    for number in range(5):
        (worker,) = life.superuser.execute(
            "INSERT INTO worker (host, pid, version, lease_until) "
            "VALUES ('lost', %s, 'test', pilot_now() + interval '1 h') RETURNING id",
            [number],
        ).fetchone()
        life.superuser.execute("SELECT * FROM claim(%s, 9, 1, 200)", [worker])
        life.superuser.execute("SELECT take_away(%s, %s, 'worker_died')", [execution, worker])
    life.superuser.execute("UPDATE worker SET draining = false")
    life.until(execution, "needs_attention")
    life.ask(executions.resume, execution)
    life.until(execution, "completed")


STORIES = [
    _completes,
    _fails_and_is_retried,
    _is_undone,
    _is_paused_resumed_and_cancelled,
    _is_approved,
    _nobody_knows,
    _uses_its_budget_up,
    _is_switched_off,
    _loses_its_workers,
]
# What the audit calls a transition of an execution, by where it leads; and of a step.
NAMED = {
    None: "PILOT_EXECUTION_STARTED",
    "completed": "PILOT_EXECUTION_COMPLETED",
    "completed_with_errors": "PILOT_EXECUTION_COMPLETED",
    "failed": "PILOT_EXECUTION_FAILED",
    "cancelled": "PILOT_EXECUTION_CANCELLED",
}
# With their own tests.
ELSEWHERE = {"PILOT_BULK_STARTED", "PILOT_EXECUTION_FORKED", "PILOT_EXECUTION_MIGRATED"}
STEPS = {"completed": "PILOT_STEP_EXECUTED", "skipped": "PILOT_STEP_EXECUTED"}


@pytest.mark.capability(20, 54)
def test_the_record_has_as_many_entries_as_the_rows_had_transitions(life):
    for story in STORIES:
        story(life)
    moved = life.rows("SELECT execution, path, attempt, was, becomes FROM moved ORDER BY n")
    assert _timeline(life) == Counter(
        (execution, path, becomes) for execution, path, _, _, becomes in moved
    )
    audited = Counter(row[0] for row in life.rows("SELECT event FROM audit"))
    whole = [(was, becomes) for _, path, _, was, becomes in moved if path is None]
    steps = [becomes for _, path, _, _, becomes in moved if path is not None]
    wanted = Counter(
        NAMED[becomes if was else None] for was, becomes in whole if _ends(was, becomes)
    )
    assert {name: audited[name] for name in wanted} == wanted
    done = ("PILOT_STEP_EXECUTED", "PILOT_STEP_COMPENSATED", "PILOT_OUTCOME_RESOLVED")
    assert sum(audited[one] for one in done) == sum(1 for one in steps if one in STEPS)
    assert audited["PILOT_STEP_FAILED"] + audited["PILOT_STEP_RETRIED"] == steps.count("failed")
    assert audited["PILOT_OUTCOME_UNKNOWN"] == steps.count("unknown")
    paused = audited["PILOT_EXECUTION_PAUSED"] + audited["PILOT_DISABLED"]
    assert paused == sum(1 for _, becomes in whole if becomes == "paused")
    known = {one.name for one in Event if one.name.startswith("PILOT_")}
    assert set(audited) >= known - ELSEWHERE
    with db.reading(None, sees_all=True) as session:
        assert verify(session)[1] == []


def _ends(was, becomes):
    return was is None or becomes in NAMED


def _timeline(life):
    """Return how often the timeline tells each status of each path."""
    query = "SELECT execution_id, path, data FROM event WHERE kind IN ('execution', 'step')"
    shown = {"retrying": "failed", "started": "running"}
    return Counter(
        (str(execution), path, shown.get(data["status"], data["status"]))
        for execution, path, data in life.rows(query)
        if "status" in data
    )
