"""What Pilot's own events start: agents that follow others, and the workflow policy on_failure."""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


DUE = r"""
DROP FUNCTION due_triggers(int);
CREATE FUNCTION due_triggers(p_limit int)
RETURNS TABLE (kind text, id uuid, owner_id uuid)
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
    (SELECT {kind}, f.id, f.owner_id FROM trigger_fire f
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
"""
UP = r"""
ALTER TABLE agent_trigger ADD COLUMN event TEXT, ADD COLUMN about_agent_id UUID,
  ADD COLUMN statuses TEXT[], ADD COLUMN match TEXT,
  ADD FOREIGN KEY (about_agent_id) REFERENCES agent (id),
  DROP CONSTRAINT agent_trigger_check,
  ADD CONSTRAINT agent_trigger_check CHECK (num_nonnulls(cron, every_s, event) = 1),
  ADD CHECK (event IN ('execution_finished', 'approval_decided'));
CREATE INDEX agent_trigger_by_event ON agent_trigger (owner_id, event)
  WHERE event IS NOT NULL AND active;
ALTER TABLE trigger_fire ALTER COLUMN trigger_id DROP NOT NULL,
  ADD COLUMN kind TEXT DEFAULT 'schedule' NOT NULL, ADD COLUMN cause TEXT,
  ADD COLUMN cause_execution_id UUID, ADD COLUMN depth INTEGER DEFAULT '0' NOT NULL,
  ADD CHECK (kind IN ('schedule', 'event', 'on_failure')),
  ADD CHECK ((trigger_id IS NULL) = (kind = 'on_failure')),
  ADD CHECK ((cause IS NULL) = (kind = 'schedule'));
DROP INDEX trigger_fire_once;
CREATE UNIQUE INDEX trigger_fire_once ON trigger_fire (trigger_id, fire_at)
  WHERE kind = 'schedule';
CREATE UNIQUE INDEX trigger_fire_once_by_event ON trigger_fire (trigger_id, cause)
  WHERE kind = 'event';
CREATE UNIQUE INDEX trigger_fire_once_by_failure ON trigger_fire (cause)
  WHERE kind = 'on_failure';
CREATE INDEX trigger_fire_by_cause ON trigger_fire (cause_execution_id)
  WHERE cause_execution_id IS NOT NULL;
GRANT INSERT ON trigger_fire TO pilot_claim;

-- In the transaction that ends an execution: what follows it is noted, once; a worker starts it.
CREATE FUNCTION note_execution_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  INSERT INTO trigger_fire (owner_id, trigger_id, kind, cause, cause_execution_id, fire_at, due_at)
  SELECT NEW.owner_id, a.id, 'event', NEW.id || ' ' || NEW.status, NEW.id, n.t, n.t
    FROM agent_trigger a CROSS JOIN (SELECT pilot_now() AS t) n
   WHERE a.owner_id = NEW.owner_id AND a.event = 'execution_finished' AND a.active
     AND a.agent_id <> NEW.agent_id AND coalesce(a.about_agent_id, NEW.agent_id) = NEW.agent_id
     AND (a.statuses IS NULL OR NEW.status = ANY (a.statuses))
  ON CONFLICT DO NOTHING;
  IF NEW.status = 'failed' AND NEW.runs = 'pilot_steps' AND EXISTS (
      SELECT 1 FROM workflow_version v WHERE v.id = NEW.version_id
         AND json_typeof(v.document #> '{policies,on_failure}') = 'object') THEN
    INSERT INTO trigger_fire (owner_id, kind, cause, cause_execution_id, fire_at, due_at)
    SELECT NEW.owner_id, 'on_failure', NEW.id::text, NEW.id, n.t, n.t
      FROM (SELECT pilot_now() AS t) n
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION note_approval_decision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  INSERT INTO trigger_fire (owner_id, trigger_id, kind, cause, cause_execution_id, fire_at, due_at)
  SELECT NEW.owner_id, a.id, 'event', NEW.id::text, NEW.execution_id, n.t, n.t
    FROM agent_trigger a CROSS JOIN (SELECT pilot_now() AS t) n
    JOIN execution e ON e.id = NEW.execution_id
   WHERE a.owner_id = NEW.owner_id AND a.event = 'approval_decided' AND a.active
     AND a.agent_id <> e.agent_id AND coalesce(a.about_agent_id, e.agent_id) = e.agent_id
     AND (a.statuses IS NULL OR NEW.decision = ANY (a.statuses))
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER execution_end AFTER UPDATE OF status ON execution FOR EACH ROW
  WHEN (NEW.status IN ('completed', 'completed_with_errors', 'failed', 'cancelled')
        AND OLD.status <> NEW.status)
  EXECUTE FUNCTION note_execution_end();
CREATE TRIGGER approval_decision AFTER UPDATE OF decision ON approval FOR EACH ROW
  WHEN (NEW.decision IN ('approved', 'rejected', 'expired') AND OLD.decision IS NULL)
  EXECUTE FUNCTION note_approval_decision();
REVOKE EXECUTE ON FUNCTION note_execution_end(), note_approval_decision() FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION note_execution_end() OWNER TO pilot_claim;
ALTER FUNCTION note_approval_decision() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
""" + DUE.format(kind="CASE f.kind WHEN 'schedule' THEN 'fire' ELSE 'event' END")

DOWN = r"""
DROP TRIGGER approval_decision ON approval;
DROP TRIGGER execution_end ON execution;
DROP FUNCTION note_approval_decision();
DROP FUNCTION note_execution_end();
SET LOCAL app.maintain = 'on';
DELETE FROM trigger_fire WHERE kind <> 'schedule';
DELETE FROM agent_trigger WHERE event IS NOT NULL;
DROP INDEX trigger_fire_by_cause, trigger_fire_once_by_failure, trigger_fire_once_by_event,
  trigger_fire_once, agent_trigger_by_event;
ALTER TABLE trigger_fire ALTER COLUMN trigger_id SET NOT NULL, DROP COLUMN kind,
  DROP COLUMN cause, DROP COLUMN cause_execution_id, DROP COLUMN depth;
CREATE UNIQUE INDEX trigger_fire_once ON trigger_fire (trigger_id, fire_at);
ALTER TABLE agent_trigger DROP COLUMN event, DROP COLUMN about_agent_id, DROP COLUMN statuses,
  DROP COLUMN match,
  ADD CONSTRAINT agent_trigger_check CHECK (num_nonnulls(cron, every_s) = 1);
REVOKE INSERT ON trigger_fire FROM pilot_claim;
""" + DUE.format(kind="'fire'")
