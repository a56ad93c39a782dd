"""Triggers: the schedules of agents, and every fire with the execution that it started."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE agent_trigger (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    cron TEXT,
    every_s INTEGER,
    zone TEXT NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE,
    ends_at TIMESTAMP WITH TIME ZONE,
    jitter_s INTEGER DEFAULT '0' NOT NULL,
    overlap TEXT DEFAULT 'skip' NOT NULL,
    catch_up TEXT DEFAULT 'one' NOT NULL,
    inputs JSON,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    off_reason TEXT DEFAULT '' NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    CHECK (num_nonnulls(cron, every_s) = 1),
    CHECK (overlap IN ('skip', 'queue', 'allow', 'cancel_previous')),
    CHECK (catch_up IN ('none', 'one', 'all'))
);
CREATE INDEX agent_trigger_by_agent ON agent_trigger (agent_id);
CREATE INDEX agent_trigger_due ON agent_trigger (next_at) WHERE active;
CREATE TABLE trigger_fire (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    trigger_id UUID NOT NULL,
    fire_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT DEFAULT 'due' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    execution_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(trigger_id) REFERENCES agent_trigger (id),
    CHECK (status IN ('due', 'waiting', 'started', 'ended', 'skipped', 'refused'))
);
CREATE UNIQUE INDEX trigger_fire_once ON trigger_fire (trigger_id, fire_at);
CREATE INDEX trigger_fire_due ON trigger_fire (due_at) WHERE status = 'due';
CREATE INDEX trigger_fire_open ON trigger_fire (trigger_id, fire_at)
  WHERE status IN ('waiting', 'started');
CREATE INDEX trigger_fire_by_execution ON trigger_fire (execution_id)
  WHERE execution_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON agent_trigger, trigger_fire TO pilot_app;
GRANT SELECT ON agent_trigger, trigger_fire TO pilot_claim;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['agent_trigger', 'trigger_fire'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own ON %I TO pilot_app
      USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id))', t);
    EXECUTE format($p$CREATE POLICY maintain ON %I TO pilot_owner
      USING (current_setting('app.maintain', true) = 'on')$p$, t);
    EXECUTE format('CREATE POLICY claim ON %I TO pilot_claim USING (true)', t);
  END LOOP;
END $$;

-- What a worker has to look at: times that have come, fires that start now or as soon as the
-- execution before has ended, and fires whose execution ended.
CREATE FUNCTION due_triggers(p_limit int) RETURNS TABLE (kind text, id uuid, owner_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE t timestamptz := pilot_now();
BEGIN
  RETURN QUERY
    (SELECT 'ended', f.id, f.owner_id FROM trigger_fire f JOIN execution e ON e.id = f.execution_id
      WHERE f.status = 'started'
        AND e.status IN ('completed', 'completed_with_errors', 'failed', 'cancelled')
      LIMIT p_limit)
    UNION ALL
    (SELECT 'time', a.id, a.owner_id FROM agent_trigger a
      WHERE a.active AND a.next_at <= t ORDER BY a.next_at LIMIT p_limit)
    UNION ALL
    (SELECT 'fire', f.id, f.owner_id FROM trigger_fire f
      WHERE f.status = 'due' AND f.due_at <= t ORDER BY f.due_at LIMIT p_limit)
    UNION ALL
    (SELECT DISTINCT ON (f.trigger_id) 'fire', f.id, f.owner_id FROM trigger_fire f
      WHERE f.status = 'waiting' AND NOT EXISTS (SELECT 1 FROM trigger_fire p
        WHERE p.trigger_id = f.trigger_id AND p.status = 'started')
      ORDER BY f.trigger_id, f.fire_at LIMIT p_limit);
END $$;
REVOKE EXECUTE ON FUNCTION due_triggers(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_triggers(int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION due_triggers(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('AGENT_SCHEDULE_CHANGED', 'warning', '{SOC2}'), ('TRIGGER_DISABLED', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('AGENT_SCHEDULE_CHANGED', 'TRIGGER_DISABLED');
DROP FUNCTION due_triggers(int);
DROP TABLE trigger_fire, agent_trigger;
"""
