"""Events that steps wait for: what a wait wants, and the inbox of what came."""

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.execute(UP)
    _reword(REWORDED)


def downgrade() -> None:
    _reword([(after, before) for before, after in REWORDED])
    op.execute(DOWN)


def _reword(pairs: list[tuple[str, str]]) -> None:
    """Change words of `checkpoint_waits`; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(known=known, body=body))


REWORDED = [
    (
        "approval json, consumed boolean)\n",
        "approval json, event text, asked json, consumed boolean)\n",
    ),
    (
        "kind, wake_at, opened_at, resolved_at,\n",
        "kind, event, asked, wake_at, opened_at, resolved_at,\n",
    ),
    ("owner_id, path, kind,\n", "owner_id, path, kind, event, asked,\n"),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef(
  'checkpoint_waits(json,int[],uuid[],uuid[],timestamptz)'::regprocedure);
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION 'checkpoint_waits reads otherwise'; END IF;
  EXECUTE {body};
END $do$;
"""
UP = r"""
ALTER TABLE wait ADD COLUMN event TEXT, ADD COLUMN asked JSON,
  ADD COLUMN looked_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX wait_event ON wait (owner_id, event, id)
  WHERE event IS NOT NULL AND resolved_at IS NULL AND consumed_at IS NULL;
CREATE INDEX wait_unlooked ON wait (opened_at)
  WHERE event IS NOT NULL AND resolved_at IS NULL AND consumed_at IS NULL AND looked_at IS NULL;

CREATE TABLE inbox (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload JSON NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    looked_at TIMESTAMP WITH TIME ZONE,
    consumed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    UNIQUE (owner_id, source, event_id)
);
CREATE INDEX inbox_kept ON inbox (owner_id, name, id) WHERE consumed_at IS NULL;
CREATE INDEX inbox_unlooked ON inbox (received_at) WHERE looked_at IS NULL;
CREATE INDEX inbox_by_time ON inbox (received_at);
GRANT SELECT, INSERT, UPDATE ON inbox TO pilot_app;
GRANT SELECT, UPDATE, DELETE ON inbox TO pilot_claim;
ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE inbox FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON inbox TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON inbox TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON inbox TO pilot_claim USING (true);

-- What nobody has looked at yet: events whose receiver died, and waits that were opened since. A
-- wait that no kept event is called like needs no look: what comes later looks for it.
CREATE FUNCTION unlooked_events(p_limit int) RETURNS TABLE (kind text, id uuid, owner_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT 'event', i.id, i.owner_id FROM inbox i
    WHERE i.looked_at IS NULL AND i.received_at < pilot_now() - interval '2 s'
    ORDER BY i.received_at LIMIT p_limit;
  RETURN QUERY
    WITH opened AS MATERIALIZED (
      SELECT w.id, w.owner_id, w.event FROM wait w
       WHERE w.event IS NOT NULL AND w.resolved_at IS NULL AND w.consumed_at IS NULL
         AND w.looked_at IS NULL
       ORDER BY w.opened_at LIMIT p_limit FOR UPDATE OF w SKIP LOCKED
    ), hopeful AS MATERIALIZED (
      SELECT o.id, o.owner_id FROM opened o WHERE EXISTS (SELECT 1 FROM inbox i
        WHERE i.owner_id = o.owner_id AND i.name = o.event AND i.consumed_at IS NULL)
    ), done AS (
      UPDATE wait w SET looked_at = pilot_now() FROM opened o
       WHERE w.id = o.id AND NOT EXISTS (SELECT 1 FROM hopeful h WHERE h.id = o.id))
    SELECT 'wait', h.id, h.owner_id FROM hopeful h;
END $$;

-- Events are kept for a day: by then their ids need not be known any more either.
CREATE FUNCTION prune_inbox(p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE gone int;
BEGIN
  DELETE FROM inbox WHERE id IN (SELECT i.id FROM inbox i
    WHERE i.received_at < pilot_now() - interval '24 hours' LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE EXECUTE ON FUNCTION unlooked_events(int), prune_inbox(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unlooked_events(int), prune_inbox(int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION unlooked_events(int) OWNER TO pilot_claim;
ALTER FUNCTION prune_inbox(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('EVENT_RECEIVED', 'info', '{SOC2}'), ('WAIT_RESOLVED', 'info', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('EVENT_RECEIVED', 'WAIT_RESOLVED');
DROP FUNCTION prune_inbox(int);
DROP FUNCTION unlooked_events(int);
DROP TABLE inbox;
DROP INDEX wait_event;
DROP INDEX wait_unlooked;
ALTER TABLE wait DROP COLUMN event, DROP COLUMN asked, DROP COLUMN looked_at;
"""
