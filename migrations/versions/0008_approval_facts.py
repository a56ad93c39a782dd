"""What an approver may know of an execution that belongs to somebody else."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP FUNCTION approval_facts(uuid)")


UP = r"""
-- Approvers see neither the execution's rows nor its outputs: only whose it is, what it is called
-- and what would follow. No row for an approval that the session's user may not see.
CREATE FUNCTION approval_facts(p_approval uuid)
RETURNS TABLE (agent_name text, execution_status text, version_number int, started_by text,
               owner text, document json, decided_by_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT e.agent_name, e.status, e.version_number, s.name, o.name,
         coalesce(e.document, v.document), d.name
    FROM approval a JOIN execution e ON e.id = a.execution_id
    JOIN app_user s ON s.id = e.started_by JOIN app_user o ON o.id = e.owner_id
    LEFT JOIN app_user d ON d.id = a.decided_by
    LEFT JOIN workflow_version v ON v.id = e.version_id
   WHERE a.id = p_approval AND (is_mine(a.owner_id)
     OR nullif(current_setting('app.user_id', true), '')::uuid = ANY (a.approver_ids)) $$;
REVOKE EXECUTE ON FUNCTION approval_facts(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION approval_facts(uuid) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION approval_facts(uuid) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
