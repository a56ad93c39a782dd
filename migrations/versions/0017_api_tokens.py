"""Tokens of programs: their hash, what they may do, for how long, and when they were used last."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE api_token (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    agent_ids UUID[],
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    used_at TIMESTAMP WITH TIME ZONE,
    used_from TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    UNIQUE (token_hash)
);
CREATE INDEX api_token_by_owner ON api_token (owner_id);
ALTER TABLE api_token ADD CONSTRAINT api_token_kind CHECK (kind IN ('person', 'agent'));
GRANT SELECT, INSERT, UPDATE ON api_token TO pilot_app, pilot_claim;
ALTER TABLE api_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_token FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_token TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON api_token TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON api_token TO pilot_claim USING (true) WITH CHECK (true);

-- Whose live token this is; its use is noted at most once a minute.
CREATE FUNCTION use_token(p_hash bytea, p_address text)
RETURNS TABLE (id uuid, owner_id uuid, label text, kind text, scopes text[], agent_ids uuid[],
               email text, name text, roles text[], zone text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
  UPDATE api_token t SET used_at = pilot_now(), used_from = p_address
   WHERE t.token_hash = p_hash
     AND (t.used_at IS NULL OR t.used_at < pilot_now() - interval '1 minute');
  RETURN QUERY SELECT t.id, t.owner_id, t.label, t.kind, t.scopes, t.agent_ids, u.email, u.name,
         u.roles, u.zone
    FROM api_token t JOIN app_user u ON u.id = t.owner_id
   WHERE t.token_hash = p_hash AND t.revoked_at IS NULL AND t.expires_at > pilot_now()
     AND u.active;
END $$;
REVOKE EXECUTE ON FUNCTION use_token(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION use_token(bytea, text) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION use_token(bytea, text) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('SETTINGS_API_KEY_CREATED', 'critical', '{SOC2}'),
  ('SETTINGS_API_KEY_REVOKED', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('SETTINGS_API_KEY_CREATED', 'SETTINGS_API_KEY_REVOKED');
DROP FUNCTION use_token(bytea, text);
DROP TABLE api_token;
"""
