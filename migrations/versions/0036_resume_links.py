"""Links of one use that resolve a step that waits for an event."""

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.execute(UP)
    for function, owner, pairs in REWORDED:
        _reword(function, owner, pairs)


def downgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, [(after, before) for before, after in pairs])
    op.execute(DOWN)


def _reword(function: str, owner: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, owner=owner, known=known, body=body))


# A link is committed before the first effect that could carry it away.
LINKS = """\
  INSERT INTO resume_link (token_hash, owner_id, execution_id, path)
    SELECT decode(x.link, 'hex'), h.owner_id, h.id, x.path
      FROM json_to_recordset(p_waits) AS x(n int, path text, link text)
      JOIN unnest(ns, ids, owners) AS h(n, id, owner_id) ON h.n = x.n
     WHERE x.link IS NOT NULL
    ON CONFLICT DO NOTHING;
"""
REWORDED = [
    (
        "checkpoint_waits(json,int[],uuid[],uuid[],timestamptz)",
        "pilot_owner",
        [
            ("BEGIN\n  UPDATE wait w", f"BEGIN\n{LINKS}  UPDATE wait w"),
            ("asked json, consumed boolean)\n", "asked json, link text, consumed boolean)\n"),
            (
                "WHERE NOT coalesce(x.consumed, false)\n",
                "WHERE NOT coalesce(x.consumed, false) AND x.link IS NULL\n",
            ),
        ],
    ),
    (
        "unlooked_events(int)",
        "pilot_claim",
        [
            (
                "i.name = o.event AND i.consumed_at IS NULL)\n",
                "i.name = o.event AND i.consumed_at IS NULL)\n"
                "         OR EXISTS (SELECT 1 FROM resume_link l JOIN wait w ON w.id = o.id\n"
                "              WHERE l.execution_id = w.execution_id AND l.path = w.path\n"
                "                AND l.used_at IS NOT NULL AND l.consumed_at IS NULL)\n",
            )
        ],
    ),
    (
        "prune_executions(int,int)",
        "pilot_claim",
        [
            (
                "UPDATE wait SET resolution = NULL WHERE",
                "UPDATE resume_link SET payload = NULL WHERE execution_id = ANY (ids);\n"
                "  UPDATE wait SET resolution = NULL, asked = NULL WHERE",
            )
        ],
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE {owner};  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
UP = r"""
CREATE TABLE resume_link (
    token_hash BYTEA NOT NULL,
    owner_id UUID NOT NULL,
    execution_id UUID NOT NULL,
    path TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    used_by UUID,
    payload JSON,
    consumed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (token_hash),
    FOREIGN KEY(execution_id) REFERENCES execution (id) ON DELETE CASCADE
);
CREATE INDEX resume_link_by_execution ON resume_link (execution_id, path);
GRANT SELECT, UPDATE ON resume_link TO pilot_app;
GRANT SELECT, INSERT, UPDATE ON resume_link TO pilot_claim;
ALTER TABLE resume_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE resume_link FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON resume_link TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON resume_link TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON resume_link TO pilot_claim USING (true) WITH CHECK (true);

-- Whose step a link resolves: who has its token need not be anybody here.
CREATE FUNCTION find_resume_link(p_hash bytea)
RETURNS TABLE (owner_id uuid, execution_id uuid, path text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT l.owner_id, l.execution_id, l.path FROM resume_link l WHERE l.token_hash = p_hash $$;
REVOKE EXECUTE ON FUNCTION find_resume_link(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_resume_link(bytea) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION find_resume_link(bytea) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
DOWN = r"""
DROP FUNCTION find_resume_link(bytea);
DROP TABLE resume_link;
"""
