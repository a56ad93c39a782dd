"""Executions know what their calls took, and lists are served by an index for each order."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute(UP)
    op.execute(REWORD.format(before=BOOKED, after=BOOKED + SUMMED))


def downgrade() -> None:
    op.execute(REWORD.format(before=SUMMED, after=""))
    op.execute(DOWN)


# What `keep_budget` adds to its execution when a row of the ledger ends.
BOOKED = "           spent_tokens = spent_tokens + used,\n"
SUMMED = """           cost_usd = cost_usd + CASE WHEN NEW.provider = 'scripted' THEN 0
             ELSE coalesce(NEW.cost, 0) END,
           tokens = tokens + CASE WHEN NEW.provider = 'scripted' THEN 0
             ELSE NEW.input_tokens::bigint + NEW.cache_read_tokens + NEW.cache_write_tokens
               + NEW.cache_write_long_tokens + NEW.output_tokens + NEW.reasoning_tokens END,
           unpriced_calls = unpriced_calls
             + (NEW.provider <> 'scripted' AND NEW.cost IS NULL)::int,
           wasted_calls = wasted_calls + (NEW.provider <> 'scripted' AND NEW.wasted)::int,
           recorded_calls = recorded_calls + (NEW.provider = 'scripted')::int,
"""
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('keep_budget()'::regprocedure);
BEGIN
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION 'keep_budget reads otherwise'; END IF;
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
END $do$;
"""

# Row security lets no condition near an index whose function could tell what it saw: `lower` and
# the comparison of numerics could. So the keys of the orders are columns, of types whose
# comparison tells nothing.
UP = r"""
-- The same answers as before. But the planner took the comparison with 'on' for true of one row in
-- 200, and sorted what it could have read in order; of this form it assumes one in two.
CREATE OR REPLACE FUNCTION is_mine(owner uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT owner = nullif(current_setting('app.user_id', true), '')::uuid
      OR nullif(current_setting('app.sees_all', true), '')::boolean $$;

ALTER TABLE execution
  ADD COLUMN cost_usd NUMERIC(20, 12) DEFAULT '0' NOT NULL,
  ADD COLUMN tokens BIGINT DEFAULT '0' NOT NULL,
  ADD COLUMN unpriced_calls INTEGER DEFAULT '0' NOT NULL,
  ADD COLUMN wasted_calls INTEGER DEFAULT '0' NOT NULL,
  ADD COLUMN recorded_calls INTEGER DEFAULT '0' NOT NULL,
  ADD COLUMN name_key TEXT GENERATED ALWAYS AS (lower(agent_name)) STORED NOT NULL,
  ADD COLUMN cost_key BIGINT GENERATED ALWAYS AS ((cost_usd * 1000000000000)::bigint) STORED
    NOT NULL,
  ADD COLUMN duration_key BIGINT GENERATED ALWAYS AS (
    coalesce((extract(epoch FROM finished_at - started_at) * 1000)::bigint, -1)) STORED NOT NULL;
UPDATE execution e SET cost_usd = c.usd, tokens = c.tokens, unpriced_calls = c.unpriced,
       wasted_calls = c.wasted, recorded_calls = c.recorded
  FROM (SELECT execution_id, coalesce(sum(cost) FILTER (WHERE counted), 0) AS usd,
               coalesce(sum(input_tokens::bigint + cache_read_tokens + cache_write_tokens
                 + cache_write_long_tokens + output_tokens + reasoning_tokens)
                 FILTER (WHERE counted), 0) AS tokens,
               count(*) FILTER (WHERE counted AND cost IS NULL) AS unpriced,
               count(*) FILTER (WHERE counted AND wasted) AS wasted,
               count(*) FILTER (WHERE NOT counted) AS recorded
          FROM (SELECT *, provider <> 'scripted' AS counted FROM call
                 WHERE state <> 'reserved' AND execution_id IS NOT NULL) one
         GROUP BY execution_id) c
 WHERE c.execution_id = e.id;

DROP INDEX execution_by_owner, execution_by_status, execution_by_time;
CREATE INDEX execution_by_owner ON execution (owner_id, created_at, id);
CREATE INDEX execution_by_time ON execution (created_at, id);
CREATE INDEX execution_by_status ON execution (status, id);
CREATE INDEX execution_by_name ON execution (name_key, id);
CREATE INDEX execution_by_duration ON execution (duration_key, id);
CREATE INDEX execution_by_cost ON execution (cost_key, id);
CREATE INDEX execution_by_tokens ON execution (tokens, id);
CREATE INDEX execution_tests ON execution (created_at) WHERE mode = 'test';
CREATE INDEX execution_errors ON execution (created_at) WHERE error IS NOT NULL;
CREATE INDEX execution_unpriced ON execution (created_at) WHERE unpriced_calls > 0;
CREATE INDEX execution_wasted ON execution (created_at) WHERE wasted_calls > 0;
CREATE INDEX execution_recorded ON execution (created_at) WHERE recorded_calls > 0;
CREATE INDEX approval_by_time ON approval (requested_at, id);
CREATE INDEX approval_by_deadline ON approval (expires_at, id);
"""

DOWN = r"""
CREATE OR REPLACE FUNCTION is_mine(owner uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT owner = nullif(current_setting('app.user_id', true), '')::uuid
      OR current_setting('app.sees_all', true) = 'on' $$;
DROP INDEX approval_by_time, approval_by_deadline, execution_by_owner, execution_by_time,
  execution_by_status, execution_tests, execution_errors, execution_unpriced, execution_wasted, execution_recorded;
CREATE INDEX execution_by_owner ON execution (owner_id, id);
CREATE INDEX execution_by_time ON execution (created_at);
CREATE INDEX execution_by_status ON execution (owner_id, status, id);
ALTER TABLE execution DROP COLUMN name_key, DROP COLUMN cost_key, DROP COLUMN duration_key,
  DROP COLUMN cost_usd, DROP COLUMN tokens, DROP COLUMN unpriced_calls, DROP COLUMN wasted_calls,
  DROP COLUMN recorded_calls;
"""
