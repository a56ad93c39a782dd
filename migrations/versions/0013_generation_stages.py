"""Generations that ask models run on workers, and what happened in each is kept, stage by stage."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE generation
  ADD COLUMN stage TEXT DEFAULT 'done' NOT NULL,
  ADD COLUMN worker_id UUID,
  ADD COLUMN runs INTEGER DEFAULT '0' NOT NULL,
  ADD COLUMN seq INTEGER DEFAULT '0' NOT NULL,
  ADD COLUMN failure TEXT,
  ADD COLUMN fallback_reason TEXT,
  ADD COLUMN wasted_usd NUMERIC(20, 12) DEFAULT '0' NOT NULL,
  ADD COLUMN cache_key TEXT;
ALTER TABLE generation ADD CONSTRAINT generation_stage CHECK (stage IN (
  'queued', 'running', 'done'));
CREATE INDEX generation_open ON generation (updated_at) WHERE stage <> 'done';
CREATE INDEX generation_by_key ON generation (owner_id, cache_key) WHERE cache_key IS NOT NULL;
GRANT SELECT, UPDATE ON generation TO pilot_claim;
CREATE POLICY claim ON generation TO pilot_claim USING (true) WITH CHECK (true);

CREATE TABLE generation_event (
    generation_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    owner_id UUID NOT NULL,
    kind TEXT NOT NULL,
    data JSON NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (generation_id, seq),
    FOREIGN KEY(generation_id) REFERENCES generation (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id)
);
GRANT SELECT, INSERT ON generation_event TO pilot_app;
ALTER TABLE generation_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE generation_event FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON generation_event TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON generation_event TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');

-- Takes generations that wait for a worker, and those whose worker is gone; `runs` is their fence.
CREATE FUNCTION claim_generations(p_worker uuid, p_limit int)
RETURNS TABLE (id uuid, owner_id uuid, runs int)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  UPDATE generation g SET stage = 'running', worker_id = p_worker, runs = g.runs + 1
   WHERE g.id IN (SELECT x.id FROM generation x
           WHERE x.stage = 'queued' OR (x.stage = 'running' AND (
             NOT EXISTS (SELECT 1 FROM worker w
               WHERE w.id = x.worker_id AND w.stopped_at IS NULL)
             OR x.worker_id IN (SELECT dead_workers())))
           ORDER BY x.updated_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
  RETURNING g.id, g.owner_id, g.runs $$;
REVOKE EXECUTE ON FUNCTION claim_generations(uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_generations(uuid, int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION claim_generations(uuid, int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('WORKFLOW_GENERATION_FALLBACK', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name = 'WORKFLOW_GENERATION_FALLBACK';
DROP FUNCTION claim_generations(uuid, int);
DROP TABLE generation_event;
DROP POLICY claim ON generation;
REVOKE SELECT, UPDATE ON generation FROM pilot_claim;
DROP INDEX generation_open, generation_by_key;
ALTER TABLE generation DROP COLUMN stage, DROP COLUMN worker_id, DROP COLUMN runs, DROP COLUMN seq,
  DROP COLUMN failure, DROP COLUMN fallback_reason, DROP COLUMN wasted_usd, DROP COLUMN cache_key;
"""
