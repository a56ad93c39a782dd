"""What is kept for how long: records emptied, outputs and old rows deleted, sums kept."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE execution ADD COLUMN pruned_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX execution_unpruned ON execution (finished_at)
  WHERE pruned_at IS NULL AND finished_at IS NOT NULL;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('AUDIT_PRUNED', 'warning', '{SOC2}'),
  ('DATA_PRUNED', 'warning', '{SOC2,GDPR}');

-- An emptied record is {}; chain, seq, time and hashes stay, so the links still verify.
ALTER TABLE audit ALTER COLUMN event
  SET EXPRESSION AS (coalesce(record::json ->> 'event', ''));
GRANT UPDATE ON audit TO pilot_audit;
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND current_user = 'pilot_audit' AND NEW.record = '{}'
     AND (NEW.chain, NEW.seq, NEW.at, NEW.prev, NEW.hash)
       = (OLD.chain, OLD.seq, OLD.at, OLD.prev, OLD.hash) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
DROP TRIGGER append_only ON audit;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();

-- Empties records and says which in a record of its own, which is never emptied: a record that is
-- empty without that was tampered with.
CREATE FUNCTION empty_records(p_chains text[], p_seqs bigint[], p_why text, p_about json)
RETURNS int LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE ranges json;
BEGIN
  IF cardinality(p_chains) = 0 THEN RETURN 0; END IF;
  UPDATE audit a SET record = '{}' FROM unnest(p_chains, p_seqs) AS x(c, s)
   WHERE a.chain = x.c AND a.seq = x.s;
  SELECT json_agg(json_build_array(chain, first, last) ORDER BY chain, first) INTO ranges FROM (
    SELECT chain, min(seq) AS first, max(seq) AS last FROM (
      SELECT c AS chain, s AS seq, s - row_number() OVER (PARTITION BY c ORDER BY s) AS island
        FROM unnest(p_chains, p_seqs) AS x(c, s)) y
     GROUP BY chain, island) z;
  PERFORM audit_append(ARRAY['system'], ARRAY[NULL::uuid], ARRAY[json_build_object(
    'actor', 'system', 'event', 'AUDIT_PRUNED', 'severity', 'warning', 'object', p_about,
    'details', json_build_object('why', p_why, 'records', cardinality(p_chains),
      'emptied', ranges))::text]);
  RETURN cardinality(p_chains);
END $$;

CREATE FUNCTION audit_prune(p_days int, p_critical_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE chains text[]; seqs bigint[];
BEGIN
  IF least(p_days, p_critical_days) < 30 THEN
    RAISE EXCEPTION 'the audit trail is kept for 30 days at least' USING ERRCODE = 'check_violation';
  END IF;
  SELECT coalesce(array_agg(x.chain), '{}'), coalesce(array_agg(x.seq), '{}') INTO chains, seqs
    FROM (SELECT y.chain, y.seq FROM audit_event e CROSS JOIN LATERAL (
        SELECT a.chain, a.seq FROM audit a WHERE a.event = e.name AND a.at < pilot_now()
          - make_interval(days => CASE e.severity WHEN 'critical' THEN p_critical_days
                                                  ELSE p_days END)
         LIMIT p_limit FOR UPDATE SKIP LOCKED) y
       WHERE e.name <> 'AUDIT_PRUNED' LIMIT p_limit) x;
  RETURN empty_records(chains, seqs, 'retention', '{"type":"table","id":"audit"}');
END $$;

-- Ended executions lose their timeline and what their steps were given and gave.
CREATE FUNCTION prune_executions(p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE ids uuid[];
BEGIN
  ids := ARRAY(SELECT id FROM execution WHERE pruned_at IS NULL AND finished_at IS NOT NULL
    AND finished_at < pilot_now() - make_interval(days => greatest(p_days, 1))
    ORDER BY finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  DELETE FROM event WHERE execution_id = ANY (ids);
  UPDATE step_execution SET input = NULL, output = NULL, notes = NULL
   WHERE execution_id = ANY (ids);
  UPDATE wait SET resolution = NULL WHERE execution_id = ANY (ids);
  UPDATE execution SET output = NULL, pruned_at = pilot_now() WHERE id = ANY (ids);
  RETURN cardinality(ids);
END $$;

-- Calls go by whole days, the oldest first, and only days that are rolled up: their sums stay. A day
-- before the oldest call is never rolled up again.
CREATE FUNCTION prune_calls(p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
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
END $$;
CREATE OR REPLACE FUNCTION forget_rollup() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE changed timestamptz;
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('app.pruning', true) = 'on' THEN RETURN NULL; END IF;
  FOREACH changed IN ARRAY ARRAY[OLD.at, NEW.at] LOOP
    DELETE FROM rollup WHERE since >= date_trunc('day', changed, 'UTC')
       AND since < date_trunc('day', changed, 'UTC') + interval '24 hours';
  END LOOP;
  RETURN NULL;
END $$;

-- Sessions and links that ended; and what is kept for hours or days only, whatever the settings say.
CREATE FUNCTION prune_sessions(p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE gone int; t timestamptz := pilot_now() - make_interval(days => greatest(p_days, 1));
BEGIN
  DELETE FROM user_session WHERE id IN (SELECT id FROM user_session
    WHERE coalesce(ended_at, last_seen_at) < t LIMIT p_limit);
  GET DIAGNOSTICS gone = ROW_COUNT;
  DELETE FROM one_time_token WHERE expires_at < t;
  DELETE FROM sign_in_failure WHERE at < pilot_now() - interval '1 day';
  DELETE FROM request_key WHERE created_at < pilot_now() - interval '1 day';
  DELETE FROM outbox WHERE coalesce(sent_at, dead_at, dropped_at) < pilot_now() - interval '7 days';
  RETURN gone;
END $$;

GRANT DELETE ON event, call, user_session, one_time_token, sign_in_failure, request_key, outbox
  TO pilot_claim;
GRANT SELECT ON user_session, one_time_token, sign_in_failure, request_key TO pilot_claim;
CREATE POLICY claim ON request_key TO pilot_claim USING (true) WITH CHECK (true);
REVOKE EXECUTE ON FUNCTION empty_records(text[], bigint[], text, json),
  audit_prune(int, int, int), prune_executions(int, int), prune_calls(int, int),
  prune_sessions(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_prune(int, int, int), prune_executions(int, int),
  prune_calls(int, int), prune_sessions(int, int) TO pilot_app;
GRANT EXECUTE ON FUNCTION empty_records(text[], bigint[], text, json) TO pilot_audit;
GRANT CREATE ON SCHEMA public TO pilot_claim, pilot_audit;
ALTER FUNCTION empty_records(text[], bigint[], text, json) OWNER TO pilot_audit;
ALTER FUNCTION audit_prune(int, int, int) OWNER TO pilot_audit;
ALTER FUNCTION prune_executions(int, int) OWNER TO pilot_claim;
ALTER FUNCTION prune_calls(int, int) OWNER TO pilot_claim;
ALTER FUNCTION prune_sessions(int, int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim, pilot_audit;
"""

DOWN = r"""
DROP FUNCTION audit_prune(int, int, int);
DROP FUNCTION empty_records(text[], bigint[], text, json);
DROP FUNCTION prune_executions(int, int);
DROP FUNCTION prune_calls(int, int);
DROP FUNCTION prune_sessions(int, int);
DROP POLICY claim ON request_key;
REVOKE DELETE ON event, call, user_session, one_time_token, sign_in_failure, request_key, outbox
  FROM pilot_claim;
REVOKE SELECT ON user_session, one_time_token, sign_in_failure, request_key FROM pilot_claim;
CREATE OR REPLACE FUNCTION forget_rollup() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE changed timestamptz;
BEGIN
  FOREACH changed IN ARRAY ARRAY[OLD.at, NEW.at] LOOP
    DELETE FROM rollup WHERE since >= date_trunc('day', changed, 'UTC')
       AND since < date_trunc('day', changed, 'UTC') + interval '24 hours';
  END LOOP;
  RETURN NULL;
END $$;
DROP TRIGGER append_only ON audit;
DROP FUNCTION refuse_audit_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
REVOKE UPDATE ON audit FROM pilot_audit;
ALTER TABLE audit ALTER COLUMN event SET EXPRESSION AS (record::json ->> 'event');
DELETE FROM audit_event WHERE name IN ('AUDIT_PRUNED', 'DATA_PRUNED');
DROP INDEX execution_unpruned;
ALTER TABLE execution DROP COLUMN pruned_at;
"""
