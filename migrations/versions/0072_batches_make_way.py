"""Batches make way for what their execution waited for besides, and are handed out again."""

from alembic import op

revision = "0072"
down_revision = "0071"


def upgrade() -> None:
    op.execute(UP)
    for before, after in REWORDED:
        op.execute(REWORD.format(before=before, after=after))


def downgrade() -> None:
    for before, after in REWORDED:
        op.execute(REWORD.format(before=after, after=before))
    op.execute("DROP FUNCTION has_to_end(uuid)")


UP = r"""
-- Whether a batch begins no further item: more failed than may, or something came that the
-- execution waits for. A wait of one of the items has time until their batches have ended.
CREATE FUNCTION has_to_end(p_batch uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT too_many_failed(p_batch) OR EXISTS (
    SELECT 1 FROM batch b JOIN wait w ON w.execution_id = b.execution_id
     WHERE b.id = p_batch AND w.resolved_at IS NOT NULL AND w.consumed_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM batch o WHERE o.execution_id = b.execution_id
         AND starts_with(w.path, o.path || '['))) $$;
"""
# What came while its worker was about to hand out items is heeded first, as before a wait.
REWORDED = [
    (
        "m.status IS DISTINCT FROM 'waiting' OR NOT EXISTS",
        "m.status IS NULL OR m.status NOT IN ('waiting', 'running') OR NOT EXISTS",
    ),
    ("AND too_many_failed(m.batch)", "AND has_to_end(m.batch)"),
]
REWORD = r"""
DO $do$
DECLARE body text; me text := current_user;
BEGIN
  body := pg_get_functiondef('checkpoint(uuid,json,json,json,json,json)'::regprocedure);
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION 'checkpoint reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
