"""Workers, executions, step attempts, waits and events."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE worker (
    id UUID DEFAULT uuidv7() NOT NULL,
    number INTEGER NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    heartbeat_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE NOT NULL,
    draining BOOLEAN DEFAULT 'false' NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    UNIQUE (number)
);
CREATE INDEX worker_live ON worker (id) WHERE stopped_at IS NULL;

CREATE TABLE execution (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    agent_name TEXT NOT NULL,
    version_id UUID,
    version_number INTEGER,
    document JSON,
    runs TEXT NOT NULL,
    runs_reason TEXT NOT NULL,
    session_id UUID DEFAULT uuidv7() NOT NULL,
    mode TEXT NOT NULL,
    trigger TEXT DEFAULT 'manual' NOT NULL,
    started_by UUID NOT NULL,
    inputs JSON NOT NULL,
    prompt TEXT,
    settings JSON NOT NULL,
    settings_version INTEGER NOT NULL,
    zone TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    fence INTEGER DEFAULT '0' NOT NULL,
    worker_id UUID,
    wake_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    priority INTEGER DEFAULT '5' NOT NULL,
    deadline_at TIMESTAMP WITH TIME ZONE NOT NULL,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    pause_requested_at TIMESTAMP WITH TIME ZONE,
    recovery_attempts INTEGER DEFAULT '0' NOT NULL,
    state_schema INTEGER DEFAULT '1' NOT NULL,
    event_seq BIGINT DEFAULT '0' NOT NULL,
    output JSON,
    error JSON,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    FOREIGN KEY(version_id) REFERENCES workflow_version (id),
    UNIQUE (session_id),
    FOREIGN KEY(started_by) REFERENCES app_user (id)
);
CREATE INDEX execution_by_agent ON execution (agent_id, id);
CREATE INDEX execution_by_owner ON execution (owner_id, id);
CREATE INDEX execution_by_status ON execution (owner_id, status, id);
CREATE INDEX execution_live ON execution (worker_id) WHERE worker_id IS NOT NULL;
CREATE INDEX execution_queued ON execution (owner_id, priority, wake_at) WHERE status = 'queued';

CREATE TABLE step_execution (
    execution_id UUID NOT NULL,
    path TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    owner_id UUID NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    effect TEXT,
    key UUID,
    rerun INTEGER DEFAULT '0' NOT NULL,
    input JSON,
    output JSON,
    error JSON,
    notes JSON,
    fence INTEGER NOT NULL,
    worker_id UUID,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    duration_ms INTEGER,
    PRIMARY KEY (execution_id, path, attempt),
    FOREIGN KEY(execution_id) REFERENCES execution (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX step_execution_one_live ON step_execution (execution_id, path) WHERE status IN ('running', 'waiting', 'completed');

CREATE TABLE wait (
    id UUID DEFAULT uuidv7() NOT NULL,
    execution_id UUID NOT NULL,
    owner_id UUID NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    wake_at TIMESTAMP WITH TIME ZONE,
    resolution JSON,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    consumed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(execution_id) REFERENCES execution (id) ON DELETE CASCADE
);
CREATE INDEX wait_due ON wait (wake_at) WHERE resolved_at IS NULL;
CREATE INDEX wait_open ON wait (execution_id) WHERE consumed_at IS NULL;

CREATE TABLE event (
    execution_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    owner_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    kind TEXT NOT NULL,
    path TEXT,
    data JSON NOT NULL,
    PRIMARY KEY (execution_id, seq),
    FOREIGN KEY(execution_id) REFERENCES execution (id) ON DELETE CASCADE
);
-- Each step changes its execution's row: with room on the page it need not touch the indexes.
ALTER TABLE execution SET (fillfactor = 50);
ALTER TABLE execution ADD CONSTRAINT execution_status CHECK (status IN (
  'queued', 'running', 'waiting', 'paused', 'needs_attention', 'cancelling',
  'completed', 'completed_with_errors', 'failed', 'cancelled'));
ALTER TABLE step_execution ADD CONSTRAINT step_status CHECK (status IN (
  'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'unknown',
  'interrupted', 'superseded'));
CREATE SEQUENCE worker_number;
ALTER TABLE worker ALTER COLUMN number SET DEFAULT nextval('worker_number');
GRANT SELECT, INSERT, UPDATE ON worker TO pilot_app, pilot_claim;
GRANT USAGE ON SEQUENCE worker_number TO pilot_app;
GRANT SELECT, INSERT, UPDATE ON execution, step_execution, wait TO pilot_app, pilot_claim;
GRANT SELECT, INSERT ON event TO pilot_app, pilot_claim;
ALTER TABLE execution ENABLE ROW LEVEL SECURITY;
ALTER TABLE execution FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON execution TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON execution TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON execution TO pilot_claim USING (true) WITH CHECK (true);
ALTER TABLE step_execution ENABLE ROW LEVEL SECURITY;
ALTER TABLE step_execution FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON step_execution TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON step_execution TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON step_execution TO pilot_claim USING (true) WITH CHECK (true);
ALTER TABLE wait ENABLE ROW LEVEL SECURITY;
ALTER TABLE wait FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON wait TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON wait TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON wait TO pilot_claim USING (true) WITH CHECK (true);
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON event TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON event TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON event TO pilot_claim USING (true) WITH CHECK (true);
"""

DOWN = r"""
DROP TABLE event, wait, step_execution, execution, worker;
DROP SEQUENCE worker_number;
"""
