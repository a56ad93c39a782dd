"""Switches may be ruled for an agent, a person or a share of all agents; narrower rules win."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute(UP)
    for function in FUNCTIONS:
        op.execute(REWORD.format(function=function, before=GLOBAL, after=RULED))


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(REWORD.format(function=function, before=RULED, after=GLOBAL))
    op.execute(DOWN)


# Where the engine asks whether pilot steps are switched on; owner and grants of both stay.
FUNCTIONS = ("asked_to_stop(uuid)", "load_executions(uuid,uuid[],uuid[])")
GLOBAL = "(SELECT (s.value #>> '{}')::boolean FROM setting s WHERE s.key = 'pilot_enabled')"
RULED = "(SELECT f.value FROM resolve_flag('pilot_enabled', e.agent_id, e.started_by) f)"
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""

UP = r"""
CREATE TABLE flag_rule (
    id UUID DEFAULT uuidv7() NOT NULL,
    key TEXT NOT NULL,
    scope TEXT NOT NULL,
    agent_id UUID,
    user_id UUID,
    percent INTEGER,
    salt TEXT NOT NULL,
    value BOOLEAN NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    author TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(agent_id) REFERENCES agent (id),
    FOREIGN KEY(user_id) REFERENCES app_user (id)
);
ALTER TABLE flag_rule ADD CONSTRAINT flag_rule_once
  UNIQUE NULLS NOT DISTINCT (key, scope, agent_id, user_id);
ALTER TABLE flag_rule ADD CONSTRAINT flag_rule_subject CHECK (
  (scope = 'agent') = (agent_id IS NOT NULL) AND (scope = 'user') = (user_id IS NOT NULL)
  AND (scope = 'percentage') = (percent IS NOT NULL)
  AND scope IN ('agent', 'user', 'percentage') AND coalesce(percent, 0) BETWEEN 0 AND 100);
GRANT SELECT, INSERT, UPDATE, DELETE ON flag_rule TO pilot_app;
GRANT SELECT ON flag_rule TO pilot_claim;
ALTER TABLE execution ADD COLUMN flags JSON DEFAULT '{}' NOT NULL;

-- The one way to resolve a switch: the rule for the agent, else for the person, else a share of all
-- agents (a growing share only adds), else what is stored for all; a value of NULL is the default.
CREATE FUNCTION resolve_flag(p_key text, p_agent uuid, p_user uuid)
RETURNS TABLE (value boolean, rule text, rule_id uuid)
LANGUAGE sql STABLE AS $$
  SELECT x.value, x.rule, x.rule_id FROM (
    SELECT r.value, r.scope AS rule, r.id AS rule_id,
           CASE r.scope WHEN 'agent' THEN 1 WHEN 'user' THEN 2 ELSE 3 END AS place
      FROM flag_rule r
     WHERE r.key = p_key AND (r.expires_at IS NULL OR r.expires_at > pilot_now())
       AND (r.agent_id = p_agent OR r.user_id = p_user OR r.scope = 'percentage'
         AND ('x' || substr(encode(sha256(convert_to(r.key || r.salt || p_agent::text, 'UTF8')),
              'hex'), 1, 8))::bit(32)::bigint % 100 < r.percent)
    UNION ALL
    SELECT (SELECT (s.value #>> '{}')::boolean FROM setting s WHERE s.key = p_key), 'global',
           NULL, 4) x
   ORDER BY x.place LIMIT 1 $$;
"""

DOWN = r"""
DROP FUNCTION resolve_flag(text, uuid, uuid);
ALTER TABLE execution DROP COLUMN flags;
DROP TABLE flag_rule;
"""
