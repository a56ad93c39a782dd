"""Agents, immutable workflow versions, saved inputs, generations."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE agent (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    goal TEXT DEFAULT '' NOT NULL,
    prompt TEXT DEFAULT '' NOT NULL,
    grants TEXT[] DEFAULT '{}' NOT NULL,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    demo BOOLEAN DEFAULT 'false' NOT NULL,
    version_number INTEGER DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id)
);

CREATE TABLE workflow_version (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    number INTEGER NOT NULL,
    document JSON,
    document_hash TEXT NOT NULL,
    inputs_schema JSON,
    workflow_steps JSON NOT NULL,
    author_id UUID NOT NULL,
    reason TEXT NOT NULL,
    origin TEXT NOT NULL,
    generation_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (agent_id, number),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    FOREIGN KEY(author_id) REFERENCES app_user (id)
);

CREATE TABLE agent_configuration (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    user_id UUID NOT NULL,
    inputs JSON NOT NULL,
    inputs_schema JSON,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    FOREIGN KEY(user_id) REFERENCES app_user (id)
);

CREATE TABLE generation (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    goal TEXT NOT NULL,
    goal_hash TEXT NOT NULL,
    answers JSON NOT NULL,
    text TEXT NOT NULL,
    document JSON,
    issues JSON NOT NULL,
    questions JSON NOT NULL,
    clauses JSON NOT NULL,
    refusal TEXT,
    generator TEXT NOT NULL,
    confidence INTEGER NOT NULL,
    tokens INTEGER DEFAULT '0' NOT NULL,
    cost_usd NUMERIC(20, 12),
    repairs INTEGER DEFAULT '0' NOT NULL,
    duration_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    agent_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id)
);
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON workflow_version
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE ON agent, generation TO pilot_app;
GRANT SELECT, INSERT ON workflow_version, agent_configuration TO pilot_app;
GRANT SELECT ON workflow_version, agent TO pilot_claim;
ALTER TABLE agent ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON agent TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON agent TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
ALTER TABLE workflow_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE workflow_version FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON workflow_version TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON workflow_version TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
ALTER TABLE agent_configuration ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_configuration FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON agent_configuration TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON agent_configuration TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
ALTER TABLE generation ENABLE ROW LEVEL SECURITY;
ALTER TABLE generation FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON generation TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON generation TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON workflow_version TO pilot_claim USING (true) WITH CHECK (true);
CREATE POLICY claim ON agent TO pilot_claim USING (true) WITH CHECK (true);
"""

DOWN = r"""
DROP TABLE generation, agent_configuration, workflow_version, agent;
"""
