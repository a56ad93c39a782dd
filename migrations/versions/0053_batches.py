"""Batches of wide scatters: claimed by any worker, each under a fence of its own."""

from alembic import op

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
-- Items of a scatter that any worker may claim. While some are out, their execution is running
-- but held by nobody: nothing wakes it but the end of the last of them.
CREATE TABLE batch (
    id UUID DEFAULT uuidv7() NOT NULL,
    owner_id UUID NOT NULL,
    execution_id UUID NOT NULL,
    path TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    lanes INTEGER NOT NULL,
    places INTEGER NOT NULL,
    may_fail INTEGER NOT NULL,
    failed INTEGER DEFAULT '0' NOT NULL,
    fence INTEGER NOT NULL,
    worker_id UUID,
    recovery_attempts INTEGER DEFAULT '0' NOT NULL,
    gave_up BOOLEAN DEFAULT false NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id),
    FOREIGN KEY(execution_id) REFERENCES execution (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX batch_once ON batch (execution_id, path, first);
CREATE INDEX batch_open ON batch (execution_id) WHERE finished_at IS NULL;
CREATE INDEX batch_held ON batch (worker_id) WHERE worker_id IS NOT NULL;
ALTER TABLE batch ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON batch TO pilot_app USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY granted ON batch FOR SELECT TO pilot_app
  USING ((SELECT cardinality(my_grants()) > 0)
    AND EXISTS (SELECT 1 FROM execution e WHERE e.id = execution_id));
CREATE POLICY maintain ON batch TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON batch TO pilot_claim USING (true) WITH CHECK (true);
GRANT SELECT ON batch TO pilot_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON batch TO pilot_claim;

-- The number of the item of a scatter that a path lies in; NULL: it lies outside.
CREATE FUNCTION item_of(p_path text, p_scatter text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN starts_with(p_path, p_scatter || '[')
    THEN split_part(substr(p_path, length(p_scatter) + 2), ']', 1)::int END $$;

-- What a worker holds: executions, and batches of others.
CREATE FUNCTION holding(p_worker uuid) RETURNS TABLE (id uuid, execution_id uuid)
LANGUAGE sql STABLE AS $$
  SELECT e.id, e.id FROM public.execution e
   WHERE e.worker_id = p_worker AND e.status IN ('running', 'cancelling')
  UNION ALL SELECT b.id, b.execution_id FROM public.batch b WHERE b.worker_id = p_worker $$;

-- Whether more items failed, over all batches of a scatter, than may.
CREATE FUNCTION too_many_failed(p_batch uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT sum(o.failed) > b.may_fail FROM batch b
    JOIN batch o ON o.execution_id = b.execution_id AND o.path = b.path
   WHERE b.id = p_batch GROUP BY b.may_fail $$;

-- Hands a batch to a worker and raises its fence. Of one scatter as many are at work as it has
-- places, so that all their lanes together keep its bound; one for each worker, but what nobody
-- took for a while is anybody's.
CREATE FUNCTION claim_batch(p_worker uuid, p_schema int) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE wide record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM batch WHERE finished_at IS NULL AND worker_id IS NULL) THEN
    RETURN;
  END IF;
  PERFORM 1 FROM worker WHERE id = p_worker AND stopped_at IS NULL AND NOT draining;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT f.* INTO wide FROM batches_to_claim(p_worker, p_schema) f LIMIT 1;
  IF NOT FOUND THEN RETURN; END IF;
  -- Whoever counts them to take one holds this lock, and looks again.
  PERFORM pg_advisory_xact_lock(hashtextextended(wide.execution_id::text || wide.path, 52));
  RETURN QUERY UPDATE batch SET worker_id = p_worker, fence = fence + 1, changed_at = pilot_now()
   WHERE id = (SELECT b.id FROM batch b JOIN batches_to_claim(p_worker, p_schema) f
                 ON f.execution_id = b.execution_id AND f.path = b.path
                WHERE b.execution_id = wide.execution_id AND b.path = wide.path
                  AND b.worker_id IS NULL AND b.finished_at IS NULL
                ORDER BY b.first LIMIT 1)
  RETURNING id;
END $$;

-- Scatters of which a worker may claim a batch, the most urgent first.
CREATE FUNCTION batches_to_claim(p_worker uuid, p_schema int)
RETURNS TABLE (execution_id uuid, path text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT b.execution_id, b.path FROM batch b JOIN execution e ON e.id = b.execution_id
   WHERE e.status IN ('running', 'cancelling') AND e.worker_id IS NULL
     AND e.state_schema <= p_schema
   GROUP BY b.execution_id, b.path, e.priority
  HAVING count(*) FILTER (WHERE b.finished_at IS NULL AND b.worker_id IS NULL) > 0
     AND count(b.worker_id) < min(b.places)
     AND (count(*) FILTER (WHERE b.worker_id = p_worker) = 0
       OR max(b.changed_at) < pilot_now() - interval '2 s')
   ORDER BY e.priority, count(b.worker_id), b.execution_id $$;

-- Whether a worker may claim one: it asks with each beat, so that no worker idles beside them.
CREATE FUNCTION batch_waits(p_worker uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT EXISTS (SELECT 1 FROM batch WHERE finished_at IS NULL AND worker_id IS NULL)
     AND EXISTS (SELECT 1 FROM batches_to_claim(p_worker, 2147483647)) $$;

-- What a checkpoint says about batches: some are handed out, or one has ended.
CREATE FUNCTION checkpoint_batches(p_members json, ns int[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE m record;
BEGIN
  FOR m IN SELECT x.* FROM json_to_recordset(p_members)
      AS x(n int, id uuid, ended boolean, early boolean, spread json)
      WHERE x.n = ANY (ns) AND (x.ended OR x.spread IS NOT NULL) LOOP
    IF m.ended THEN
      PERFORM batch_ended(m.id, m.early);
    ELSE
      PERFORM hand_out(m.id, m.spread);
    END IF;
  END LOOP;
END $$;

-- Hands out the items of scatters: as many batches at the same time as workers live, each with
-- its share of the lanes.
CREATE FUNCTION hand_out(p_execution uuid, p_spread json) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  INSERT INTO batch (owner_id, execution_id, path, first, last, lanes, places, may_fail, fence)
  SELECT e.owner_id, e.id, s.path, r.first, r.last, s.at_once / w.places, w.places, s.may_fail,
         e.fence
    FROM execution e
    CROSS JOIN json_to_recordset(p_spread) AS s(path text, at_once int, may_fail int, ranges json)
    CROSS JOIN LATERAL (SELECT least(greatest(count(*), 1), s.at_once)::int AS places
      FROM worker WHERE stopped_at IS NULL AND NOT draining AND lease_until > pilot_now()) w
    CROSS JOIN json_to_recordset(s.ranges) AS r(first int, last int)
   WHERE e.id = p_execution $$;

-- A batch has ended. One that was told to stop takes those along that nobody has claimed; the last
-- one lets its execution go on, which does what is left and gathers.
CREATE FUNCTION batch_ended(p_execution uuid, p_early boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  IF p_early THEN
    UPDATE batch SET finished_at = pilot_now()
      WHERE execution_id = p_execution AND finished_at IS NULL AND worker_id IS NULL;
  END IF;
  IF EXISTS (SELECT 1 FROM batch WHERE execution_id = p_execution AND finished_at IS NULL) THEN
    RETURN;
  END IF;
  DELETE FROM batch WHERE execution_id = p_execution AND NOT gave_up;
  UPDATE execution SET status = 'queued', wake_at = pilot_now()
    WHERE id = p_execution AND status IN ('running', 'cancelling') AND worker_id IS NULL;
  IF FOUND THEN
    PERFORM add_event(p_execution, 'execution', NULL, '{"status":"queued"}');
  END IF;
END $$;

-- Attempts of an execution, or of one batch of it, whose worker went away.
CREATE FUNCTION interrupt_attempts(e execution, b batch) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE a record;
BEGIN
  FOR a IN UPDATE step_execution s
      SET status = CASE s.effect WHEN 'once' THEN 'unknown' ELSE 'interrupted' END,
          finished_at = pilot_now()
      WHERE s.execution_id = e.id AND s.status = 'running' AND s.effect IS NOT NULL
        AND (b.id IS NULL OR item_of(s.path, b.path) BETWEEN b.first AND b.last)
      RETURNING s.path, s.attempt, s.status LOOP
    PERFORM add_event(e.id, 'step', a.path,
                      json_build_object('status', a.status, 'attempt', a.attempt));
    IF a.status = 'unknown' THEN
      PERFORM audit_system(e.id, e.owner_id, 'PILOT_OUTCOME_UNKNOWN',
                           json_build_object('path', a.path, 'attempt', a.attempt));
    END IF;
  END LOOP;
END $$;

-- Takes one batch away from a worker, as take_away does with an execution. What killed its worker
-- twice is given back to the execution, for which the rules of executions that do so hold.
CREATE FUNCTION take_batch_away(p_batch uuid, p_worker uuid, p_why text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE b batch; e execution; died boolean := p_why IN ('worker_died', 'crashed');
BEGIN
  SELECT x.* INTO e FROM execution x JOIN batch y ON y.execution_id = x.id
   WHERE y.id = p_batch FOR UPDATE OF x;
  UPDATE batch SET fence = fence + 1, worker_id = NULL, changed_at = pilot_now(),
         recovery_attempts = recovery_attempts + died::int
    WHERE id = p_batch AND worker_id = p_worker AND finished_at IS NULL RETURNING * INTO b;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM interrupt_attempts(e, b);
  IF died THEN
    PERFORM audit_system(e.id, e.owner_id, 'PILOT_EXECUTION_RECOVERED', json_build_object(
      'worker', p_worker, 'recovery', b.recovery_attempts, 'path', b.path,
      'items', json_build_array(b.first, b.last)));
  END IF;
  PERFORM add_event(e.id, 'step', b.path, json_build_object('status', 'queued', 'reason', p_why,
    'items', json_build_array(b.first, b.last)));
  UPDATE batch SET gave_up = true, finished_at = pilot_now()
   WHERE id = b.id AND died AND (b.recovery_attempts >= 2 OR EXISTS (
     SELECT 1 FROM step_execution s WHERE s.execution_id = e.id AND s.status = 'interrupted'
        AND item_of(s.path, b.path) BETWEEN b.first AND b.last
      GROUP BY s.path HAVING count(*) >= 2));
  IF NOT FOUND AND p_why = 'grace_over' THEN
    UPDATE batch SET finished_at = pilot_now() WHERE id = b.id;
  END IF;
  PERFORM batch_ended(e.id, p_why = 'grace_over');
  RETURN 'queued';
END $$;

DO $$
DECLARE f text;
BEGIN
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  GRANT EXECUTE ON FUNCTION claim_batch(uuid, int), batch_waits(uuid) TO pilot_app;
  FOREACH f IN ARRAY ARRAY['item_of(text, text)', 'holding(uuid)', 'too_many_failed(uuid)',
      'claim_batch(uuid, int)', 'batch_waits(uuid)', 'batches_to_claim(uuid, int)',
      'checkpoint_batches(json, int[])',
      'hand_out(uuid, json)', 'batch_ended(uuid, boolean)',
      'interrupt_attempts(execution, batch)', 'take_batch_away(uuid, uuid, text)'] LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO pilot_claim', f);
  END LOOP;
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $$;
"""
DOWN = r"""
DROP FUNCTION take_batch_away(uuid, uuid, text);
DROP FUNCTION interrupt_attempts(execution, batch);
DROP FUNCTION batch_ended(uuid, boolean);
DROP FUNCTION hand_out(uuid, json);
DROP FUNCTION checkpoint_batches(json, int[]);
DROP FUNCTION batch_waits(uuid);
DROP FUNCTION claim_batch(uuid, int);
DROP FUNCTION batches_to_claim(uuid, int);
DROP FUNCTION too_many_failed(uuid);
DROP FUNCTION holding(uuid);
DROP FUNCTION item_of(text, text);
UPDATE execution SET status = 'queued' WHERE status IN ('running', 'cancelling')
  AND worker_id IS NULL;
DROP TABLE batch;
"""
