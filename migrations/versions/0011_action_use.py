"""What counts against the limits of actions."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE action_use")


UP = r"""
CREATE TABLE action_use (
    owner_id UUID NOT NULL,
    key UUID NOT NULL,
    rule SMALLINT NOT NULL,
    action TEXT NOT NULL,
    execution_id UUID NOT NULL,
    amount INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (owner_id, key, rule)
);
CREATE INDEX action_use_by_action ON action_use (owner_id, action, at);
GRANT SELECT, INSERT ON action_use TO pilot_app;
ALTER TABLE action_use ENABLE ROW LEVEL SECURITY;
ALTER TABLE action_use FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON action_use TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON action_use TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
"""
