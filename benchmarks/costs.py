"""How fast the pages of costs are with a million calls in the ledger, all of them of this month.

Finished days are read from their roll-ups, as a worker makes them; the rest is read row by row.
"""

import base64
from time import perf_counter
from uuid import UUID

import psycopg

from benchmarks.figures import figure, timed_ms, wait_for_quiet
from benchmarks.installation import Installation, installed, sign_in
from pilot import db
from pilot.audit import Actor
from pilot.config import Config
from pilot.engine.triggers import zones
from pilot.engine.upkeep import rollups
from pilot.web import create_app
from tests import world
from tests.pages import Browser

ROWS, EXECUTIONS, AGENTS, DAYS = 1_000_000, 20_000, 20, 29
GOAL_MS = 300
RUNS = 9
ZONE = "Europe/Berlin"
BY = ("day", "model", "agent", "user", "intent", "step_type", "role", "outcome")
PAGES = ("/", "/first-day", "/costs/generation", *(f"/costs?group={one}" for one in BY))
EXECUTION = """
INSERT INTO execution (id, owner_id, agent_id, agent_name, runs, runs_reason, started_by, inputs,
    settings, settings_version, mode, zone, status, deadline_at, created_at)
SELECT uuidv7(at - now()), %(owner)s, (%(agents)s::uuid[])[1 + n %% %(many)s], 'Test',
       'pilot_steps', '', %(owner)s, '{}', '{}', 1, 'run', 'UTC', 'completed', at, at
  FROM generate_series(%(executions)s, 1, -1) n,
       LATERAL (SELECT now() - n * interval '1 day' * %(days)s / %(executions)s AS at) x
"""
STEP = """
INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence, started_at)
SELECT id, 's' || step, 1, owner_id,
       CASE WHEN step %% 3 = 0 THEN 'llm_decision' ELSE 'ai_processing' END, 'completed', 1,
       created_at
  FROM execution, generate_series(1, 10) step
"""
# Each step asked a model five times; a tenth of the calls has no price, every 23rd has failed.
CALL = """
INSERT INTO call (owner_id, agent_id, execution_id, path, attempt, number, role, intent, state,
    provider, model_asked, model_billed, input_tokens, cache_read_tokens, cache_write_tokens,
    cache_write_long_tokens, output_tokens, reasoning_tokens, flags, cost, latency_ms, outcome,
    reason, issues, wasted, at, ended_at, baseline_model, baseline_input, baseline_output,
    baseline_cache_read, baseline_cache_write, baseline_cache_write_long, routing)
SELECT owner_id, agent_id, id, 's' || step, 1, number, 'step',
       (ARRAY['extract', 'classify', 'summarize', NULL])[1 + step %% 4], 'settled', 'openai', model,
       model, 500 + h %% 4000, h %% 900, 0, h %% 9, 50 + h %% 700, h %% 200, '[]',
       CASE WHEN h %% 10 > 0 THEN (h %% 9999999) * 0.000000001 END, 800,
       CASE WHEN h %% 23 = 0 THEN 'failed' ELSE 'ok' END,
       CASE WHEN h %% 23 = 0 THEN 'timeout' END, '[]', h %% 23 = 0, created_at, created_at,
       'strong', 2.5, 10, 0.25, 3.125, 5, '{"why": "the cheap tier"}'
  FROM (SELECT e.*, step, number, abs(hashint8(event_seq + row_number() OVER ())) AS h
          FROM execution e, generate_series(1, 10) step, generate_series(1, %(each)s) number) one,
       LATERAL (SELECT (ARRAY['small', 'medium', 'large'])[1 + h %% 3] AS model) chosen
 ORDER BY created_at
"""


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        people = (pilot.owner, world.person("admin", "admin").id)
        for person in people:
            zones.choose(person, ZONE, by=Actor(f"user:{person}"))
        _seed(pilot)
        start, days = perf_counter(), 0
        while rollups.roll_up() is not None:
            days += 1
        figure("costs: rolling up a day", (perf_counter() - start) * 1000 / days, "ms", days)
        key = base64.urlsafe_b64encode(b"k" * 32).decode()
        app = create_app(
            Config.from_env({"PILOT_SECRET_KEYS": key, "PILOT_DATA": str(pilot.folder)})
        )
        for name in ("owner", "admin"):
            browser = Browser(app, sign_in(name))
            for page in PAGES:
                wait_for_quiet(1.0)
                taken = [timed_ms(lambda url=page: browser.get(url)) for _ in range(RUNS)]
                figure(f"costs: {page} as {name}, best", min(taken), "ms", RUNS, goal=GOAL_MS)


def _seed(pilot: Installation) -> None:
    """Write executions, their steps and their calls, in the order of their time."""
    agents: list[UUID] = [pilot.noop_agent(1) for _ in range(AGENTS)]
    facts = {"owner": pilot.owner, "agents": agents, "many": AGENTS, "executions": EXECUTIONS}
    with psycopg.connect(db.dsn(pilot.superuser_url), autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # without triggers
        connection.execute(EXECUTION, facts | {"days": DAYS})
        connection.execute(STEP.replace("%%", "%"))
        connection.execute(CALL, {"each": ROWS // EXECUTIONS // 10})
        connection.execute("VACUUM ANALYZE")
        seeded = connection.execute("SELECT count(*) FROM call").fetchone()
    figure("costs: calls in the ledger", seeded[0], "", 1)


if __name__ == "__main__":
    main()
