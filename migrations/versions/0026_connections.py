"""Connections: accounts of people at foreign places, each with one sealed secret."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE connection (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    plugin TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    fields JSON NOT NULL,
    sealed TEXT NOT NULL,
    secret_ending TEXT NOT NULL,
    secret_set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    state TEXT DEFAULT 'untested' NOT NULL,
    reason TEXT,
    account TEXT,
    tested_at TIMESTAMP WITH TIME ZONE,
    tested_ms INTEGER,
    last_used_at TIMESTAMP WITH TIME ZONE,
    shared BOOLEAN NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id)
);
CREATE UNIQUE INDEX connection_by_label ON connection (owner_id, plugin, lower(label));
ALTER TABLE connection ADD CONSTRAINT connection_state CHECK (state IN
  ('untested', 'ok', 'failing', 'reconnect', 'disabled'));
GRANT SELECT, INSERT, UPDATE, DELETE ON connection TO pilot_app;
GRANT SELECT, UPDATE ON connection TO pilot_claim;
ALTER TABLE connection ENABLE ROW LEVEL SECURITY;
ALTER TABLE connection FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON connection TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY shared ON connection FOR SELECT TO pilot_app
  USING (shared AND nullif(current_setting('app.user_id', true), '') IS NOT NULL);
CREATE POLICY maintain ON connection TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON connection TO pilot_claim USING (true) WITH CHECK (true);

-- What a use of a connection showed. Who may use a shared one may note that, and nothing else of it.
CREATE FUNCTION note_connection(p_id uuid, p_version int, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF p_reason IS NULL THEN
    UPDATE connection SET last_used_at = pilot_now()
     WHERE id = p_id AND (is_mine(owner_id) OR shared)
       AND (last_used_at IS NULL OR last_used_at < pilot_now() - interval '1 minute');
  ELSE
    UPDATE connection SET state = 'reconnect', reason = p_reason
     WHERE id = p_id AND version = p_version AND (is_mine(owner_id) OR shared)
       AND state NOT IN ('disabled', 'reconnect');
  END IF;
  RETURN FOUND;
END $$;
DROP FUNCTION known_secrets();
CREATE FUNCTION known_secrets()
RETURNS TABLE (place text, row_id text, version int, owner_id text, sealed text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT 'provider', p.name, p.key_version, NULL, p.sealed
    FROM provider p WHERE p.sealed IS NOT NULL
  UNION ALL SELECT 'secret', s.id::text, s.version, s.owner_id::text, s.sealed
    FROM secret s WHERE s.sealed IS NOT NULL
  UNION ALL SELECT 'connection', c.id::text, c.version, c.owner_id::text, c.sealed
    FROM connection c
$$;
REVOKE EXECUTE ON FUNCTION known_secrets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION known_secrets() TO pilot_app;
REVOKE EXECUTE ON FUNCTION note_connection(uuid, int, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_connection(uuid, int, text) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION note_connection(uuid, int, text) OWNER TO pilot_claim;
ALTER FUNCTION known_secrets() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('PLUGIN_CONNECTED', 'info', '{SOC2}'),
  ('PLUGIN_DISCONNECTED', 'warning', '{SOC2}'),
  ('PLUGIN_RECONNECTED', 'info', '{SOC2}'),
  ('PLUGIN_AUTH_FAILED', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('PLUGIN_CONNECTED', 'PLUGIN_DISCONNECTED',
  'PLUGIN_RECONNECTED', 'PLUGIN_AUTH_FAILED');
DROP FUNCTION note_connection(uuid, int, text);
DROP FUNCTION known_secrets();
CREATE FUNCTION known_secrets()
RETURNS TABLE (place text, row_id text, version int, owner_id text, sealed text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT 'provider', p.name, p.key_version, NULL, p.sealed
    FROM provider p WHERE p.sealed IS NOT NULL
  UNION ALL SELECT 'secret', s.id::text, s.version, s.owner_id::text, s.sealed
    FROM secret s WHERE s.sealed IS NOT NULL
$$;
REVOKE EXECUTE ON FUNCTION known_secrets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION known_secrets() TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION known_secrets() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
DROP TABLE connection;
"""
