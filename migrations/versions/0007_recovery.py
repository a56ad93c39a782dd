"""The sweep's statements: dead workers, due waits, expired approvals, deadlines, late cancels."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE FUNCTION audit_system(p_execution uuid, p_owner uuid, p_event text, p_details json)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, public AS $$
  SELECT audit_append(ARRAY[p_execution::text], ARRAY[p_owner], ARRAY[json_build_object(
    'actor', 'system', 'event', p_event,
    'object', json_build_object('type', 'execution', 'id', p_execution),
    'details', p_details)::text]) $$;

-- Workers that no longer live: their lease ran out; or they stopped beating and their advisory
-- lock is gone (not within 3 s of a restart of the database, which drops all locks at once).
CREATE FUNCTION dead_workers() RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT w.id FROM worker w
   WHERE w.stopped_at IS NULL AND (w.lease_until < pilot_now() OR (
     w.heartbeat_at < pilot_now() - interval '400 ms'
     AND pg_postmaster_start_time() < pilot_now() - interval '3 s'
     AND NOT EXISTS (SELECT 1 FROM pg_locks l
       WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = 1346980948
         AND l.objid = w.number AND l.granted
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))) $$;

-- Takes one execution away from a worker: interrupted steps are noted, `once` effects become unknown; the fence keeps a wrong verdict harmless. p_why: worker_died or crashed (both count as
-- recoveries), released or grace_over.
CREATE FUNCTION take_away(p_execution uuid, p_worker uuid, p_why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE e execution; a record; poisoned boolean;
BEGIN
  UPDATE execution SET fence = fence + 1, worker_id = NULL, wake_at = pilot_now(),
         recovery_attempts = recovery_attempts + (p_why IN ('worker_died', 'crashed'))::int
    WHERE id = p_execution AND worker_id = p_worker AND status IN ('running', 'cancelling')
    RETURNING * INTO e;
  IF NOT FOUND THEN RETURN NULL; END IF;
  FOR a IN UPDATE step_execution s
      SET status = CASE s.effect WHEN 'once' THEN 'unknown' ELSE 'interrupted' END,
          finished_at = pilot_now()
      WHERE s.execution_id = e.id AND s.status = 'running' AND s.effect IS NOT NULL
      RETURNING s.path, s.attempt, s.status LOOP
    PERFORM add_event(e.id, 'step', a.path,
                      json_build_object('status', a.status, 'attempt', a.attempt));
    IF a.status = 'unknown' THEN
      PERFORM audit_system(e.id, e.owner_id, 'PILOT_OUTCOME_UNKNOWN',
                           json_build_object('path', a.path, 'attempt', a.attempt));
    END IF;
  END LOOP;
  poisoned := p_why IN ('worker_died', 'crashed') AND (e.recovery_attempts >= 5 OR EXISTS (
    SELECT 1 FROM step_execution s WHERE s.execution_id = e.id AND s.status = 'interrupted'
     GROUP BY s.path HAVING count(*) >= 5));
  IF poisoned THEN
    UPDATE execution SET status = 'needs_attention', status_reason = 'poisoned' WHERE id = e.id;
    PERFORM add_event(e.id, 'execution', NULL, '{"status":"needs_attention","reason":"poisoned"}');
    PERFORM audit_system(e.id, e.owner_id, 'PILOT_EXECUTION_POISONED',
                         json_build_object('worker', p_worker));
    RETURN 'needs_attention';
  END IF;
  UPDATE execution SET status = 'queued' WHERE id = e.id;
  PERFORM add_event(e.id, 'execution', NULL, json_build_object('status', 'queued', 'reason', p_why));
  IF p_why IN ('worker_died', 'crashed') THEN
    PERFORM audit_system(e.id, e.owner_id, 'PILOT_EXECUTION_RECOVERED',
                         json_build_object('worker', p_worker, 'recovery', e.recovery_attempts));
  END IF;
  RETURN 'queued';
END $$;

-- What the sweep has to look at, oldest first; each item is then handled in a transaction of its own.
CREATE FUNCTION due(p_limit int) RETURNS TABLE (kind text, id uuid, worker_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE t timestamptz := pilot_now();
BEGIN
  RETURN QUERY
    (SELECT 'wait', w.id, NULL::uuid FROM wait w
      WHERE w.resolved_at IS NULL AND w.wake_at <= t ORDER BY w.wake_at LIMIT p_limit)
    UNION ALL
    (SELECT 'approval', a.id, NULL FROM approval a
      WHERE a.decided_at IS NULL AND a.expires_at <= t LIMIT p_limit)
    UNION ALL
    (SELECT 'overdue', e.id, e.worker_id FROM execution e
      WHERE e.status IN ('running', 'cancelling')
        AND (e.cancel_requested_at < t - interval '5 s' OR e.deadline_at < t - interval '5 s')
      LIMIT p_limit)
    UNION ALL
    (SELECT 'late', e.id, NULL FROM execution e
      WHERE e.status IN ('waiting', 'paused') AND e.deadline_at <= t LIMIT p_limit)
    UNION ALL
    (SELECT 'ring', e.id, NULL FROM execution e
      WHERE e.status = 'queued' AND e.wake_at < t - interval '2 s' ORDER BY e.wake_at LIMIT p_limit)
    UNION ALL
    (SELECT 'orphan', e.id, NULL FROM execution e WHERE e.status = 'waiting'
      AND NOT EXISTS (SELECT 1 FROM wait w WHERE w.execution_id = e.id AND w.consumed_at IS NULL
        AND (w.resolved_at IS NULL)) LIMIT p_limit)
    UNION ALL
    (SELECT 'lost', e.id, e.worker_id FROM execution e JOIN worker w ON w.id = e.worker_id
      WHERE w.stopped_at IS NOT NULL AND e.status IN ('running', 'cancelling') LIMIT p_limit);
END $$;

CREATE FUNCTION fire_wait(p_wait uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE target uuid;
BEGIN
  SELECT execution_id INTO target FROM wait WHERE id = p_wait;
  IF resolve_wait(p_wait, '{"fired": true}') THEN RETURN target; END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION expire_approval(p_approval uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE a approval;
BEGIN
  PERFORM 1 FROM execution e JOIN approval x ON x.execution_id = e.id
    WHERE x.id = p_approval FOR UPDATE OF e;
  UPDATE approval SET decision = 'expired', decided_at = pilot_now()
    WHERE id = p_approval AND decided_at IS NULL AND expires_at <= pilot_now() RETURNING * INTO a;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM add_event(a.execution_id, 'approval', a.path, '{"decision":"expired"}');
  PERFORM audit_system(a.execution_id, a.owner_id, 'APPROVAL_TIMEOUT', json_build_object(
    'approval', a.id, 'path', a.path, 'on_timeout', a.on_timeout, 'payload_hash', a.payload_hash));
  PERFORM resolve_wait(a.wait_id, json_build_object('decision', 'expired', 'then', a.on_timeout));
  RETURN a.execution_id;
END $$;

-- A waiting execution whose deadline passed, or that waits for nothing: a worker has to look.
CREATE FUNCTION wake(p_execution uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  UPDATE execution SET status = 'queued', wake_at = pilot_now()
    WHERE id = p_execution AND status IN ('waiting', 'paused')
      AND (deadline_at <= pilot_now() OR status = 'waiting' AND NOT EXISTS (
        SELECT 1 FROM wait w WHERE w.execution_id = p_execution AND w.resolved_at IS NULL));
  IF FOUND THEN PERFORM add_event(p_execution, 'execution', NULL, '{"status":"queued"}'); END IF;
  RETURN FOUND;
END $$;

CREATE FUNCTION stop_worker(p_worker uuid) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  UPDATE worker SET stopped_at = coalesce(stopped_at, pilot_now()) WHERE id = p_worker;
  SELECT id FROM execution WHERE worker_id = p_worker AND status IN ('running', 'cancelling') $$;

DO $$
DECLARE f text;
BEGIN
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  FOREACH f IN ARRAY ARRAY['dead_workers()', 'take_away(uuid, uuid, text)', 'due(int)',
      'fire_wait(uuid)', 'expire_approval(uuid)', 'wake(uuid)', 'stop_worker(uuid)'] LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pilot_app', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO pilot_claim', f);
  END LOOP;
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $$;
"""

DOWN = r"""
DROP FUNCTION stop_worker(uuid);
DROP FUNCTION wake(uuid);
DROP FUNCTION expire_approval(uuid);
DROP FUNCTION fire_wait(uuid);
DROP FUNCTION due(int);
DROP FUNCTION take_away(uuid, uuid, text);
DROP FUNCTION dead_workers();
DROP FUNCTION audit_system(uuid, uuid, text, json);
"""
