"""Channels besides mail: a webhook, Slack, Teams; each with a message of its own in the outbox."""

from alembic import op

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    op.execute(UP)
    op.execute(TELL.format(channels=CHANNELS, people=PEOPLE))


def downgrade() -> None:
    op.execute(TELL.format(channels="", people=""))
    op.execute(DOWN)


UP = r"""
CREATE TABLE notice_channel (
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    sealed_url TEXT,
    sealed_secret TEXT,
    version INTEGER NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (name)
);
GRANT SELECT, INSERT, UPDATE ON notice_channel TO pilot_app;
GRANT SELECT ON notice_channel TO pilot_claim;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('NOTICE_CHANNEL_SET', 'warning', '{SOC2}'), ('NOTICE_CHANNEL_REMOVED', 'warning', '{SOC2}'),
  ('NOTICE_REPLAYED', 'info', '{SOC2}');
"""
# A step that names its channels is told by these alone; mail goes to each person.
PEOPLE = """
   AND (a.terms -> 'channels' IS NULL OR EXISTS (
     SELECT 1 FROM json_array_elements(a.terms -> 'channels') AS c WHERE c ->> 'kind' = 'mail'))"""
CHANNELS = """
  INSERT INTO outbox (owner_id, kind, key, about, payload)
    SELECT a.owner_id, 'approval_channel', concat_ws(':', a.id, a.round, c.value ->> 'kind'), a.id,
           json_build_object('approval_id', a.id, 'round', a.round, 'channel', c.value)
      FROM approval a CROSS JOIN LATERAL (
        SELECT value FROM json_array_elements(a.terms -> 'channels')
        UNION ALL
        SELECT json_build_object('kind', n.name) FROM notice_channel n
         WHERE n.sealed_url IS NOT NULL AND a.kind = 'approval'
           AND a.terms -> 'channels' IS NULL) AS c
     WHERE a.id = p_approval AND p_only IS NULL AND c.value ->> 'kind' <> 'mail';"""
TELL = r"""
-- Puts a message to each person who is asked now (or to one of them) into the outbox, and their
-- reminders, each due at a share of the time that is left; from then on a message is tried for a
-- day.
CREATE OR REPLACE FUNCTION tell_approvers(p_approval uuid, p_only uuid DEFAULT NULL) RETURNS void
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
     WHERE a.id = p_approval AND (p_only IS NULL OR u = p_only){people};{channels}
$$;
"""
DOWN = r"""
DELETE FROM audit_event
 WHERE name IN ('NOTICE_CHANNEL_SET', 'NOTICE_CHANNEL_REMOVED', 'NOTICE_REPLAYED');
DELETE FROM outbox WHERE kind = 'approval_channel';
DROP TABLE notice_channel;
"""
