"""Calls that nobody will end are lost, and no sum is lost with the calls that retention deletes."""

from alembic import op

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    op.execute(UP)
    op.execute(PRUNE)
    op.execute(FORGET.format(kept="\n       AND NOT pruned"))
    op.execute(REWORD.format(before=DUE, after=DUE_UNLESS_PRUNED))


def downgrade() -> None:
    op.execute(REWORD.format(before=DUE_UNLESS_PRUNED, after=DUE))
    op.execute(FORGET.format(kept=""))
    op.execute(PRUNE_OLDEST)
    op.execute(DOWN)


UP = r"""
-- A day whose calls were deleted, be it some of them, is never summed up again.
ALTER TABLE rollup ADD COLUMN pruned BOOLEAN DEFAULT false NOT NULL;
UPDATE rollup r SET pruned = true
  FROM (SELECT date_trunc('day', x.since, 'UTC') AS day, coalesce(sum(l.calls), 0) AS calls
          FROM rollup x LEFT JOIN rollup_line l ON l.since = x.since
         WHERE x.since < coalesce(
           (SELECT date_trunc('day', min(at), 'UTC') + interval '24 hours' FROM call), 'infinity')
         GROUP BY 1) d
 WHERE date_trunc('day', r.since, 'UTC') = d.day
   AND d.calls > (SELECT count(*) FROM call WHERE at >= d.day AND at < d.day + interval '24 hours');
GRANT UPDATE ON rollup TO pilot_claim;

-- What deleted calls were, as Prometheus counts them: a counter never falls. `bucket` is the place
-- of their duration among the bounds in `prune_calls`; -1: they have none.
CREATE TABLE pruned_calls (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    role TEXT NOT NULL,
    outcome TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    rows BIGINT NOT NULL,
    ms BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost NUMERIC NOT NULL,
    unpriced BIGINT NOT NULL,
    PRIMARY KEY (provider, model, role, outcome, bucket)
);
GRANT SELECT ON pruned_calls TO pilot_app;
GRANT SELECT, INSERT, UPDATE ON pruned_calls TO pilot_claim;

CREATE INDEX call_reserved ON call (at) WHERE state = 'reserved';

-- Calls that are under way for longer than any can be, and that nobody holds any more: the attempt
-- at the step is over, the draft is done, or it was a test of a model, in a process that went away.
-- The row of an execution comes first in the order of locks.
CREATE FUNCTION lose_left_calls() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE ids uuid[]; lost int;
BEGIN
  ids := ARRAY(SELECT c.id FROM call c
    WHERE c.state = 'reserved' AND c.at < pilot_now() - interval '1 hour'
      AND NOT EXISTS (SELECT FROM step_execution s WHERE s.execution_id = c.execution_id
            AND s.path = c.path AND s.attempt = c.attempt AND s.status = 'running')
      AND NOT EXISTS (SELECT FROM generation g WHERE g.id = c.generation_id AND g.stage <> 'done')
    ORDER BY c.at LIMIT 1000);
  PERFORM FROM execution WHERE id IN (SELECT execution_id FROM call WHERE id = ANY (ids))
    ORDER BY id FOR UPDATE;
  UPDATE call SET state = 'lost', outcome = 'failed', wasted = true, cost = reserved,
         flags = '["cost_estimated"]', ended_at = pilot_now()
   WHERE id = ANY (ids) AND state = 'reserved';
  GET DIAGNOSTICS lost = ROW_COUNT;
  RETURN lost;
END $$;
REVOKE EXECUTE ON FUNCTION lose_left_calls() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lose_left_calls() TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION lose_left_calls() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""

# `CREATE OR REPLACE` is for owners alone.
AS_CLAIM = r"""
DO $do$
DECLARE me text := current_user;
BEGIN
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;
  EXECUTE $sql$
CREATE OR REPLACE FUNCTION prune_calls(p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $${body}$$
  $sql$;
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
# Calls go by whole days, the oldest first, and only days that are rolled up: their sums stay. A day
# that cannot be rolled up yet keeps no other one.
PRUNE = AS_CLAIM.format(
    body=r"""
DECLARE a timestamptz; b timestamptz; gone int;
BEGIN
  SELECT date_trunc('day', min(at), 'UTC') INTO a FROM call;
  LOOP
    b := a + interval '24 hours';
    IF a IS NULL OR b > pilot_now() - make_interval(days => greatest(p_days, 1)) THEN
      RETURN 0;
    END IF;
    EXIT WHEN (SELECT sum(until - since) FROM rollup WHERE since >= a AND since < b)
      >= interval '24 hours';
    SELECT date_trunc('day', min(at), 'UTC') INTO a FROM call WHERE at >= b;
  END LOOP;
  UPDATE rollup SET pruned = true WHERE since >= a AND since < b AND NOT pruned;
  PERFORM set_config('app.pruning', 'on', true);
  WITH old AS (
    DELETE FROM call WHERE id IN (SELECT id FROM call WHERE at >= a AND at < b LIMIT p_limit)
    RETURNING *
  ), kept AS (
    INSERT INTO pruned_calls AS p (provider, model, role, outcome, bucket, rows, ms, input,
        cache_read, cache_write, output, reasoning, cost, unpriced)
    SELECT provider, model_asked, role,
        CASE state WHEN 'lost' THEN 'lost' ELSE coalesce(outcome, 'failed') END,
        coalesce(width_bucket(latency_ms, ARRAY[6, 11, 26, 51, 101, 251, 501, 1001, 2501, 5001,
          10001, 30001, 60001, 300001]), -1),
        count(*), coalesce(sum(latency_ms), 0), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens::bigint + cache_write_long_tokens), sum(output_tokens),
        sum(reasoning_tokens), coalesce(sum(cost), 0), count(*) FILTER (WHERE cost IS NULL)
      FROM old GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (provider, model, role, outcome, bucket) DO UPDATE SET
        rows = p.rows + excluded.rows, ms = p.ms + excluded.ms, input = p.input + excluded.input,
        cache_read = p.cache_read + excluded.cache_read,
        cache_write = p.cache_write + excluded.cache_write, output = p.output + excluded.output,
        reasoning = p.reasoning + excluded.reasoning, cost = p.cost + excluded.cost,
        unpriced = p.unpriced + excluded.unpriced)
  SELECT count(*) INTO gone FROM old;
  PERFORM set_config('app.pruning', '', true);
  RETURN gone;
END """
)
PRUNE_OLDEST = AS_CLAIM.format(
    body=r"""
DECLARE a timestamptz; b timestamptz; gone int;
BEGIN
  SELECT date_trunc('day', min(at), 'UTC') INTO a FROM call;
  b := a + interval '24 hours';
  IF a IS NULL OR b > pilot_now() - make_interval(days => greatest(p_days, 1))
      OR coalesce((SELECT sum(until - since) FROM rollup WHERE since >= a AND since < b), '0 s')
         < interval '24 hours' THEN
    RETURN 0;
  END IF;
  PERFORM set_config('app.pruning', 'on', true);
  DELETE FROM call WHERE id IN (SELECT id FROM call WHERE at >= a AND at < b LIMIT p_limit);
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM set_config('app.pruning', '', true);
  RETURN gone;
END """
)
FORGET = r"""
CREATE OR REPLACE FUNCTION forget_rollup() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE changed timestamptz;
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('app.pruning', true) = 'on' THEN RETURN NULL; END IF;
  FOREACH changed IN ARRAY ARRAY[OLD.at, NEW.at] LOOP
    DELETE FROM rollup WHERE since >= date_trunc('day', changed, 'UTC')
       AND since < date_trunc('day', changed, 'UTC') + interval '24 hours'{kept};
  END LOOP;
  RETURN NULL;
END $$;
"""
DUE = "      AND NOT EXISTS (SELECT FROM call WHERE state = 'reserved' AND at >= a AND at < b);"
DUE_UNLESS_PRUNED = f"""{DUE[:-1]}
      AND NOT EXISTS (SELECT FROM rollup WHERE pruned AND since >= a AND since < b);"""
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('roll_up()'::regprocedure); me text := current_user;
BEGIN
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION 'roll_up reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""

DOWN = r"""
DROP FUNCTION lose_left_calls();
DROP INDEX call_reserved;
DROP TABLE pruned_calls;
REVOKE UPDATE ON rollup FROM pilot_claim;
ALTER TABLE rollup DROP COLUMN pruned;
"""
