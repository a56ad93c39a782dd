"""The catalogue of models, prices that are never edited, keys, breakers; calls copy their price."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute(UP + BOOK.format(moment="", write=BY_ROW) + OWNERS)


def downgrade() -> None:
    op.execute(
        DOWN
        + BOOK.format(moment="  t timestamptz := pilot_now();\n", write=AS_BEFORE)
        + OWNERS_BEFORE
    )


UP = r"""
CREATE TABLE provider (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    adapter TEXT NOT NULL,
    base_url TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    organisation TEXT,
    project TEXT,
    flags JSON NOT NULL,
    sealed TEXT,
    key_version INTEGER DEFAULT '0' NOT NULL,
    key_ending TEXT,
    key_set_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (name)
);
ALTER TABLE provider ADD CONSTRAINT provider_adapter CHECK (adapter IN (
  'openai', 'anthropic', 'planner', 'scripted'));
ALTER TABLE provider ADD CONSTRAINT provider_key CHECK (
  (sealed IS NULL) = (key_ending IS NULL) AND (sealed IS NULL) = (key_set_at IS NULL));

CREATE TABLE model (
    id TEXT NOT NULL,
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    tier TEXT NOT NULL,
    "window" INTEGER NOT NULL,
    max_output INTEGER NOT NULL,
    flags JSON NOT NULL,
    retired_on DATE,
    replaced_by TEXT,
    enabled BOOLEAN DEFAULT 'true' NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(provider) REFERENCES provider (name),
    FOREIGN KEY(replaced_by) REFERENCES model (id) DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE model ADD CONSTRAINT model_tier CHECK (tier IN ('fast', 'balanced', 'powerful'));
ALTER TABLE model ADD CONSTRAINT model_sizes CHECK ("window" > 0 AND max_output > 0);
ALTER TABLE model ADD CONSTRAINT model_replaced_by CHECK (replaced_by <> id);

CREATE TABLE price (
    id UUID DEFAULT uuidv7() NOT NULL,
    model_id TEXT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    input NUMERIC(20, 12) NOT NULL,
    output NUMERIC(20, 12) NOT NULL,
    cache_read NUMERIC(20, 12),
    cache_write NUMERIC(20, 12),
    cache_write_long NUMERIC(20, 12),
    long_from INTEGER,
    long_input NUMERIC(20, 12),
    long_output NUMERIC(20, 12),
    long_cache_read NUMERIC(20, 12),
    long_cache_write NUMERIC(20, 12),
    long_cache_write_long NUMERIC(20, 12),
    source TEXT NOT NULL,
    checked_on DATE NOT NULL,
    author TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(model_id) REFERENCES model (id)
);
CREATE UNIQUE INDEX price_by_date ON price (model_id, valid_from);
-- A negative number is no price; a zero is one only where all are: the model is free.
ALTER TABLE price ADD CONSTRAINT price_numbers CHECK (
  0 < ALL (ARRAY[input, output, coalesce(cache_read, 1), coalesce(cache_write, 1),
    coalesce(cache_write_long, 1), coalesce(long_input, 1), coalesce(long_output, 1),
    coalesce(long_cache_read, 1), coalesce(long_cache_write, 1),
    coalesce(long_cache_write_long, 1)])
  OR (input = 0 AND output = 0 AND num_nulls(cache_read, cache_write, cache_write_long,
    long_from) = 4));
ALTER TABLE price ADD CONSTRAINT price_long CHECK (CASE WHEN long_from IS NULL
  THEN num_nonnulls(long_input, long_output, long_cache_read, long_cache_write,
    long_cache_write_long) = 0
  ELSE long_from > 0 AND num_nulls(long_input, long_output) = 0 END);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON price
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON price
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE model_state (
    model_id TEXT NOT NULL,
    failed_at TIMESTAMP WITH TIME ZONE[] NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    probe_until TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (model_id)
);
GRANT SELECT, INSERT, UPDATE ON provider, model, model_state TO pilot_app;
GRANT SELECT, INSERT ON price TO pilot_app;

ALTER TABLE call
  ADD COLUMN generation_id UUID REFERENCES generation (id),
  ADD COLUMN tier TEXT,
  ADD COLUMN price_id UUID REFERENCES price (id),
  ADD COLUMN price_input NUMERIC(20, 12),
  ADD COLUMN price_output NUMERIC(20, 12),
  ADD COLUMN price_cache_read NUMERIC(20, 12),
  ADD COLUMN price_cache_write NUMERIC(20, 12),
  ADD COLUMN price_cache_write_long NUMERIC(20, 12),
  ADD COLUMN tokens_saved INTEGER DEFAULT 0 NOT NULL,
  ADD COLUMN baseline_model TEXT,
  ADD COLUMN baseline_input NUMERIC(20, 12),
  ADD COLUMN baseline_output NUMERIC(20, 12),
  ADD COLUMN baseline_cache_read NUMERIC(20, 12),
  ADD COLUMN baseline_cache_write NUMERIC(20, 12),
  ADD COLUMN baseline_cache_write_long NUMERIC(20, 12),
  ADD COLUMN routing JSON,
  ADD COLUMN prompt_version TEXT;
CREATE INDEX call_by_generation ON call (generation_id) WHERE generation_id IS NOT NULL;
CREATE INDEX call_by_time ON call (at);

INSERT INTO audit_event (name, severity, flags) VALUES
  ('PRICE_ADDED', 'warning', '{SOC2}'),
  ('MODEL_CHANGED', 'warning', '{SOC2}'),
  ('PROVIDER_CHANGED', 'warning', '{SOC2}'),
  ('PROVIDER_KEY_SET', 'warning', '{SOC2}'),
  ('PROVIDER_KEY_REMOVED', 'warning', '{SOC2}'),
  ('SECRETS_ROTATED', 'warning', '{SOC2}');

-- Writes rows of the ledger; each names its owner. A row that is settled or lost stays as it is.
CREATE FUNCTION write_calls(p_calls json) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  INSERT INTO call (id, owner_id, agent_id, execution_id, generation_id, path, attempt, number, role,
      intent, key, state, provider, model_asked, model_billed, tier, input_tokens,
      cache_read_tokens, cache_write_tokens, cache_write_long_tokens, output_tokens,
      reasoning_tokens, tokens_saved, flags, price_id, price_input, price_output, price_cache_read,
      price_cache_write, price_cache_write_long, baseline_model, baseline_input, baseline_output,
      baseline_cache_read, baseline_cache_write, baseline_cache_write_long, reserved, cost,
      latency_ms, outcome, reason, http_status, issues, wasted, stop, request_id, routing,
      prompt_version, ended_at)
  SELECT c.id, c.owner_id, c.agent_id, c.execution_id, c.generation_id, c.path, c.attempt, c.number,
      c.role, c.intent, c.key, c.state, c.provider, c.model_asked, c.model_billed, c.tier,
      c.input_tokens, c.cache_read_tokens, c.cache_write_tokens, c.cache_write_long_tokens,
      c.output_tokens, c.reasoning_tokens, coalesce(c.tokens_saved, 0), c.flags, c.price_id,
      c.price_input, c.price_output, c.price_cache_read, c.price_cache_write,
      c.price_cache_write_long, c.baseline_model, c.baseline_input, c.baseline_output,
      c.baseline_cache_read, c.baseline_cache_write, c.baseline_cache_write_long, c.reserved, c.cost,
      c.latency_ms, c.outcome, c.reason, c.http_status, c.issues, c.wasted, c.stop, c.request_id,
      c.routing, c.prompt_version, CASE WHEN c.state <> 'reserved' THEN pilot_now() END
    FROM json_populate_recordset(NULL::call, p_calls) AS c
  ON CONFLICT (id) DO UPDATE SET
      state = excluded.state, model_billed = excluded.model_billed,
      input_tokens = excluded.input_tokens, cache_read_tokens = excluded.cache_read_tokens,
      cache_write_tokens = excluded.cache_write_tokens,
      cache_write_long_tokens = excluded.cache_write_long_tokens,
      output_tokens = excluded.output_tokens, reasoning_tokens = excluded.reasoning_tokens,
      tokens_saved = excluded.tokens_saved, flags = excluded.flags, price_id = excluded.price_id,
      price_input = excluded.price_input, price_output = excluded.price_output,
      price_cache_read = excluded.price_cache_read, price_cache_write = excluded.price_cache_write,
      price_cache_write_long = excluded.price_cache_write_long,
      baseline_model = excluded.baseline_model, baseline_input = excluded.baseline_input,
      baseline_output = excluded.baseline_output,
      baseline_cache_read = excluded.baseline_cache_read,
      baseline_cache_write = excluded.baseline_cache_write,
      baseline_cache_write_long = excluded.baseline_cache_write_long,
      cost = excluded.cost, latency_ms = excluded.latency_ms, outcome = excluded.outcome,
      reason = excluded.reason, http_status = excluded.http_status, issues = excluded.issues,
      wasted = excluded.wasted, stop = excluded.stop, request_id = excluded.request_id,
      routing = excluded.routing, prompt_version = excluded.prompt_version,
      ended_at = excluded.ended_at
   WHERE call.state = 'reserved' AND call.owner_id = excluded.owner_id $$;

-- Books calls that belong to no execution: of a generation, or a test of a model. Their owner is who
-- the session acts for.
CREATE FUNCTION book_calls(p_generation uuid, p_calls json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  me text := nullif(current_setting('app.user_id', true), '');
BEGIN
  IF me IS NULL THEN
    RAISE EXCEPTION 'a call needs an owner' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM write_calls((SELECT json_agg(c::jsonb || jsonb_build_object('owner_id', me,
      'generation_id', p_generation, 'execution_id', NULL))
    FROM json_array_elements(p_calls) AS c));
END $$;

-- Calls of a generation whose worker went away count at worst.
CREATE FUNCTION lose_generation_calls(p_generation uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  UPDATE call SET state = 'lost', outcome = 'failed', wasted = true, cost = reserved,
         flags = '["cost_estimated"]', ended_at = pilot_now()
   WHERE generation_id = p_generation AND state = 'reserved' AND is_mine(owner_id) $$;
"""

# A checkpoint with rows of the ledger: one transaction. Members whose fence is gone book nothing.
BOOK = r"""
DROP FUNCTION book(uuid, json, json, json, json, json, json);
CREATE FUNCTION book(p_worker uuid, p_members json, p_attempts json, p_events json, p_audit json,
                     p_waits json, p_calls json)
RETURNS TABLE (n int, seq bigint, cancel boolean, pause boolean, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
{moment}  written int[] := '{{}}';
BEGIN
  FOR n, seq, cancel, pause, late IN
      SELECT c.n, c.seq, c.cancel, c.pause, c.late
        FROM checkpoint(p_worker, p_members, p_attempts, p_events, p_audit, p_waits) c LOOP
    written := written || n;
    RETURN NEXT;
  END LOOP;
{write}
END $$;
REVOKE EXECUTE ON FUNCTION book(uuid, json, json, json, json, json, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book(uuid, json, json, json, json, json, json) TO pilot_app;
"""

BY_ROW = r"""  PERFORM write_calls((SELECT json_agg(c::jsonb || jsonb_build_object('owner_id', e.owner_id,
      'agent_id', e.agent_id, 'execution_id', e.id))
    FROM json_array_elements(p_calls) AS c
    JOIN json_to_recordset(p_members) AS m(n int, id uuid) ON m.n = (c ->> 'n')::int
    JOIN execution e ON e.id = m.id
   WHERE m.n = ANY (written)));"""

OWNERS = r"""
REVOKE EXECUTE ON FUNCTION write_calls(json), book_calls(uuid, json),
  lose_generation_calls(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book_calls(uuid, json), lose_generation_calls(uuid) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION write_calls(json) OWNER TO pilot_claim;
ALTER FUNCTION book_calls(uuid, json) OWNER TO pilot_claim;
ALTER FUNCTION lose_generation_calls(uuid) OWNER TO pilot_claim;
ALTER FUNCTION book(uuid, json, json, json, json, json, json) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""

DOWN = r"""
DROP FUNCTION book_calls(uuid, json), lose_generation_calls(uuid), write_calls(json);
DELETE FROM audit_event WHERE name IN ('PRICE_ADDED', 'MODEL_CHANGED', 'PROVIDER_CHANGED',
  'PROVIDER_KEY_SET', 'PROVIDER_KEY_REMOVED', 'SECRETS_ROTATED');
DROP INDEX call_by_time, call_by_generation;
ALTER TABLE call DROP COLUMN generation_id, DROP COLUMN tier, DROP COLUMN price_id,
  DROP COLUMN price_input, DROP COLUMN price_output, DROP COLUMN price_cache_read,
  DROP COLUMN price_cache_write, DROP COLUMN price_cache_write_long, DROP COLUMN tokens_saved,
  DROP COLUMN baseline_model, DROP COLUMN baseline_input, DROP COLUMN baseline_output,
  DROP COLUMN baseline_cache_read, DROP COLUMN baseline_cache_write,
  DROP COLUMN baseline_cache_write_long, DROP COLUMN routing, DROP COLUMN prompt_version;
DROP TABLE model_state, price, model, provider;
"""

AS_BEFORE = r"""  INSERT INTO call (id, owner_id, agent_id, execution_id, path, attempt, number, role, intent, key,
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
   WHERE call.state = 'reserved';"""

OWNERS_BEFORE = r"""
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION book(uuid, json, json, json, json, json, json) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
