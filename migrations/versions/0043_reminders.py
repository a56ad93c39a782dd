"""Reminders: messages that lie in the outbox from the moment a question is put."""

from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
-- Puts a message to each person who is asked now into the outbox, and their reminders, each due
-- at a share of the time that is left; from then on a message is tried for a day.
CREATE OR REPLACE FUNCTION tell_approvers(p_approval uuid) RETURNS void
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
"""
DOWN = r"""
DELETE FROM outbox WHERE kind = 'approval_reminder';
CREATE OR REPLACE FUNCTION tell_approvers(p_approval uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  INSERT INTO outbox (owner_id, kind, key, about, payload)
    SELECT a.owner_id, 'approval_requested', a.id || ':' || a.round || ':' || u, a.id,
           json_build_object('approval_id', a.id, 'user_id', u)
      FROM approval a CROSS JOIN unnest(a.approver_ids) AS u WHERE a.id = p_approval $$;
"""
