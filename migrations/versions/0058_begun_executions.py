"""A new execution is one statement: its row, the begin of its timeline and of its audit trail."""

from alembic import op

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP FUNCTION begin_execution(json, json, json, text[])")


# The caller's rights count: row security holds as for an INSERT of its own. Inputs come apart, as
# they may hold what the texts of a row may not (\\u0000).
UP = r"""
CREATE FUNCTION begin_execution(p_row json, p_inputs json, p_event json, p_records text[])
  RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, public SET plan_cache_mode = force_generic_plan AS $$
DECLARE begun uuid; owner uuid;
BEGIN
  INSERT INTO execution (id, owner_id, agent_id, agent_name, forked_from, version_id,
      version_number, document, runs, runs_reason, session_id, mode, simulation, simulation_id,
      replay_of, replay_model, trigger, started_by, inputs, prompt, parent_id, parent_path,
      parent_key, depth, detached, settings, settings_version, flags, zone, status, priority,
      compensation, concurrency_key, concurrency_limit, deadline_at, budget_usd, budget_tokens,
      event_seq)
  SELECT x.id, x.owner_id, x.agent_id, x.agent_name, x.forked_from, x.version_id,
      x.version_number, x.document, x.runs, x.runs_reason, x.session_id, x.mode, x.simulation,
      x.simulation_id, x.replay_of, x.replay_model, x.trigger, x.started_by, p_inputs, x.prompt,
      x.parent_id, x.parent_path, x.parent_key, coalesce(x.depth, 0), coalesce(x.detached, false),
      x.settings, x.settings_version, coalesce(x.flags, '{}'), x.zone, x.status,
      coalesce(x.priority, 5), x.compensation, x.concurrency_key, x.concurrency_limit, x.deadline_at, x.budget_usd,
      x.budget_tokens, 1
    FROM json_to_record(p_row) AS x(id uuid, owner_id uuid, agent_id uuid, agent_name text,
      forked_from uuid, version_id uuid, version_number int, document json, runs text,
      runs_reason text, session_id uuid, mode text, simulation json, simulation_id uuid,
      replay_of uuid, replay_model text, trigger text, started_by uuid, prompt text,
      parent_id uuid, parent_path text, parent_key uuid, depth int, detached boolean,
      settings json, settings_version int, flags json, zone text, status text, priority int, compensation text, concurrency_key text,
      concurrency_limit int, deadline_at timestamptz, budget_usd numeric, budget_tokens bigint)
    RETURNING id, owner_id INTO begun, owner;
  INSERT INTO event (execution_id, seq, owner_id, kind, data)
    VALUES (begun, 1, owner, 'execution', p_event);
  PERFORM audit_append(array_fill(begun::text, ARRAY[cardinality(p_records)]),
    array_fill(owner, ARRAY[cardinality(p_records)]), p_records);
END $$;
"""
