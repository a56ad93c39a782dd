"""Agents shared with other people: who may look, who may also run."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE agent ADD UNIQUE (id, owner_id);
CREATE TABLE agent_grant (
    agent_id UUID NOT NULL,
    user_id UUID NOT NULL,
    owner_id UUID NOT NULL,
    level TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (agent_id, user_id),
    FOREIGN KEY(agent_id, owner_id) REFERENCES agent (id, owner_id),
    FOREIGN KEY(user_id) REFERENCES app_user (id)
);
CREATE INDEX agent_grant_by_user ON agent_grant (user_id);
ALTER TABLE agent_grant ADD CONSTRAINT agent_grant_level CHECK (level IN ('read', 'run'));
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_grant TO pilot_app;
ALTER TABLE agent_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_grant FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON agent_grant TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY granted ON agent_grant FOR SELECT TO pilot_app
  USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
CREATE POLICY maintain ON agent_grant TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');

-- The agents that others share with the session's user. As `(SELECT my_grants())` in a policy it is
-- asked once for each statement, and only when a row is met that is not the user's own.
CREATE FUNCTION my_grants() RETURNS uuid[] LANGUAGE sql STABLE AS $$
  SELECT ARRAY(SELECT agent_id FROM agent_grant
    WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid) $$;

-- Shared rows can be read. Who may run an agent acts as its owner for that one transaction.
CREATE POLICY granted ON agent FOR SELECT TO pilot_app
  USING (id = ANY ((SELECT my_grants())::uuid[]));
CREATE POLICY granted ON workflow_version FOR SELECT TO pilot_app
  USING (agent_id = ANY ((SELECT my_grants())::uuid[]));
CREATE POLICY granted ON agent_configuration FOR SELECT TO pilot_app
  USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid
         AND agent_id = ANY ((SELECT my_grants())::uuid[]));
CREATE POLICY granted ON execution FOR SELECT TO pilot_app
  USING (agent_id = ANY ((SELECT my_grants())::uuid[]));
CREATE POLICY granted ON call FOR SELECT TO pilot_app
  USING (agent_id = ANY ((SELECT my_grants())::uuid[]));
CREATE POLICY granted ON rollup_line FOR SELECT TO pilot_app
  USING (agent_id = ANY ((SELECT my_grants())::uuid[]));
CREATE POLICY granted ON step_execution FOR SELECT TO pilot_app
  USING ((SELECT cardinality(my_grants()) > 0)
         AND EXISTS (SELECT 1 FROM execution e WHERE e.id = execution_id));
CREATE POLICY granted ON event FOR SELECT TO pilot_app
  USING ((SELECT cardinality(my_grants()) > 0)
         AND EXISTS (SELECT 1 FROM execution e WHERE e.id = execution_id));
CREATE POLICY granted ON wait FOR SELECT TO pilot_app
  USING ((SELECT cardinality(my_grants()) > 0)
         AND EXISTS (SELECT 1 FROM execution e WHERE e.id = execution_id));
INSERT INTO audit_event (name, severity, flags) VALUES
  ('AGENT_SHARED', 'warning', '{SOC2}'),
  ('AGENT_UNSHARED', 'warning', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('AGENT_SHARED', 'AGENT_UNSHARED');
DROP POLICY granted ON wait;
DROP POLICY granted ON event;
DROP POLICY granted ON step_execution;
DROP POLICY granted ON rollup_line;
DROP POLICY granted ON call;
DROP POLICY granted ON execution;
DROP POLICY granted ON agent_configuration;
DROP POLICY granted ON workflow_version;
DROP POLICY granted ON agent;
DROP FUNCTION my_grants();
DROP TABLE agent_grant;
ALTER TABLE agent DROP CONSTRAINT agent_id_owner_id_key;
"""
