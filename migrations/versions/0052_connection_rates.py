"""Rates of connections: how many calls in a minute, shared by all workers."""

from alembic import op

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE connection ADD COLUMN rate_per_minute INTEGER;
ALTER TABLE connection ADD CONSTRAINT connection_rate CHECK (rate_per_minute BETWEEN 1 AND 6000);

CREATE TABLE connection_turn (
    id UUID DEFAULT uuidv7() NOT NULL,
    connection_id UUID NOT NULL,
    key UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE CASCADE
);
CREATE INDEX connection_turn_at ON connection_turn (connection_id, at);
CREATE UNIQUE INDEX connection_turn_key ON connection_turn (connection_id, key);
GRANT SELECT ON connection_turn TO pilot_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON connection_turn TO pilot_claim;

-- Lets a call over a connection go now (0), or says in how many seconds its turn is. A turn is kept
-- by the call's key: who comes back for it stands where it stood, also after a crash. Who comes
-- for the first time stands behind all that wait; who comes for its turn is held back only by calls
-- that were let go, so that in any 60 seconds there are never more, however late workers come.
CREATE FUNCTION take_turn(p_id uuid, p_key uuid) RETURNS double precision
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  v_rate int; v_now timestamptz; v_mine timestamptz; v_before timestamptz;
  v_minute CONSTANT interval := '60 s';
  v_late CONSTANT interval := '2 s';  -- timers are: whose turn comes need not wait a second time
BEGIN
  SELECT rate_per_minute INTO v_rate FROM connection
   WHERE id = p_id AND (is_mine(owner_id) OR shared) FOR NO KEY UPDATE;
  IF v_rate IS NULL THEN RETURN 0; END IF;
  v_now := pilot_now();
  DELETE FROM connection_turn WHERE connection_id = p_id AND at <= v_now - v_minute;
  SELECT at INTO v_mine FROM connection_turn WHERE connection_id = p_id AND key = p_key;
  IF v_mine > v_now THEN RETURN extract(epoch FROM v_mine - v_now); END IF;
  SELECT at INTO v_before FROM connection_turn
   WHERE connection_id = p_id AND (key IS NULL OR v_mine IS NULL)
   ORDER BY at DESC OFFSET v_rate - 1 LIMIT 1;
  DELETE FROM connection_turn WHERE connection_id = p_id AND key = p_key;
  IF v_before IS NULL THEN
    INSERT INTO connection_turn (connection_id, at) VALUES (p_id, v_now);
    RETURN 0;
  END IF;
  v_mine := v_before + v_minute + v_late;
  INSERT INTO connection_turn (connection_id, key, at) VALUES (p_id, p_key, v_mine);
  RETURN extract(epoch FROM v_mine - v_now);
END $$;

-- Another rate: what waits stands in line anew.
CREATE FUNCTION connection_rate_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  DELETE FROM connection_turn WHERE connection_id = NEW.id AND key IS NOT NULL;
  PERFORM resolve_wait(w.id, '{"rate": "changed"}') FROM wait w
   WHERE w.kind = 'turn' AND w.resolved_at IS NULL AND w.consumed_at IS NULL
     AND w.asked ->> 'connection' = NEW.id::text
   ORDER BY w.execution_id;
  RETURN NULL;
END $$;
CREATE TRIGGER connection_rate_changed AFTER UPDATE OF rate_per_minute ON connection FOR EACH ROW
  WHEN (OLD.rate_per_minute IS DISTINCT FROM NEW.rate_per_minute)
  EXECUTE FUNCTION connection_rate_changed();
CREATE INDEX wait_turn ON wait ((asked ->> 'connection'))
  WHERE kind = 'turn' AND resolved_at IS NULL AND consumed_at IS NULL;

-- Breakers of addresses: one that nobody called in vain for a day says nothing any more.
CREATE FUNCTION prune_breakers(p_batch int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE v_gone int;
BEGIN
  DELETE FROM model_state WHERE model_id IN (
    SELECT model_id FROM model_state WHERE model_id LIKE 'host:%' AND NOT EXISTS (
      SELECT 1 FROM unnest(failed_at) f WHERE f > pilot_now() - interval '1 day')
    ORDER BY model_id LIMIT p_batch FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_gone = ROW_COUNT;
  RETURN v_gone;
END $$;
REVOKE EXECUTE ON FUNCTION prune_breakers(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_breakers(int) TO pilot_app;
GRANT SELECT, UPDATE, DELETE ON model_state TO pilot_claim;
REVOKE EXECUTE ON FUNCTION connection_rate_changed() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION take_turn(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_turn(uuid, uuid) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION take_turn(uuid, uuid) OWNER TO pilot_claim;
ALTER FUNCTION connection_rate_changed() OWNER TO pilot_claim;
ALTER FUNCTION prune_breakers(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES ('PLUGIN_RATE_CHANGED', 'info', '{SOC2}');
"""
DOWN = r"""
DELETE FROM audit_event WHERE name = 'PLUGIN_RATE_CHANGED';
DROP FUNCTION prune_breakers(int);
REVOKE SELECT, UPDATE, DELETE ON model_state FROM pilot_claim;
DELETE FROM model_state WHERE model_id LIKE 'host:%';
DROP INDEX wait_turn;
DROP TRIGGER connection_rate_changed ON connection;
DROP FUNCTION connection_rate_changed();
DROP FUNCTION take_turn(uuid, uuid);
DROP TABLE connection_turn;
ALTER TABLE connection DROP COLUMN rate_per_minute;
"""
