"""Approvals, votes, the outbox and kept answers."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE approval (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    execution_id UUID NOT NULL,
    wait_id UUID NOT NULL,
    path TEXT NOT NULL,
    title TEXT NOT NULL,
    message TEXT,
    payload TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    rule TEXT NOT NULL,
    needed INTEGER NOT NULL,
    approver_ids UUID[] NOT NULL,
    require_comment TEXT NOT NULL,
    on_timeout TEXT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decision TEXT,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by UUID,
    PRIMARY KEY (id),
    FOREIGN KEY(execution_id) REFERENCES execution (id) ON DELETE CASCADE,
    FOREIGN KEY(wait_id) REFERENCES wait (id) ON DELETE CASCADE
);
CREATE INDEX approval_by_execution ON approval (execution_id);
CREATE INDEX approval_open ON approval (expires_at) WHERE decided_at IS NULL;

CREATE TABLE vote (
    approval_id UUID NOT NULL,
    user_id UUID NOT NULL,
    owner_id UUID NOT NULL,
    decision TEXT NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    payload_hash TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (approval_id, user_id),
    FOREIGN KEY(approval_id) REFERENCES approval (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES app_user (id)
);

CREATE TABLE outbox (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload JSON NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    dead_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND dead_at IS NULL;

CREATE TABLE request_key (
    owner_id UUID NOT NULL,
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    answer JSON,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (owner_id, key)
);
GRANT SELECT, UPDATE ON approval TO pilot_app;
GRANT SELECT, INSERT ON vote TO pilot_app;
GRANT SELECT, INSERT, UPDATE ON outbox, approval TO pilot_claim;
GRANT SELECT, INSERT, UPDATE ON outbox TO pilot_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON request_key TO pilot_app;
ALTER TABLE approval ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON approval TO pilot_app USING (is_mine(owner_id) OR nullif(current_setting('app.user_id', true), '')::uuid = ANY (approver_ids)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON approval TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON approval TO pilot_claim USING (true) WITH CHECK (true);
ALTER TABLE vote ENABLE ROW LEVEL SECURITY;
ALTER TABLE vote FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON vote TO pilot_app USING (is_mine(owner_id) OR EXISTS (SELECT 1 FROM approval a WHERE a.id = approval_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON vote TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON outbox TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON outbox TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON outbox TO pilot_claim USING (true) WITH CHECK (true);
ALTER TABLE request_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE request_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON request_key TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON request_key TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
"""

DOWN = r"""
DROP TABLE request_key, outbox, vote, approval;
"""
