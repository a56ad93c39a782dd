"""Sums of the ledger's finished days, so that months are read without their rows."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE INDEX execution_by_time ON execution (created_at);

-- A rolled-up stretch of a day in UTC, and its sums by all that costs are grouped by.
CREATE TABLE rollup (
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (since)
);
CREATE TABLE rollup_line (
    id UUID DEFAULT uuidv7() NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID,
    model TEXT NOT NULL,
    role TEXT NOT NULL,
    intent TEXT,
    step_type TEXT,
    outcome TEXT NOT NULL,
    recorded BOOLEAN NOT NULL,
    baseline_model TEXT,
    calls BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cost NUMERIC NOT NULL,
    unpriced BIGINT NOT NULL,
    wasted NUMERIC NOT NULL,
    wasted_tokens BIGINT NOT NULL,
    wasted_unpriced BIGINT NOT NULL,
    compared BIGINT NOT NULL,
    compared_cost NUMERIC NOT NULL,
    counterfactual NUMERIC NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(since) REFERENCES rollup (since) ON DELETE CASCADE
);
CREATE INDEX rollup_line_by_time ON rollup_line (since);
GRANT SELECT ON rollup, rollup_line TO pilot_app;
GRANT SELECT, INSERT, DELETE ON rollup, rollup_line TO pilot_claim;
ALTER TABLE rollup_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollup_line FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON rollup_line TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON rollup_line TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON rollup_line TO pilot_claim USING (true) WITH CHECK (true);

-- Where a day in UTC is cut: its begin, and the midnights in it of these zones.
CREATE FUNCTION day_cuts(p_day date, p_zones text[]) RETURNS SETOF timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT p_day::timestamp AT TIME ZONE 'UTC'
  UNION
  SELECT m FROM unnest(p_zones) AS zone, generate_series(0, 1) AS later,
         LATERAL (SELECT (p_day + later)::timestamp AT TIME ZONE zone AS m) x
   WHERE m > p_day::timestamp AT TIME ZONE 'UTC' AND m < (p_day + 1)::timestamp AT TIME ZONE 'UTC'
$$;

-- Rolls up the newest day that needs it and returns it, else NULL: a day that is over, none of whose
-- calls is under way, and that is not cut at the midnights of all zones that people have. The
-- minutes after midnight leave time to those transactions that book calls of before: they end
-- within the session's limits, so no call of a rolled day is unseen.
CREATE FUNCTION roll_up() RETURNS date
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
  last date := ((pilot_now() - interval '10 minutes') AT TIME ZONE 'UTC')::date - 1;
  zones text[]; d date; a timestamptz; b timestamptz;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('roll_up')) THEN RETURN NULL; END IF;
  zones := ARRAY(SELECT DISTINCT u.zone FROM app_user u JOIN pg_timezone_names n ON n.name = u.zone);
  FOR d IN SELECT last - n FROM generate_series(0,
      last - (SELECT (min(at) AT TIME ZONE 'UTC')::date FROM call)) AS n ORDER BY n LOOP
    a := d::timestamp AT TIME ZONE 'UTC';
    b := (d + 1)::timestamp AT TIME ZONE 'UTC';
    EXIT WHEN EXISTS (SELECT FROM day_cuts(d, zones) AS cut
                       WHERE NOT EXISTS (SELECT FROM rollup WHERE since = cut))
      AND NOT EXISTS (SELECT FROM call WHERE state = 'reserved' AND at >= a AND at < b);
    d := NULL;
  END LOOP;
  IF d IS NULL THEN RETURN NULL; END IF;
  DELETE FROM rollup WHERE since >= a AND since < b;
  INSERT INTO rollup (since, until)
  SELECT cut, lead(cut, 1, b) OVER (ORDER BY cut) FROM day_cuts(d, zones) AS cut;
  INSERT INTO rollup_line (since, owner_id, agent_id, model, role, intent, step_type, outcome,
      recorded, baseline_model, calls, tokens, input_tokens, cache_read_tokens, cache_write_tokens,
      output_tokens, reasoning_tokens, cost, unpriced, wasted, wasted_tokens, wasted_unpriced,
      compared, compared_cost, counterfactual)
  SELECT since, owner_id, agent_id, model, role, intent, step_type, ended, recorded,
      baseline_model, count(*), sum(sent + answered), sum(input_tokens), sum(cache_read_tokens),
      sum(cache_write_tokens::bigint + cache_write_long_tokens), sum(output_tokens),
      sum(reasoning_tokens), coalesce(sum(cost), 0), count(*) FILTER (WHERE cost IS NULL),
      coalesce(sum(cost) FILTER (WHERE wasted), 0),
      coalesce(sum(sent + answered) FILTER (WHERE wasted), 0),
      count(*) FILTER (WHERE wasted AND cost IS NULL), count(*) FILTER (WHERE compared),
      coalesce(sum(cost) FILTER (WHERE compared), 0),
      coalesce(sum(0.000001 * ((input_tokens::bigint + tokens_saved) * baseline_input
        + cache_read_tokens * baseline_cache_read + cache_write_tokens * baseline_cache_write
        + cache_write_long_tokens * baseline_cache_write_long + answered * baseline_output))
        FILTER (WHERE compared AND NOT wasted), 0)
    FROM (SELECT r.since, c.*, coalesce(c.model_billed, c.model_asked) AS model,
            (SELECT s.type FROM step_execution s WHERE s.execution_id = c.execution_id
                AND s.path = c.path AND s.attempt = c.attempt) AS step_type,
            CASE c.state WHEN 'lost' THEN 'lost' ELSE coalesce(c.reason, c.outcome) END AS ended,
            c.provider = 'scripted' AS recorded,
            c.cost IS NOT NULL AND c.baseline_input IS NOT NULL AS compared,
            c.input_tokens::bigint + c.cache_read_tokens + c.cache_write_tokens
              + c.cache_write_long_tokens AS sent,
            c.output_tokens::bigint + c.reasoning_tokens AS answered
            FROM rollup r JOIN call c ON c.at >= r.since AND c.at < r.until
           WHERE r.since >= a AND r.since < b) one
   GROUP BY since, owner_id, agent_id, model, role, intent, step_type, ended, recorded,
      baseline_model;
  RETURN d;
END $$;

-- The sums of a day hold no longer once one of its rows changes, whoever changes it.
CREATE FUNCTION forget_rollup() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE changed timestamptz;
BEGIN
  FOREACH changed IN ARRAY ARRAY[OLD.at, NEW.at] LOOP
    DELETE FROM rollup WHERE since >= date_trunc('day', changed, 'UTC')
       AND since < date_trunc('day', changed, 'UTC') + interval '24 hours';
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_rollup AFTER INSERT OR UPDATE OR DELETE ON call
  FOR EACH ROW EXECUTE FUNCTION forget_rollup();

REVOKE EXECUTE ON FUNCTION roll_up() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roll_up() TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION roll_up() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""

DOWN = r"""
DROP TRIGGER forget_rollup ON call;
DROP FUNCTION forget_rollup();
DROP FUNCTION roll_up();
DROP FUNCTION day_cuts(date, text[]);
DROP TABLE rollup_line;
DROP TABLE rollup;
DROP INDEX execution_by_time;
"""
