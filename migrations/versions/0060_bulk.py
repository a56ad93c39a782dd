"""One action for many executions: what was asked, and a row for each execution that matched."""

from alembic import op

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE bulk (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    action TEXT NOT NULL,
    filters JSON NOT NULL,
    sees_all BOOLEAN NOT NULL,
    actor JSON NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    previewed INTEGER,
    matched INTEGER DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    CHECK (action IN ('cancel', 'pause', 'resume', 'retry'))
);
CREATE INDEX bulk_by_owner ON bulk (owner_id, created_at, id);
CREATE INDEX bulk_open ON bulk (created_at) WHERE finished_at IS NULL;
CREATE INDEX bulk_old ON bulk (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE bulk_item (
    bulk_id UUID NOT NULL,
    execution_id UUID NOT NULL,
    owner_id UUID NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (bulk_id, execution_id),
    FOREIGN KEY(bulk_id) REFERENCES bulk (id) ON DELETE CASCADE,
    CHECK (status IN ('open', 'done', 'skipped', 'failed'))
);
CREATE INDEX bulk_item_open ON bulk_item (bulk_id, execution_id) WHERE status = 'open';

GRANT SELECT, INSERT, UPDATE ON bulk, bulk_item TO pilot_app;
GRANT SELECT, DELETE ON bulk, bulk_item TO pilot_claim;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['bulk', 'bulk_item'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own ON %I TO pilot_app
      USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id))', t);
    EXECUTE format($p$CREATE POLICY maintain ON %I TO pilot_owner
      USING (current_setting('app.maintain', true) = 'on')$p$, t);
    EXECUTE format('CREATE POLICY claim ON %I TO pilot_claim USING (true)', t);
  END LOOP;
END $$;

-- What a worker has to do of the oldest that are open, some of each; no execution: see whether that
-- one is finished.
CREATE FUNCTION due_bulk_items(p_bulks int, p_items int)
RETURNS TABLE (bulk_id uuid, execution_id uuid, owner_id uuid, sees_all bool, action text, actor json)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT b.id, i.execution_id, b.owner_id, b.sees_all, b.action, b.actor
    FROM (SELECT * FROM bulk WHERE finished_at IS NULL ORDER BY created_at LIMIT p_bulks) AS b
    LEFT JOIN LATERAL (SELECT x.execution_id FROM bulk_item x
      WHERE x.bulk_id = b.id AND x.status = 'open' AND x.due_at <= pilot_now()
      ORDER BY x.execution_id LIMIT p_items) AS i ON true $$;
CREATE FUNCTION prune_bulks(p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE gone int;
BEGIN
  DELETE FROM bulk WHERE id IN (SELECT id FROM bulk
    WHERE finished_at < pilot_now() - make_interval(days => greatest(p_days, 1))
    LIMIT least(p_limit, 20));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE EXECUTE ON FUNCTION due_bulk_items(int, int), prune_bulks(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_bulk_items(int, int), prune_bulks(int, int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION due_bulk_items(int, int) OWNER TO pilot_claim;
ALTER FUNCTION prune_bulks(int, int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES ('PILOT_BULK_STARTED', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name = 'PILOT_BULK_STARTED';
DROP FUNCTION due_bulk_items(int, int);
DROP FUNCTION prune_bulks(int, int);
DROP TABLE bulk_item, bulk;
"""
