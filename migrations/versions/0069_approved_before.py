"""Which approval of the same step of the same agent was given last, to compare a new one with."""

from alembic import op

revision = "0069"
down_revision = "0068"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP FUNCTION approved_before(uuid)")
    op.execute("DROP INDEX approval_given")


UP = r"""
CREATE INDEX approval_given ON approval (path, requested_at) WHERE decision = 'approved';
-- Approvers do not see the executions, which say whose agent it was. Null where none is found, or
-- none that the session's user may see.
CREATE FUNCTION approved_before(p_approval uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT b.id
    FROM approval a JOIN execution e ON e.id = a.execution_id
    JOIN approval b ON b.path = a.path AND b.decision = 'approved'
                   AND b.requested_at < a.requested_at AND b.kind = a.kind
    JOIN execution f ON f.id = b.execution_id AND f.agent_id = e.agent_id
   WHERE a.id = p_approval AND (is_mine(b.owner_id)
     OR nullif(current_setting('app.user_id', true), '')::uuid = ANY (b.approver_ids))
   ORDER BY b.requested_at DESC LIMIT 1 $$;
REVOKE EXECUTE ON FUNCTION approved_before(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION approved_before(uuid) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION approved_before(uuid) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
