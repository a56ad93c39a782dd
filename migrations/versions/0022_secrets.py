"""Secrets of people, which workflows name and only the egress client fills in."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE secret (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    name TEXT NOT NULL,
    sealed TEXT,
    version INTEGER NOT NULL,
    hosts TEXT[] NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    UNIQUE (owner_id, name)
);
GRANT SELECT, INSERT, UPDATE ON secret TO pilot_app;
GRANT SELECT ON secret TO pilot_claim;
GRANT SELECT ON provider TO pilot_claim;
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON secret TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON secret TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON secret TO pilot_claim USING (true);

-- All that is sealed, whoever owns it: every process hides it in what it writes.
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
INSERT INTO audit_event (name, severity, flags) VALUES
  ('SECRET_SET', 'warning', '{SOC2}'), ('SECRET_DELETED', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('SECRET_SET', 'SECRET_DELETED');
DROP FUNCTION known_secrets();
DROP TABLE secret;
REVOKE SELECT ON provider FROM pilot_claim;
"""
