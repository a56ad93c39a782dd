"""Fires of triggers and deliveries to webhooks go after a while, as executions do."""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE FUNCTION prune_fires(p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE came int; gone int; t timestamptz := pilot_now() - make_interval(days => greatest(p_days, 1));
BEGIN
  DELETE FROM trigger_fire WHERE id IN (SELECT id FROM trigger_fire
    WHERE fire_at < t AND status IN ('ended', 'skipped', 'refused') LIMIT p_limit);
  GET DIAGNOSTICS gone = ROW_COUNT;
  DELETE FROM hook_delivery WHERE id IN (SELECT id FROM hook_delivery WHERE at < t LIMIT p_limit);
  GET DIAGNOSTICS came = ROW_COUNT;
  RETURN gone + came;
END $$;
CREATE INDEX trigger_fire_old ON trigger_fire (fire_at)
  WHERE status IN ('ended', 'skipped', 'refused');
GRANT DELETE ON trigger_fire, hook_delivery TO pilot_claim;
GRANT SELECT ON hook_delivery TO pilot_claim;
CREATE POLICY claim ON hook_delivery TO pilot_claim USING (true);
REVOKE EXECUTE ON FUNCTION prune_fires(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_fires(int, int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION prune_fires(int, int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
DOWN = r"""
DROP FUNCTION prune_fires(int, int);
DROP POLICY claim ON hook_delivery;
REVOKE SELECT ON hook_delivery FROM pilot_claim;
REVOKE DELETE ON trigger_fire, hook_delivery FROM pilot_claim;
DROP INDEX trigger_fire_old;
"""
