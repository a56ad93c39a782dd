"""Concurrency keys: of the executions with one key so many run, the others take turns."""

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.execute(UP)
    for function, owner, pairs in REWORDED:
        _reword(function, owner, pairs)


def downgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, [(after, before) for before, after in pairs])
    op.execute(DOWN)


def _reword(function: str, owner: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, owner=owner, known=known, body=body))


REWORDED = [
    (
        "claim(uuid,int,int,int)",
        "pilot_claim",
        [
            (
                "(SELECT owner_id FROM execution WHERE status = 'queued' ORDER",
                "(SELECT owner_id FROM execution WHERE status = 'queued' AND admitted ORDER",
            ),
            (
                "WHERE e.status = 'queued' AND e.owner_id > o.owner_id",
                "WHERE e.status = 'queued' AND e.admitted AND e.owner_id > o.owner_id",
            ),
            (
                "WHERE e.status = 'queued' AND e.owner_id = l.owner_id AND",
                "WHERE e.status = 'queued' AND e.admitted AND e.owner_id = l.owner_id AND",
            ),
            (
                "     WHERE e.status = 'queued'\n     ORDER BY r.priority",
                "     WHERE e.status = 'queued' AND e.admitted\n     ORDER BY r.priority",
            ),
        ],
    ),
    (
        "due(int)",
        "pilot_claim",
        [
            (
                "WHERE e.status = 'queued' AND e.wake_at < t",
                "WHERE e.status = 'queued' AND e.admitted AND e.wake_at < t",
            ),
            (
                "    UNION ALL\n    (SELECT 'orphan',",
                "    UNION ALL\n    (SELECT 'turn', x, NULL FROM due_turns(p_limit) x)\n"
                "    UNION ALL\n    (SELECT 'orphan',",
            ),
        ],
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE {owner};  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
UP = r"""
ALTER TABLE execution
  ADD COLUMN concurrency_key TEXT,
  ADD COLUMN concurrency_limit INTEGER,
  ADD COLUMN admitted BOOLEAN DEFAULT true NOT NULL;
DROP INDEX execution_queued;
CREATE INDEX execution_queued ON execution (owner_id, priority, wake_at)
  WHERE status = 'queued' AND admitted;
CREATE INDEX execution_turn ON execution (agent_id, concurrency_key, priority, created_at)
  WHERE status = 'queued' AND NOT admitted;
CREATE INDEX execution_late_turn ON execution (deadline_at)
  WHERE status = 'queued' AND NOT admitted;
CREATE INDEX execution_with_key ON execution (agent_id, concurrency_key)
  WHERE concurrency_key IS NOT NULL AND finished_at IS NULL AND admitted;

-- Whoever counts the executions of a key to add one takes this lock; who only hands its place on
-- does not need it, as that never makes them more.
CREATE FUNCTION lock_concurrency(p_agent uuid, p_key text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  SELECT pg_advisory_xact_lock(hashtextextended(p_agent::text || p_key, 40)) $$;

-- How many executions hold a place of a key: one that rests (paused, needs attention) holds none,
-- and takes a place again when it goes on, so what is stuck blocks nobody for ever.
CREATE FUNCTION places_taken(p_agent uuid, p_key text, p_but uuid) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  SELECT count(*) FROM execution WHERE agent_id = p_agent AND concurrency_key = p_key
     AND finished_at IS NULL AND admitted AND id <> p_but
     AND status IN ('queued', 'running', 'cancelling', 'waiting') $$;

CREATE FUNCTION take_place() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status IN ('queued', 'running', 'cancelling', 'waiting') THEN
    RETURN NEW;  -- it holds a place, or waits for its turn already
  END IF;
  PERFORM lock_concurrency(NEW.agent_id, NEW.concurrency_key);
  NEW.admitted := NEW.deadline_at <= pilot_now()  -- it only ends
    OR places_taken(NEW.agent_id, NEW.concurrency_key, NEW.id) < NEW.concurrency_limit;
  RETURN NEW;
END $$;
CREATE TRIGGER take_place BEFORE INSERT OR UPDATE OF status ON execution FOR EACH ROW
  WHEN (NEW.concurrency_key IS NOT NULL AND NEW.status = 'queued') EXECUTE FUNCTION take_place();

-- Lets an execution run whose turn has come.
CREATE FUNCTION admit(p_execution uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  UPDATE execution SET admitted = true, wake_at = pilot_now() WHERE id = p_execution;
  PERFORM add_event(p_execution, 'execution', NULL, '{"status":"queued","admitted": true}');
END $$;

-- The next of a key takes the place of one that ended or rests, whoever wrote that.
CREATE FUNCTION pass_place() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE following record;
BEGIN
  SELECT e.id, e.concurrency_limit INTO following FROM execution e
   WHERE e.agent_id = NEW.agent_id AND e.concurrency_key = NEW.concurrency_key
     AND e.status = 'queued' AND NOT e.admitted
   ORDER BY e.priority, e.created_at LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF FOUND AND places_taken(NEW.agent_id, NEW.concurrency_key, following.id)
      < following.concurrency_limit THEN
    PERFORM admit(following.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER pass_place AFTER UPDATE OF status ON execution FOR EACH ROW
  WHEN (NEW.concurrency_key IS NOT NULL AND NEW.admitted
    AND OLD.status IN ('queued', 'running', 'cancelling', 'waiting')
    AND NEW.status NOT IN ('queued', 'running', 'cancelling', 'waiting'))
  EXECUTE FUNCTION pass_place();

-- What a sweep finds, as two may have missed each other: the first of each key that has a place
-- free, and what waits for its turn beyond its deadline.
CREATE FUNCTION due_turns(p_limit int) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  WITH RECURSIVE first AS (
    (SELECT e.id, e.agent_id, e.concurrency_key, e.concurrency_limit FROM execution e
      WHERE e.status = 'queued' AND NOT e.admitted
      ORDER BY e.agent_id, e.concurrency_key, e.priority, e.created_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM first f CROSS JOIN LATERAL (
      SELECT e.id, e.agent_id, e.concurrency_key, e.concurrency_limit FROM execution e
       WHERE e.status = 'queued' AND NOT e.admitted
         AND (e.agent_id, e.concurrency_key) > (f.agent_id, f.concurrency_key)
       ORDER BY e.agent_id, e.concurrency_key, e.priority, e.created_at LIMIT 1) n
  )
  (SELECT f.id FROM first f
    WHERE places_taken(f.agent_id, f.concurrency_key, f.id) < f.concurrency_limit LIMIT p_limit)
  UNION
  (SELECT e.id FROM execution e WHERE e.status = 'queued' AND NOT e.admitted
      AND e.deadline_at <= (SELECT pilot_now()) LIMIT p_limit) $$;

CREATE FUNCTION take_turn(p_execution uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE e execution;
BEGIN
  SELECT * INTO e FROM execution WHERE id = p_execution;
  PERFORM lock_concurrency(e.agent_id, e.concurrency_key);
  PERFORM 1 FROM execution WHERE id = p_execution AND status = 'queued' AND NOT admitted
    FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR e.deadline_at > pilot_now()
      AND places_taken(e.agent_id, e.concurrency_key, e.id) >= e.concurrency_limit THEN
    RETURN false;
  END IF;
  PERFORM admit(p_execution);
  RETURN true;
END $$;

REVOKE EXECUTE ON FUNCTION take_place(), pass_place(), admit(uuid), due_turns(int),
  take_turn(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_turn(uuid) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION take_place() OWNER TO pilot_claim;
ALTER FUNCTION pass_place() OWNER TO pilot_claim;
ALTER FUNCTION admit(uuid) OWNER TO pilot_claim;
ALTER FUNCTION due_turns(int) OWNER TO pilot_claim;
ALTER FUNCTION take_turn(uuid) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
DOWN = r"""
DROP TRIGGER pass_place ON execution;
DROP TRIGGER take_place ON execution;
DROP FUNCTION take_turn(uuid);
DROP FUNCTION due_turns(int);
DROP FUNCTION pass_place();
DROP FUNCTION take_place();
DROP FUNCTION admit(uuid);
DROP FUNCTION places_taken(uuid, text, uuid);
DROP FUNCTION lock_concurrency(uuid, text);
DROP INDEX execution_with_key, execution_late_turn, execution_turn, execution_queued;
CREATE INDEX execution_queued ON execution (owner_id, priority, wake_at) WHERE status = 'queued';
ALTER TABLE execution DROP COLUMN concurrency_key, DROP COLUMN concurrency_limit,
  DROP COLUMN admitted;
"""
