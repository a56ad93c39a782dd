"""Who wrote the workflow around steps of a sub_workflow decides nothing there either."""

from alembic import op

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    op.execute(UP)
    for function, owner, before, after in REWORDED:
        _reword(function, owner, before, after)


def downgrade() -> None:
    for function, owner, before, after in REWORDED:
        _reword(function, owner, after, before)
    op.execute("DROP FUNCTION authors_of(uuid)")


def _reword(function: str, owner: str, before: str, after: str) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    op.execute(REWORD.format(function=function, owner=owner, before=before, after=after))


UP = r"""
-- Who wrote the version that an execution runs; steps of a sub_workflow are of the one around them.
CREATE FUNCTION authors_of(p_execution uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  WITH RECURSIVE around AS (
    SELECT version_id, parent_id FROM execution WHERE id = p_execution
    UNION ALL
    SELECT e.version_id, e.parent_id FROM around a JOIN execution e ON e.id = a.parent_id
     WHERE a.version_id IS NULL)
  SELECT v.author_id FROM around a JOIN workflow_version v ON v.id = a.version_id $$;
"""
REWORDED = [
    (
        "people_asked(json,boolean,uuid,uuid)",
        "pilot_owner",
        "UNION SELECT v.author_id FROM execution e JOIN workflow_version v\n"
        "          ON v.id = e.version_id WHERE e.id = p_execution))",
        "UNION SELECT authors_of(p_execution)))",
    ),
    (
        "is_excluded(uuid,uuid)",
        "pilot_claim",
        "    LEFT JOIN workflow_version v ON v.id = e.version_id\n"
        "   WHERE a.id = p_approval AND NOT coalesce((a.terms ->> 'self_approval')::boolean, true)\n"
        "     AND p_user IN (e.started_by, v.author_id))",
        "   WHERE a.id = p_approval AND NOT coalesce((a.terms ->> 'self_approval')::boolean, true)\n"
        "     AND (p_user = e.started_by OR p_user IN (SELECT authors_of(e.id))))",
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE {owner};  -- whose function it is
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
