"""The ledger of calls to models, written in the transaction of the step's result."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE call (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID,
    execution_id UUID,
    path TEXT,
    attempt INTEGER,
    number INTEGER NOT NULL,
    role TEXT NOT NULL,
    intent TEXT,
    key TEXT,
    state TEXT NOT NULL,
    provider TEXT NOT NULL,
    model_asked TEXT NOT NULL,
    model_billed TEXT,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cache_write_long_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    flags JSON NOT NULL,
    reserved NUMERIC(20, 12),
    cost NUMERIC(20, 12),
    latency_ms INTEGER,
    outcome TEXT,
    reason TEXT,
    http_status INTEGER,
    issues JSON NOT NULL,
    wasted BOOLEAN NOT NULL,
    stop TEXT,
    request_id TEXT,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    FOREIGN KEY(execution_id) REFERENCES execution (id)
);
CREATE INDEX call_by_execution ON call (execution_id, path);
CREATE INDEX call_by_owner ON call (owner_id, at);
ALTER TABLE call ADD CONSTRAINT call_state CHECK (state IN ('reserved', 'settled', 'lost'));
ALTER TABLE call ADD CONSTRAINT call_outcome CHECK (outcome IN ('ok', 'failed'));
ALTER TABLE call ADD CONSTRAINT call_role CHECK (role IN (
  'draft', 'repair', 'fallback', 'step', 'summary', 'test'));
GRANT SELECT ON call TO pilot_app;
GRANT SELECT, INSERT, UPDATE ON call TO pilot_claim;
ALTER TABLE call ENABLE ROW LEVEL SECURITY;
ALTER TABLE call FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON call TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON call TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON call TO pilot_claim USING (true) WITH CHECK (true);

-- A checkpoint with rows of the ledger: one transaction. Members whose fence is gone book nothing;
-- a row that is settled or lost stays as it is.
CREATE FUNCTION book(p_worker uuid, p_members json, p_attempts json, p_events json, p_audit json,
                     p_waits json, p_calls json)
RETURNS TABLE (n int, seq bigint, cancel boolean, pause boolean, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
  t timestamptz := pilot_now();
  written int[] := '{}';
BEGIN
  FOR n, seq, cancel, pause, late IN
      SELECT c.n, c.seq, c.cancel, c.pause, c.late
        FROM checkpoint(p_worker, p_members, p_attempts, p_events, p_audit, p_waits) c LOOP
    written := written || n;
    RETURN NEXT;
  END LOOP;
  INSERT INTO call (id, owner_id, agent_id, execution_id, path, attempt, number, role, intent, key,
      state, provider, model_asked, model_billed, input_tokens, cache_read_tokens,
      cache_write_tokens, cache_write_long_tokens, output_tokens, reasoning_tokens, flags, reserved,
      cost, latency_ms, outcome, reason, http_status, issues, wasted, stop, request_id, ended_at)
  SELECT c.id, e.owner_id, e.agent_id, e.id, c.path, c.attempt, c.number, c.role, c.intent, c.key,
      c.state, c.provider, c.model_asked, c.model_billed, c.input_tokens, c.cache_read_tokens,
      c.cache_write_tokens, c.cache_write_long_tokens, c.output_tokens, c.reasoning_tokens,
      c.flags, c.reserved, c.cost, c.latency_ms, c.outcome, c.reason, c.http_status, c.issues,
      c.wasted, c.stop, c.request_id, CASE WHEN c.state <> 'reserved' THEN t END
    FROM json_to_recordset(p_calls) AS c(n int, id uuid, path text, attempt int, number int,
         role text, intent text, key text, state text, provider text, model_asked text,
         model_billed text, input_tokens int, cache_read_tokens int, cache_write_tokens int,
         cache_write_long_tokens int, output_tokens int, reasoning_tokens int, flags json,
         reserved numeric, cost numeric, latency_ms int, outcome text, reason text,
         http_status int, issues json, wasted boolean, stop text, request_id text)
    JOIN json_to_recordset(p_members) AS m(n int, id uuid) ON m.n = c.n
    JOIN execution e ON e.id = m.id
   WHERE c.n = ANY (written)
  ON CONFLICT (id) DO UPDATE SET
      state = excluded.state, model_billed = excluded.model_billed,
      input_tokens = excluded.input_tokens, cache_read_tokens = excluded.cache_read_tokens,
      cache_write_tokens = excluded.cache_write_tokens,
      cache_write_long_tokens = excluded.cache_write_long_tokens,
      output_tokens = excluded.output_tokens, reasoning_tokens = excluded.reasoning_tokens,
      flags = excluded.flags, cost = excluded.cost, latency_ms = excluded.latency_ms,
      outcome = excluded.outcome, reason = excluded.reason, http_status = excluded.http_status,
      issues = excluded.issues, wasted = excluded.wasted, stop = excluded.stop,
      request_id = excluded.request_id, ended_at = excluded.ended_at
   WHERE call.state = 'reserved';
END $$;

-- Calls of an attempt whose worker went away: nobody knows how they ended, so they count at worst.
CREATE FUNCTION lose_calls() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  UPDATE call SET state = 'lost', outcome = 'failed', wasted = true, cost = reserved,
         flags = '["cost_estimated"]', ended_at = pilot_now()
   WHERE execution_id = NEW.execution_id AND path = NEW.path AND attempt = NEW.attempt
     AND state = 'reserved';
  RETURN NULL;
END $$;
CREATE TRIGGER lose_calls AFTER UPDATE OF status ON step_execution FOR EACH ROW
  WHEN (OLD.status = 'running' AND NEW.status = 'interrupted') EXECUTE FUNCTION lose_calls();

-- What a worker needs to go on; besides what it had: whether the agent is a demo.
DROP FUNCTION load_executions(uuid, uuid[], uuid[]);
CREATE FUNCTION load_executions(p_worker uuid, p_ids uuid[], p_known uuid[])
RETURNS TABLE (id uuid, moment timestamptz, head json, attempts json, waits json)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT e.id, pilot_now(),
    json_build_object('owner_id', e.owner_id, 'agent_id', e.agent_id, 'agent_name', e.agent_name,
      'version_id', e.version_id, 'document', coalesce(e.document,
        (SELECT v.document FROM workflow_version v WHERE v.id = e.version_id
           AND NOT v.id = ANY (p_known))), 'mode', e.mode, 'trigger', e.trigger,
      'session_id', e.session_id, 'inputs', e.inputs, 'prompt', e.prompt, 'settings', e.settings,
      'zone', e.zone, 'status', e.status, 'fence', e.fence, 'created_at', e.created_at,
      'started_by', e.started_by,
      'owner_email', (SELECT u.email FROM app_user u WHERE u.id = e.owner_id),
      'grants', to_json(a.grants), 'demo', a.demo, 'runs', e.runs, 'started_at', e.started_at,
      'deadline_at', e.deadline_at, 'cancel', e.cancel_requested_at IS NOT NULL,
      'pause', e.pause_requested_at IS NOT NULL,
      'disabled', e.runs = 'pilot_steps' AND NOT coalesce(
        (SELECT (s.value #>> '{}')::boolean FROM setting s WHERE s.key = 'pilot_enabled'), false)),
    (SELECT json_agg(json_build_object('path', s.path, 'attempt', s.attempt, 'type', s.type,
       'status', s.status, 'effect', s.effect, 'key', s.key, 'rerun', s.rerun, 'input', s.input,
       'output', s.output, 'error', s.error, 'started_at', s.started_at) ORDER BY s.path, s.attempt)
       FROM step_execution s WHERE s.execution_id = e.id),
    (SELECT json_agg(json_build_object('path', w.path, 'kind', w.kind, 'wake_at', w.wake_at,
       'opened_at', w.opened_at, 'resolved', w.resolved_at IS NOT NULL,
       'resolution', w.resolution) ORDER BY w.id)
       FROM wait w WHERE w.execution_id = e.id AND w.consumed_at IS NULL)
    FROM execution e JOIN agent a ON a.id = e.agent_id
   WHERE e.id = ANY (p_ids) AND e.worker_id = p_worker $$;

REVOKE EXECUTE ON FUNCTION book(uuid, json, json, json, json, json, json),
  load_executions(uuid, uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book(uuid, json, json, json, json, json, json),
  load_executions(uuid, uuid[], uuid[]) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION book(uuid, json, json, json, json, json, json) OWNER TO pilot_claim;
ALTER FUNCTION load_executions(uuid, uuid[], uuid[]) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""

DOWN = r"""
DROP FUNCTION load_executions(uuid, uuid[], uuid[]);
CREATE FUNCTION load_executions(p_worker uuid, p_ids uuid[], p_known uuid[])
RETURNS TABLE (id uuid, moment timestamptz, head json, attempts json, waits json)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT e.id, pilot_now(),
    json_build_object('owner_id', e.owner_id, 'agent_id', e.agent_id, 'agent_name', e.agent_name,
      'version_id', e.version_id, 'document', coalesce(e.document,
        (SELECT v.document FROM workflow_version v WHERE v.id = e.version_id
           AND NOT v.id = ANY (p_known))), 'mode', e.mode, 'trigger', e.trigger,
      'session_id', e.session_id, 'inputs', e.inputs, 'prompt', e.prompt, 'settings', e.settings,
      'zone', e.zone, 'status', e.status, 'fence', e.fence, 'created_at', e.created_at,
      'started_by', e.started_by,
      'owner_email', (SELECT u.email FROM app_user u WHERE u.id = e.owner_id),
      'grants', (SELECT to_json(a.grants) FROM agent a WHERE a.id = e.agent_id), 'runs', e.runs, 'started_at', e.started_at,
      'deadline_at', e.deadline_at, 'cancel', e.cancel_requested_at IS NOT NULL,
      'pause', e.pause_requested_at IS NOT NULL),
    (SELECT json_agg(json_build_object('path', s.path, 'attempt', s.attempt, 'type', s.type,
       'status', s.status, 'effect', s.effect, 'key', s.key, 'rerun', s.rerun, 'input', s.input,
       'output', s.output, 'error', s.error, 'started_at', s.started_at) ORDER BY s.path, s.attempt)
       FROM step_execution s WHERE s.execution_id = e.id),
    (SELECT json_agg(json_build_object('path', w.path, 'kind', w.kind, 'wake_at', w.wake_at,
       'opened_at', w.opened_at, 'resolved', w.resolved_at IS NOT NULL,
       'resolution', w.resolution) ORDER BY w.id)
       FROM wait w WHERE w.execution_id = e.id AND w.consumed_at IS NULL)
    FROM execution e WHERE e.id = ANY (p_ids) AND e.worker_id = p_worker $$;
REVOKE EXECUTE ON FUNCTION load_executions(uuid, uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_executions(uuid, uuid[], uuid[]) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION load_executions(uuid, uuid[], uuid[]) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
DROP TRIGGER lose_calls ON step_execution;
DROP FUNCTION lose_calls();
DROP FUNCTION book(uuid, json, json, json, json, json, json);
DROP TABLE call;
"""
