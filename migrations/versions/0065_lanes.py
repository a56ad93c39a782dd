"""A message is taken for longer than it takes to be sent; each channel has a lane of its own."""

from alembic import op

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    op.execute("DROP FUNCTION take_outbox(int)")
    op.execute(PAUSE)
    op.execute(TAKE)
    op.execute(OWNED.format(function="take_outbox(text[])"))


def downgrade() -> None:
    op.execute("DROP FUNCTION take_outbox(text[])")
    op.execute("DROP FUNCTION outbox_pause(int)")
    op.execute(TAKE_MANY)
    op.execute(OWNED.format(function="take_outbox(int)"))


PAUSE = r"""
-- How long a message rests after so many tries that failed: 5 s, 10 s .. 1 h.
CREATE FUNCTION outbox_pause(p_attempts int) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT make_interval(secs => least(3600, 5 * 2 ^ least(greatest(p_attempts, 1) - 1, 10))) $$;
"""
TAKE = r"""
-- Takes the message that has been due for longest, for one relay. Its lane is where it goes; those
-- of `p_full` are left alone. If the relay dies, and so never notes how it ended, it is due again
-- when any sending would have ended.
CREATE FUNCTION take_outbox(p_full text[])
RETURNS TABLE (id uuid, owner_id uuid, kind text, payload json, attempts int, late boolean,
               lane text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  WITH due AS MATERIALIZED (
    SELECT x.id, l.lane FROM outbox x CROSS JOIN LATERAL (
      SELECT concat_ws(':', coalesce(x.payload #>> '{channel,kind}', 'mail'),
               CASE WHEN x.payload #>> '{channel,secret}' IS NOT NULL THEN x.owner_id END)) AS l(lane)
     WHERE x.sent_at IS NULL AND x.dead_at IS NULL AND x.dropped_at IS NULL
       AND x.due_at <= pilot_now() AND l.lane <> ALL (p_full)
     ORDER BY x.due_at LIMIT 1 FOR UPDATE OF x SKIP LOCKED)
  UPDATE outbox o SET attempts = o.attempts + 1,
         due_at = pilot_now() + greatest(interval '60 s', outbox_pause(o.attempts + 1))
    FROM due WHERE o.id = due.id
  RETURNING o.id, o.owner_id, o.kind, o.payload, o.attempts,
            o.created_at < pilot_now() - interval '24 hours', due.lane $$;
"""
TAKE_MANY = r"""
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
"""
OWNED = """
REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {function} TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION {function} OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
