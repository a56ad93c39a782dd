"""Incoming webhooks: what starts an agent from outside, and every delivery that had an answer."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


KNOWN = r"""
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
  {hooks}
$$;
REVOKE EXECUTE ON FUNCTION known_secrets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION known_secrets() TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION known_secrets() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
HOOKS = r"""
  UNION ALL SELECT 'hook', h.id::text, h.version, h.owner_id::text, h.sealed
    FROM hook h WHERE h.sealed IS NOT NULL
  UNION ALL SELECT 'hook', h.id::text, h.version - 1, h.owner_id::text, h.before_sealed
    FROM hook h WHERE h.before_sealed IS NOT NULL
"""
UP = r"""
CREATE TABLE hook (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    token TEXT NOT NULL,
    sealed TEXT,
    before_sealed TEXT,
    before_until TIMESTAMP WITH TIME ZONE,
    version INTEGER DEFAULT '1' NOT NULL,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    UNIQUE (token)
);
CREATE INDEX hook_by_agent ON hook (agent_id);
CREATE TABLE hook_delivery (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    hook_id UUID NOT NULL,
    message_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    address TEXT NOT NULL,
    execution_id UUID,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(hook_id) REFERENCES hook (id)
);
CREATE INDEX hook_delivery_by_hook ON hook_delivery (hook_id, id DESC);
CREATE UNIQUE INDEX hook_delivery_once ON hook_delivery (hook_id, execution_id)
  WHERE status = 202;
GRANT SELECT, INSERT, UPDATE ON hook TO pilot_app;
GRANT SELECT, INSERT ON hook_delivery TO pilot_app;
GRANT SELECT ON hook TO pilot_claim;
ALTER TABLE hook ENABLE ROW LEVEL SECURITY;
ALTER TABLE hook FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON hook TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON hook TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON hook TO pilot_claim USING (true);
ALTER TABLE hook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE hook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON hook_delivery TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON hook_delivery TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');

-- Whose live webhook answers at this address.
CREATE FUNCTION find_hook(p_token text) RETURNS TABLE (id uuid, owner_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT h.id, h.owner_id FROM hook h
    JOIN agent a ON a.id = h.agent_id JOIN app_user u ON u.id = h.owner_id
   WHERE h.token = p_token AND h.active AND h.sealed IS NOT NULL AND a.deleted_at IS NULL
     AND u.active
$$;
REVOKE EXECUTE ON FUNCTION find_hook(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_hook(text) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION find_hook(text) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('HOOK_CHANGED', 'warning', '{SOC2}'), ('TRIGGER_FIRED', 'info', '{SOC2}'),
  ('TRIGGER_REJECTED', 'warning', '{SOC2}');
""" + KNOWN.format(hooks=HOOKS)

DOWN = (
    KNOWN.format(hooks="")
    + r"""
DELETE FROM audit_event WHERE name IN ('HOOK_CHANGED', 'TRIGGER_FIRED', 'TRIGGER_REJECTED');
DROP FUNCTION find_hook(text);
DROP TABLE hook_delivery, hook;
"""
)
