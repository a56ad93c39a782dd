"""The engine's statements: claim, load, checkpoint, timeline events and resolving waits."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
-- The functions that run for every claim or step keep one plan for each statement (planning them
-- for each call costs as much as their work), and never the sequential scans that fit small tables.

-- Adds one line to an execution's timeline; takes its row lock, so sequence numbers have no gaps.
CREATE FUNCTION add_event(p_execution uuid, p_kind text, p_path text, p_data json) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE number bigint; owner uuid;
BEGIN
  UPDATE execution SET event_seq = event_seq + 1 WHERE id = p_execution
    RETURNING event_seq, owner_id INTO number, owner;
  INSERT INTO event (execution_id, seq, owner_id, kind, path, data)
    VALUES (p_execution, number, owner, p_kind, p_path, p_data);
  RETURN number;
END $$;

-- Resolves a wait, once, and wakes its execution. The execution row is locked first: otherwise a
-- worker that is just parking it could miss the resolution and sleep for ever.
CREATE FUNCTION resolve_wait(p_wait uuid, p_resolution json) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE target uuid;
BEGIN
  SELECT execution_id INTO target FROM wait WHERE id = p_wait;
  PERFORM 1 FROM execution WHERE id = target FOR UPDATE;
  UPDATE wait SET resolved_at = pilot_now(), resolution = p_resolution
    WHERE id = p_wait AND resolved_at IS NULL;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE execution SET status = 'queued', wake_at = pilot_now()
    WHERE id = target AND status = 'waiting';
  IF FOUND THEN PERFORM add_event(target, 'execution', NULL, '{"status":"queued"}'); END IF;
  RETURN true;
END $$;

-- Hands up to p_limit queued executions to a worker and raises their fences. Fair: owners with few
-- running executions come first within a priority. A loose index scan finds the owners.
-- Suspects (their worker died twice without a result of theirs in between) run in groups, smaller
-- with each death: the one that kills its worker is found out, and no other is parked with it.
CREATE INDEX execution_suspect ON execution (wake_at)
  WHERE status = 'queued' AND recovery_attempts >= 2;
CREATE FUNCTION claim(p_worker uuid, p_schema int, p_limit int, p_per_owner int)
RETURNS TABLE (id uuid, owner_id uuid, fence int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE t timestamptz := pilot_now(); deaths int; suspects uuid[] := '{}';
BEGIN
  PERFORM 1 FROM worker WHERE id = p_worker AND stopped_at IS NULL AND NOT draining;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT e.recovery_attempts INTO deaths FROM execution e
    WHERE e.status = 'queued' AND e.recovery_attempts >= 2 AND e.wake_at <= t
    ORDER BY e.wake_at LIMIT 1;
  IF FOUND AND NOT EXISTS (SELECT 1 FROM execution e WHERE e.worker_id = p_worker
      AND e.status IN ('running', 'cancelling') AND e.recovery_attempts >= 2) THEN
    suspects := ARRAY(SELECT e.id FROM execution e
      WHERE e.status = 'queued' AND e.recovery_attempts >= 2 AND e.recovery_attempts = deaths
        AND e.wake_at <= t
      ORDER BY e.wake_at LIMIT CASE deaths WHEN 2 THEN 32 WHEN 3 THEN 4 ELSE 1 END);
  END IF;
  RETURN QUERY
  WITH RECURSIVE owners AS (
    (SELECT owner_id FROM execution WHERE status = 'queued' ORDER BY owner_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.owner_id FROM execution e WHERE e.status = 'queued' AND e.owner_id > o.owner_id
             ORDER BY e.owner_id LIMIT 1)
      FROM owners o WHERE o.owner_id IS NOT NULL
  ), load AS MATERIALIZED (
    SELECT o.owner_id, (SELECT count(*) FROM execution r
       WHERE r.owner_id = o.owner_id AND r.status IN ('running', 'cancelling')) AS running
      FROM owners o WHERE o.owner_id IS NOT NULL
  ), ready AS MATERIALIZED (
    SELECT q.id, q.priority, q.wake_at, l.running + q.place AS place
      FROM load l CROSS JOIN LATERAL (
        SELECT e.id, e.priority, e.wake_at,
               row_number() OVER (ORDER BY e.priority, e.wake_at) AS place
          FROM execution e
         WHERE e.status = 'queued' AND e.owner_id = l.owner_id AND e.wake_at <= t
           AND e.state_schema <= p_schema
           AND (e.recovery_attempts < 2 OR e.id = ANY (suspects))
         ORDER BY e.priority, e.wake_at LIMIT p_limit * 2) q
     WHERE l.running + q.place <= p_per_owner
  ), taken AS MATERIALIZED (
    SELECT e.id FROM execution e JOIN ready r ON r.id = e.id
     WHERE e.status = 'queued'
     ORDER BY r.priority, r.place, r.wake_at LIMIT p_limit FOR UPDATE OF e SKIP LOCKED
  ), claimed AS (
    UPDATE execution e SET status = CASE WHEN e.cancel_requested_at IS NULL THEN 'running'
                                         ELSE 'cancelling' END,
           worker_id = p_worker, fence = e.fence + 1, event_seq = e.event_seq + 1,
           started_at = coalesce(e.started_at, t)
      FROM taken WHERE e.id = taken.id
      RETURNING e.id, e.owner_id, e.fence, e.event_seq, e.status
  ), told AS (
    INSERT INTO event (execution_id, seq, owner_id, at, kind, data)
    SELECT c.id, c.event_seq, c.owner_id, t, 'execution', json_build_object('status', c.status)
      FROM claimed c)
  SELECT c.id, c.owner_id, c.fence FROM claimed c;
END $$;

-- What a worker needs to go on with executions that it holds: read once, at claim.
CREATE FUNCTION load_executions(p_worker uuid, p_ids uuid[], p_known uuid[])
RETURNS TABLE (id uuid, moment timestamptz, head json, attempts json, waits json)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT e.id, pilot_now(),
    json_build_object('owner_id', e.owner_id, 'agent_id', e.agent_id, 'agent_name', e.agent_name,
      'version_id', e.version_id, 'document', coalesce(e.document,
        (SELECT v.document FROM workflow_version v WHERE v.id = e.version_id
           AND NOT v.id = ANY (p_known))), 'mode', e.mode, 'trigger', e.trigger,
      'session_id', e.session_id, 'inputs', e.inputs, 'prompt', e.prompt, 'settings', e.settings,
      'zone', e.zone, 'status', e.status, 'fence', e.fence, 'created_at', e.created_at,
      'started_by', e.started_by,
      'owner_email', (SELECT u.email FROM app_user u WHERE u.id = e.owner_id),
      'grants', (SELECT to_json(a.grants) FROM agent a WHERE a.id = e.agent_id), 'runs', e.runs, 'started_at', e.started_at,
      'deadline_at', e.deadline_at, 'cancel', e.cancel_requested_at IS NOT NULL,
      'pause', e.pause_requested_at IS NOT NULL),
    (SELECT json_agg(json_build_object('path', s.path, 'attempt', s.attempt, 'type', s.type,
       'status', s.status, 'effect', s.effect, 'key', s.key, 'rerun', s.rerun, 'input', s.input,
       'output', s.output, 'error', s.error, 'started_at', s.started_at) ORDER BY s.path, s.attempt)
       FROM step_execution s WHERE s.execution_id = e.id),
    (SELECT json_agg(json_build_object('path', w.path, 'kind', w.kind, 'wake_at', w.wake_at,
       'opened_at', w.opened_at, 'resolved', w.resolved_at IS NOT NULL,
       'resolution', w.resolution) ORDER BY w.id)
       FROM wait w WHERE w.execution_id = e.id AND w.consumed_at IS NULL)
    FROM execution e WHERE e.id = ANY (p_ids) AND e.worker_id = p_worker $$;

-- The worker's one write. Every member starts with its fence; a member whose fence is gone, or
-- that wants to park although one of its waits has just been resolved or a cancel asked, writes
-- nothing and is missing from the answer. Owners come from the locked rows, never from the worker.
CREATE FUNCTION checkpoint(p_worker uuid, p_members json, p_attempts json, p_events json,
                           p_audit json, p_waits json)
RETURNS TABLE (n int, seq bigint, cancel boolean, pause boolean, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  t timestamptz := pilot_now();
  ns int[]; ids uuid[]; owners uuid[];
  seqs bigint[]; cancels boolean[]; pauses boolean[]; lates boolean[];
  a_chains text[]; a_owners uuid[]; a_records text[];
BEGIN
  -- Locked in order, so that no two batches wait for each other; and before the next statement
  -- takes its snapshot: one that parks has to see a wait that was resolved until now.
  PERFORM 1 FROM execution e
    WHERE e.id IN (SELECT x.id FROM json_to_recordset(p_members) AS x(id uuid))
    ORDER BY e.id FOR UPDATE;
  WITH m AS (
    SELECT * FROM json_to_recordset(p_members)
      AS x(n int, id uuid, fence int, events int, result boolean, status text, reason text,
           output json, error json, final boolean)
  ), held AS (
    UPDATE execution e SET event_seq = e.event_seq + m.events,
           recovery_attempts = CASE WHEN m.result THEN 0 ELSE e.recovery_attempts END,
           status = coalesce(m.status, e.status),
           status_reason = CASE WHEN m.status IS NULL THEN e.status_reason ELSE m.reason END,
           worker_id = CASE WHEN m.status IS NULL THEN e.worker_id END,
           output = CASE WHEN m.status IS NULL THEN e.output ELSE m.output END,
           error = CASE WHEN m.status IS NULL THEN e.error ELSE m.error END,
           wake_at = CASE WHEN m.status IS NULL THEN e.wake_at ELSE t END,
           pause_requested_at = CASE WHEN m.status = 'paused' THEN NULL
                                     ELSE e.pause_requested_at END,
           finished_at = CASE WHEN m.status IS NULL THEN e.finished_at WHEN m.final THEN t END
      FROM m
     WHERE e.id = m.id AND e.fence = m.fence AND e.worker_id = p_worker
       AND e.status IN ('running', 'cancelling')
       AND (m.status IS DISTINCT FROM 'waiting' OR NOT EXISTS (SELECT 1 FROM wait w
            WHERE w.execution_id = e.id AND w.resolved_at IS NOT NULL AND w.consumed_at IS NULL))
       AND (e.status = 'running' OR m.status IS NULL OR m.status NOT IN ('waiting', 'paused'))
    RETURNING m.n, e.id, e.owner_id, e.event_seq, e.event_seq - m.events AS base, e.fence,
              e.cancel_requested_at IS NOT NULL AS cancel,
              e.pause_requested_at IS NOT NULL AS pause, e.deadline_at <= t AS late
  ), wrote AS (
    INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, effect, key,
        rerun, input, output, error, notes, fence, worker_id, started_at, finished_at, duration_ms)
    SELECT h.id, a.path, a.attempt, h.owner_id, a.type, a.status, a.effect, a.key, a.rerun,
           a.input, a.output, a.error, a.notes, h.fence, p_worker, a.started_at,
           CASE WHEN a.status NOT IN ('running', 'waiting') THEN t END, a.duration_ms
      FROM json_to_recordset(p_attempts) AS a(n int, path text, attempt int, type text,
           status text, effect text, key uuid, rerun int, input json, output json, error json,
           notes json, started_at timestamptz, duration_ms int)
      JOIN held h ON h.n = a.n
    ON CONFLICT (execution_id, path, attempt) DO UPDATE SET
      status = excluded.status, output = coalesce(excluded.output, step_execution.output),
      error = excluded.error,
      notes = coalesce(excluded.notes, step_execution.notes), finished_at = excluded.finished_at,
      duration_ms = excluded.duration_ms, fence = excluded.fence, worker_id = excluded.worker_id
    WHERE step_execution.status IN ('running', 'waiting') OR excluded.status = 'superseded'
  ), told AS (
    INSERT INTO event (execution_id, seq, owner_id, at, kind, path, data)
    SELECT h.id, h.base + v.place, h.owner_id, t, v.kind, v.path, v.data
      FROM json_to_recordset(p_events)
        AS v(n int, place int, kind text, path text, data json)
      JOIN held h ON h.n = v.n)
  SELECT array_agg(h.n), array_agg(h.id), array_agg(h.owner_id), array_agg(h.event_seq),
         array_agg(h.cancel), array_agg(h.pause), array_agg(h.late)
    INTO ns, ids, owners, seqs, cancels, pauses, lates FROM held h;
  IF ns IS NULL THEN RETURN; END IF;

  IF p_waits IS NOT NULL THEN
    PERFORM checkpoint_waits(p_waits, ns, ids, owners, t);
  END IF;

  SELECT array_agg(h.id::text ORDER BY h.id, r.place), array_agg(h.owner_id ORDER BY h.id, r.place),
         array_agg(r.record ORDER BY h.id, r.place)
    INTO a_chains, a_owners, a_records
    FROM json_to_recordset(p_audit) AS r(n int, place int, record text)
    JOIN unnest(ns, ids, owners) AS h(n, id, owner_id) ON h.n = r.n;
  IF a_chains IS NOT NULL THEN
    PERFORM audit_append(a_chains, a_owners, a_records);
  END IF;

  RETURN QUERY SELECT * FROM unnest(ns, seqs, cancels, pauses, lates);
END $$;

-- Whether a checkpoint whose answer was lost is in the database, and whether the fence still holds.
-- The row lock comes first: the statement of a lost connection may still be at work.
CREATE FUNCTION was_applied(p_execution uuid, p_fence int, p_attempts json, p_status text)
RETURNS TABLE (applied boolean, held boolean, cancel boolean, pause boolean, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM 1 FROM execution e WHERE e.id = p_execution FOR UPDATE;
  RETURN QUERY SELECT (json_array_length(p_attempts) > 0 OR p_status IS NOT NULL)
      AND (p_status IS NULL OR e.status = p_status)
      AND NOT EXISTS (SELECT 1 FROM json_to_recordset(p_attempts) AS a(path text, attempt int,
            status text) WHERE NOT EXISTS (SELECT 1 FROM step_execution s
              WHERE s.execution_id = e.id AND s.path = a.path AND s.attempt = a.attempt
                AND s.status = a.status AND s.fence = p_fence)),
    e.fence = p_fence AND e.status IN ('running', 'cancelling'),
    e.cancel_requested_at IS NOT NULL, e.pause_requested_at IS NOT NULL,
    e.deadline_at <= pilot_now()
    FROM execution e WHERE e.id = p_execution;
END $$;

-- What a worker holds by the rows.
CREATE FUNCTION held_by(p_worker uuid) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT id FROM execution WHERE worker_id = p_worker AND status IN ('running', 'cancelling') $$;

-- Executions of a worker that have to stop soon: a person asked, or the master switch is off.
CREATE FUNCTION asked_to_stop(p_worker uuid) RETURNS TABLE (id uuid, why text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT e.id, CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancel'
                    WHEN e.deadline_at <= pilot_now() THEN 'late'
                    WHEN e.pause_requested_at IS NOT NULL THEN 'pause'
                    ELSE 'pilot_disabled' END
    FROM execution e
   WHERE e.worker_id = p_worker AND e.status IN ('running', 'cancelling')
     AND (e.cancel_requested_at IS NOT NULL OR e.pause_requested_at IS NOT NULL
          OR e.deadline_at <= pilot_now()
          OR e.runs = 'pilot_steps' AND NOT coalesce(
            (SELECT (s.value #>> '{}')::boolean FROM setting s WHERE s.key = 'pilot_enabled'),
            false)) $$;

-- Waits of a checkpoint: opened (with their approvals and the notices of these) or consumed.
CREATE FUNCTION checkpoint_waits(p_waits json, ns int[], ids uuid[], owners uuid[], t timestamptz)
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

REVOKE EXECUTE ON FUNCTION claim(uuid, int, int, int), load_executions(uuid, uuid[], uuid[]),
  checkpoint(uuid, json, json, json, json, json), was_applied(uuid, int, json, text),
  asked_to_stop(uuid), held_by(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim(uuid, int, int, int), load_executions(uuid, uuid[], uuid[]),
  checkpoint(uuid, json, json, json, json, json), was_applied(uuid, int, json, text),
  asked_to_stop(uuid), held_by(uuid) TO pilot_app;
GRANT SELECT ON setting TO pilot_claim;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION claim(uuid, int, int, int) OWNER TO pilot_claim;
ALTER FUNCTION load_executions(uuid, uuid[], uuid[]) OWNER TO pilot_claim;
ALTER FUNCTION was_applied(uuid, int, json, text) OWNER TO pilot_claim;
ALTER FUNCTION asked_to_stop(uuid) OWNER TO pilot_claim;
ALTER FUNCTION held_by(uuid) OWNER TO pilot_claim;
ALTER FUNCTION checkpoint(uuid, json, json, json, json, json) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""

DOWN = r"""
DROP FUNCTION checkpoint(uuid, json, json, json, json, json);
DROP FUNCTION asked_to_stop(uuid);
DROP FUNCTION held_by(uuid);
DROP FUNCTION was_applied(uuid, int, json, text);
DROP FUNCTION checkpoint_waits(json, int[], uuid[], uuid[], timestamptz);
DROP FUNCTION load_executions(uuid, uuid[], uuid[]);
DROP FUNCTION claim(uuid, int, int, int);
DROP INDEX execution_suspect;
DROP FUNCTION resolve_wait(uuid, json);
DROP FUNCTION add_event(uuid, text, text, json);
"""
