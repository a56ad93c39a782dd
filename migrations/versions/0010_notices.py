"""Notices: one for each person asked, relayed with back-off; who may decide is asked alone."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE outbox ADD COLUMN about uuid, ADD COLUMN dropped_at timestamptz,
  ADD COLUMN created_at timestamptz DEFAULT pilot_now() NOT NULL;
SET LOCAL app.maintain = 'on';
UPDATE outbox SET dropped_at = pilot_now() WHERE sent_at IS NULL;  -- they name no person
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (due_at)
  WHERE sent_at IS NULL AND dead_at IS NULL AND dropped_at IS NULL;
CREATE INDEX outbox_by_about ON outbox (about);
-- Who sees an approval sees whether people were told of it.
CREATE POLICY told ON outbox FOR SELECT TO pilot_app
  USING (EXISTS (SELECT 1 FROM approval a WHERE a.id = about));
INSERT INTO audit_event (name, severity, flags) VALUES
  ('APPROVAL_DECISION_REFUSED', 'warning', '{SOC2}');

-- Takes what is due, one relay at a time for each message: the next try is noted before this one
-- begins (5 s, 10 s .. 1 h), so a relay that dies loses nothing.
CREATE FUNCTION take_outbox(p_limit int)
RETURNS TABLE (id uuid, owner_id uuid, kind text, payload json, attempts int, late boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  UPDATE outbox o SET attempts = o.attempts + 1,
         due_at = pilot_now() + make_interval(secs => least(3600, 5 * 2 ^ least(o.attempts, 10)))
   WHERE o.id IN (SELECT x.id FROM outbox x
           WHERE x.sent_at IS NULL AND x.dead_at IS NULL AND x.dropped_at IS NULL
             AND x.due_at <= pilot_now()
           ORDER BY x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
  RETURNING o.id, o.owner_id, o.kind, o.payload, o.attempts,
            o.created_at < pilot_now() - interval '24 hours' $$;
REVOKE EXECUTE ON FUNCTION take_outbox(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_outbox(int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION take_outbox(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;

CREATE OR REPLACE FUNCTION checkpoint_waits(p_waits json, ns int[], ids uuid[], owners uuid[], t timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
  UPDATE wait w SET consumed_at = t
    FROM json_to_recordset(p_waits) AS x(n int, path text, consumed boolean)
    JOIN unnest(ns, ids) AS h(n, id) ON h.n = x.n
   WHERE x.consumed AND w.execution_id = h.id AND w.path = x.path AND w.consumed_at IS NULL;
  UPDATE approval a SET decision = 'cancelled', decided_at = t  -- the execution ended before it
    FROM json_to_recordset(p_waits) AS x(n int, path text, consumed boolean)
    JOIN unnest(ns, ids) AS h(n, id) ON h.n = x.n
   WHERE x.consumed AND a.execution_id = h.id AND a.path = x.path AND a.decided_at IS NULL;
  WITH x AS (
    SELECT uuidv7() AS wait_id, h.id AS execution_id, h.owner_id, x.*
      FROM json_to_recordset(p_waits) AS x(n int, path text, kind text, wake_at timestamptz,
           delay_s double precision, approval json, consumed boolean)
      JOIN unnest(ns, ids, owners) AS h(n, id, owner_id) ON h.n = x.n
     WHERE NOT coalesce(x.consumed, false)
  ), people AS (
    SELECT x.wait_id, a.*, ARRAY(SELECT u.id FROM app_user u
        WHERE u.active AND u.roles && '{approver,operator,admin}'
          AND (a.self_approval OR NOT u.id = ANY (
            SELECT e.started_by FROM execution e WHERE e.id = x.execution_id
            UNION SELECT v.author_id FROM execution e JOIN workflow_version v
              ON v.id = e.version_id WHERE e.id = x.execution_id))
          AND EXISTS (SELECT 1 FROM json_array_elements_text(a.approvers) AS s(spec)
            WHERE spec = 'user:' || u.email OR spec = 'owner' AND u.id = x.owner_id
               OR spec LIKE 'role:%' AND substr(spec, 6) = ANY (u.roles))
        ORDER BY u.id) AS ids
      FROM x CROSS JOIN LATERAL json_to_record(x.approval) AS a(title text, message text,
           payload text, rule text, k int, approvers json, self_approval boolean,
           require_comment text, on_timeout text, timeout_s double precision)
     WHERE x.approval IS NOT NULL
  ), quorum AS (
    SELECT p.*, CASE p.rule WHEN 'any' THEN 1 WHEN 'all' THEN cardinality(p.ids)
                WHEN 'majority' THEN cardinality(p.ids) / 2 + 1 ELSE p.k END AS needed
      FROM people p
  ), nobody AS (
    SELECT wait_id FROM quorum WHERE cardinality(ids) < greatest(needed, 1)
  ), opened AS (
    INSERT INTO wait (id, execution_id, owner_id, path, kind, wake_at, opened_at, resolved_at,
                      resolution)
    SELECT x.wait_id, execution_id, owner_id, path, kind,
           coalesce(wake_at, t + make_interval(secs => delay_s)), t,
           CASE WHEN n.wait_id IS NOT NULL THEN t END,
           CASE WHEN n.wait_id IS NOT NULL THEN '{"decision":"nobody"}'::json END
      FROM x LEFT JOIN nobody n ON n.wait_id = x.wait_id
  ), asked AS (
    INSERT INTO approval (owner_id, execution_id, wait_id, path, title, message, payload,
        payload_hash, rule, needed, approver_ids, require_comment, on_timeout, requested_at,
        expires_at)
    SELECT x.owner_id, x.execution_id, x.wait_id, x.path, a.title, a.message, a.payload,
           encode(sha256(convert_to(a.payload, 'UTF8')), 'hex'), a.rule, a.needed, a.ids,
           a.require_comment, a.on_timeout, t, t + make_interval(secs => a.timeout_s)
      FROM x JOIN quorum a ON a.wait_id = x.wait_id
     WHERE NOT EXISTS (SELECT 1 FROM nobody n WHERE n.wait_id = x.wait_id)
    RETURNING id, owner_id, approver_ids)
  INSERT INTO outbox (owner_id, kind, key, about, payload)
    SELECT owner_id, 'approval_requested', id || ':' || u, id,
           json_build_object('approval_id', id, 'user_id', u)
      FROM asked CROSS JOIN unnest(approver_ids) AS u;
END $$;
"""

DOWN = r"""
DROP FUNCTION take_outbox(int);
DROP POLICY told ON outbox;
CREATE OR REPLACE FUNCTION checkpoint_waits(p_waits json, ns int[], ids uuid[], owners uuid[], t timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
  UPDATE wait w SET consumed_at = t
    FROM json_to_recordset(p_waits) AS x(n int, path text, consumed boolean)
    JOIN unnest(ns, ids) AS h(n, id) ON h.n = x.n
   WHERE x.consumed AND w.execution_id = h.id AND w.path = x.path AND w.consumed_at IS NULL;
  WITH x AS (
    SELECT uuidv7() AS wait_id, h.id AS execution_id, h.owner_id, x.*
      FROM json_to_recordset(p_waits) AS x(n int, path text, kind text, wake_at timestamptz,
           delay_s double precision, approval json, consumed boolean)
      JOIN unnest(ns, ids, owners) AS h(n, id, owner_id) ON h.n = x.n
     WHERE NOT coalesce(x.consumed, false)
  ), people AS (
    SELECT x.wait_id, a.*, ARRAY(SELECT u.id FROM app_user u
        WHERE u.active AND (a.self_approval OR NOT u.id = ANY (
            SELECT e.started_by FROM execution e WHERE e.id = x.execution_id
            UNION SELECT v.author_id FROM execution e JOIN workflow_version v
              ON v.id = e.version_id WHERE e.id = x.execution_id))
          AND EXISTS (SELECT 1 FROM json_array_elements_text(a.approvers) AS s(spec)
            WHERE spec = 'user:' || u.email OR spec = 'owner' AND u.id = x.owner_id
               OR spec LIKE 'role:%' AND substr(spec, 6) = ANY (u.roles))
        ORDER BY u.id) AS ids
      FROM x CROSS JOIN LATERAL json_to_record(x.approval) AS a(title text, message text,
           payload text, rule text, k int, approvers json, self_approval boolean,
           require_comment text, on_timeout text, timeout_s double precision)
     WHERE x.approval IS NOT NULL
  ), quorum AS (
    SELECT p.*, CASE p.rule WHEN 'any' THEN 1 WHEN 'all' THEN cardinality(p.ids)
                WHEN 'majority' THEN cardinality(p.ids) / 2 + 1 ELSE p.k END AS needed
      FROM people p
  ), nobody AS (
    SELECT wait_id FROM quorum WHERE cardinality(ids) < greatest(needed, 1)
  ), opened AS (
    INSERT INTO wait (id, execution_id, owner_id, path, kind, wake_at, opened_at, resolved_at,
                      resolution)
    SELECT x.wait_id, execution_id, owner_id, path, kind,
           coalesce(wake_at, t + make_interval(secs => delay_s)), t,
           CASE WHEN n.wait_id IS NOT NULL THEN t END,
           CASE WHEN n.wait_id IS NOT NULL THEN '{"decision":"nobody"}'::json END
      FROM x LEFT JOIN nobody n ON n.wait_id = x.wait_id
  ), asked AS (
    INSERT INTO approval (owner_id, execution_id, wait_id, path, title, message, payload,
        payload_hash, rule, needed, approver_ids, require_comment, on_timeout, requested_at,
        expires_at)
    SELECT x.owner_id, x.execution_id, x.wait_id, x.path, a.title, a.message, a.payload,
           encode(sha256(convert_to(a.payload, 'UTF8')), 'hex'), a.rule, a.needed, a.ids,
           a.require_comment, a.on_timeout, t, t + make_interval(secs => a.timeout_s)
      FROM x JOIN quorum a ON a.wait_id = x.wait_id
     WHERE NOT EXISTS (SELECT 1 FROM nobody n WHERE n.wait_id = x.wait_id)
    RETURNING id, owner_id)
  INSERT INTO outbox (owner_id, kind, key, payload)
    SELECT owner_id, 'approval_requested', id::text, json_build_object('approval_id', id)
      FROM asked;
END $$;
DELETE FROM audit_event WHERE name = 'APPROVAL_DECISION_REFUSED';
DROP INDEX outbox_by_about, outbox_due;
ALTER TABLE outbox DROP COLUMN about, DROP COLUMN dropped_at, DROP COLUMN created_at;
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND dead_at IS NULL;
"""
