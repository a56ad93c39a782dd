"""Delegation: one who is asked hands the question to one other person."""

from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE approval ADD COLUMN delegations JSON DEFAULT '[]' NOT NULL;
INSERT INTO audit_event (name, severity, flags) VALUES ('APPROVAL_DELEGATED', 'info', '{SOC2}');

-- Who may not decide because they started it or wrote its workflow, where that excludes.
CREATE FUNCTION is_excluded(p_approval uuid, p_user uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT EXISTS (SELECT 1 FROM approval a JOIN execution e ON e.id = a.execution_id
    LEFT JOIN workflow_version v ON v.id = e.version_id
   WHERE a.id = p_approval AND NOT coalesce((a.terms ->> 'self_approval')::boolean, true)
     AND p_user IN (e.started_by, v.author_id)) $$;
REVOKE EXECUTE ON FUNCTION is_excluded(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_excluded(uuid, uuid) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION is_excluded(uuid, uuid) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;

-- Puts a message to each person who is asked now (or to one of them) into the outbox, and their
-- reminders, each due at a share of the time that is left; from then on a message is tried for a
-- day.
DROP FUNCTION tell_approvers(uuid);
CREATE FUNCTION tell_approvers(p_approval uuid, p_only uuid DEFAULT NULL) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  INSERT INTO outbox (owner_id, kind, key, about, payload, due_at, created_at)
    SELECT a.owner_id, n.kind, concat_ws(':', a.id, a.round, u, n.share), a.id,
           json_build_object('approval_id', a.id, 'user_id', u, 'round', a.round), n.at, n.at
      FROM approval a CROSS JOIN unnest(a.approver_ids) AS u
     CROSS JOIN LATERAL (
       SELECT 'approval_requested' AS kind, NULL::float AS share, pilot_now() AS at
        UNION ALL
       SELECT 'approval_reminder', s.share, pilot_now() + (a.expires_at - pilot_now()) * s.share
         FROM (SELECT value::float AS share
                 FROM json_array_elements_text(a.terms -> 'reminders')) AS s) AS n
     WHERE a.id = p_approval AND (p_only IS NULL OR u = p_only) $$;
"""
DOWN = r"""
DROP FUNCTION tell_approvers(uuid, uuid);
CREATE FUNCTION tell_approvers(p_approval uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  INSERT INTO outbox (owner_id, kind, key, about, payload, due_at, created_at)
    SELECT a.owner_id, n.kind, concat_ws(':', a.id, a.round, u, n.share), a.id,
           json_build_object('approval_id', a.id, 'user_id', u, 'round', a.round), n.at, n.at
      FROM approval a CROSS JOIN unnest(a.approver_ids) AS u
     CROSS JOIN LATERAL (
       SELECT 'approval_requested' AS kind, NULL::float AS share, pilot_now() AS at
        UNION ALL
       SELECT 'approval_reminder', s.share, pilot_now() + (a.expires_at - pilot_now()) * s.share
         FROM (SELECT value::float AS share
                 FROM json_array_elements_text(a.terms -> 'reminders')) AS s) AS n
     WHERE a.id = p_approval $$;
DROP FUNCTION is_excluded(uuid, uuid);
DELETE FROM audit_event WHERE name = 'APPROVAL_DELEGATED';
ALTER TABLE approval DROP COLUMN delegations;
"""
