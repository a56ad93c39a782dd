"""A long history, written past the engine: executions, steps, events, calls, approvals, audit."""

from uuid import UUID

import psycopg

from benchmarks.figures import figure
from benchmarks.installation import Installation
from pilot import db
from pilot.engine.upkeep import rollups
from tests.engine.worker_process import make_agent

EXECUTIONS, EVENTS_EACH, DAYS, AGENTS = 100_000, 10, 60, 20
LARGE_EVERY = 500  # every so many executions has all the steps of its workflow
STEPS, STEPS_EACH = 40, 4
# Of 100 executions one belongs to the person with few; each fits one agent of its owner.
EXECUTION = """
INSERT INTO execution (id, owner_id, agent_id, agent_name, version_id, version_number, runs,
    runs_reason, started_by, inputs, settings, settings_version, mode, zone, status, error,
    deadline_at, created_at, started_at, finished_at, event_seq)
SELECT uuidv7(at - now()), v.owner_id, v.agent_id, 'Test ' || v.place, v.id, 1, 'pilot_steps',
       'pilot_steps', v.owner_id, '{}', '{}', 1, CASE WHEN n %% 50 = 0 THEN 'test' ELSE 'run' END,
       'UTC', status,
       CASE WHEN status = 'failed'
            THEN '{"step": "s1", "code": "E", "message": "The mail server is away"}'::json END,
       at + interval '1 day', at, at + interval '20 ms',
       CASE WHEN status NOT IN ('waiting', 'paused') THEN at + (n %% 9973) * interval '3 ms' END,
       %(events)s
  FROM generate_series(%(executions)s, 1, -1) n
 CROSS JOIN LATERAL (SELECT now() - n * interval '1 day' * %(days)s / %(executions)s AS at,
         CASE WHEN n %% 97 = 0 THEN 'failed' WHEN n %% 1009 = 0 THEN 'waiting'
              WHEN n %% 2003 = 0 THEN 'paused' WHEN n %% 503 = 0 THEN 'cancelled'
              ELSE 'completed' END AS status) x
  JOIN (SELECT w.id, w.agent_id, a.owner_id, row_number() OVER (ORDER BY a.id) - 1 AS place
          FROM workflow_version w JOIN agent a ON a.id = w.agent_id) v
    ON v.place = CASE WHEN n %% 100 = 0 THEN %(agents)s ELSE n %% %(agents)s END
"""
STEP = """
INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence, input,
    output, started_at, finished_at, duration_ms)
SELECT id, 's' || step, 1, owner_id, 'transform', 'completed', 1, '{"rows": "inputs.rows"}',
       text, created_at + step * interval '9 ms', created_at + step * interval '9 ms', step
  FROM (SELECT e.*, row_number() OVER () AS n FROM execution e) e,
       LATERAL generate_series(0, CASE WHEN n %% %(every)s = 0 THEN %(steps)s ELSE %(each)s END - 1) step,
       LATERAL (SELECT json_build_array(repeat('x', 1000)) AS text) o
"""
EVENT = """
INSERT INTO event (execution_id, seq, owner_id, at, kind, path, data)
SELECT id, seq, owner_id, created_at + seq * interval '9 ms', 'step', 's' || seq,
       '{"status": "completed", "attempt": 1, "duration_ms": 9}'
  FROM execution, generate_series(1, event_seq) seq
"""
CALL = """
INSERT INTO call (owner_id, agent_id, execution_id, path, attempt, number, role, state, provider,
    model_asked, model_billed, input_tokens, cache_read_tokens, cache_write_tokens,
    cache_write_long_tokens, output_tokens, reasoning_tokens, flags, cost, latency_ms, outcome,
    issues, wasted, at, ended_at)
SELECT owner_id, agent_id, id, 's1', 1, number, 'step', 'settled', 'openai', 'small', 'small',
       500 + h % 4000, h % 900, 0, 0, 50 + h % 700, 0, '[]',
       CASE WHEN h % 10 > 0 THEN (h % 9999999) * 0.000000001 END, 800 + h % 900, 'ok', '[]', false,
       created_at, created_at
  FROM (SELECT e.*, number, abs(hashtext(id::text || number)) AS h
          FROM execution e, generate_series(1, 2) number) one
 ORDER BY created_at
"""
SUMS = """
UPDATE execution e SET cost_usd = c.usd, tokens = c.tokens, unpriced_calls = c.unpriced
  FROM (SELECT execution_id, coalesce(sum(cost), 0) AS usd,
               sum(input_tokens + cache_read_tokens + output_tokens) AS tokens,
               count(*) - count(cost) AS unpriced
          FROM call GROUP BY 1) c WHERE c.execution_id = e.id
"""
APPROVAL = """
INSERT INTO approval (owner_id, execution_id, wait_id, path, title, payload, payload_hash, rule,
    needed, approver_ids, require_comment, on_timeout, requested_at, expires_at, decision,
    decided_at, decided_by)
SELECT owner_id, id, uuidv7(), 's1', 'Send ' || n, '{"title": "Send", "steps": []}', 'x', 'any', 1,
       ARRAY[owner_id], 'never', 'reject', created_at, created_at + interval '90 days',
       CASE WHEN n % 400 > 0 THEN 'approved' END, CASE WHEN n % 400 > 0 THEN created_at END,
       CASE WHEN n % 400 > 0 THEN owner_id END
  FROM (SELECT e.*, row_number() OVER () AS n FROM execution e) e WHERE n % 10 = 0 OR n % 13 = 0
"""
# Links that nobody verifies here: the list reads the records only.
AUDIT = """
INSERT INTO audit (chain, seq, owner_id, at, record, prev, hash)
SELECT id, seq, owner_id, created_at,
       json_build_object('at', created_at, 'event', event, 'severity', 'info', 'actor', 'worker',
         'object', json_build_object('type', 'execution', 'id', id), 'details', '{}'::json)::text,
       'x', 'x'
  FROM execution, unnest(ARRAY['PILOT_EXECUTION_STARTED', 'PILOT_EXECUTION_COMPLETED']) WITH ORDINALITY
       AS one (event, seq)
"""


def write(pilot: Installation, few: UUID, steps_each: int = STEPS_EACH) -> None:
    """Write it for the installation's owner, and one part in a hundred for the person `few`."""
    for number in range(AGENTS):
        make_agent(pilot.owner, [_step(step) for step in range(STEPS)], name=f"Test {number}")
    make_agent(few, [_step(step) for step in range(STEPS)])
    facts = {"executions": EXECUTIONS, "agents": AGENTS, "days": DAYS, "events": EVENTS_EACH}
    with psycopg.connect(db.dsn(pilot.superuser_url), autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # without triggers and checks
        connection.execute(EXECUTION, facts)
        connection.execute(STEP, {"every": LARGE_EVERY, "steps": STEPS, "each": steps_each})
        for statement in (EVENT, APPROVAL, AUDIT, CALL, SUMS):
            connection.execute(statement)
        connection.execute("CLUSTER execution USING execution_by_time")  # as if it had grown
        connection.execute("VACUUM ANALYZE")
        for table in ("execution", "event", "step_execution", "call", "approval", "audit"):
            query = f"SELECT count(*) FROM {table}"  # noqa: S608 -- a constant
            figure(f"rows of {table}", connection.execute(query).fetchone()[0], "", 1)
    while rollups.roll_up() is not None:  # as a worker does
        continue


def _step(number: int) -> dict[str, object]:
    step = {"id": f"s{number}", "type": "transform", "operation": "set", "config": {"value": 1}}
    return step | {"dependencies": [f"s{number - 1}"] if number else []}
