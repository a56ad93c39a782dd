"""Children rest and go on with the execution whose step started them."""

from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    op.execute(UP)
    _reword(PAYER)


def downgrade() -> None:
    _reword([(after, before) for before, after in PAYER])
    op.execute(DOWN)


def _reword(pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(known=known, body=body))


PAYER = [  # whose budget refused a call, if it is not that of the execution itself
    (
        "'left_tokens', e.budget_tokens - e.spent_tokens - e.reserved_tokens);",
        "'left_tokens', e.budget_tokens - e.spent_tokens - e.reserved_tokens,\n"
        "      'payer', CASE WHEN payer <> NEW.execution_id THEN payer END);",
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('keep_budget()'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION 'keep_budget() reads otherwise'; END IF;
  SET LOCAL ROLE pilot_owner;  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
END $do$;
"""
UP = r"""
ALTER TABLE execution ADD COLUMN held_by_parent BOOLEAN DEFAULT false NOT NULL;

DROP FUNCTION abandoned_children(int);
-- Children that do not do yet what the execution above them does. One whose parent ended, or was
-- asked to, is cancelled; one whose parent rests is paused, and goes on with it if nobody else
-- paused it; one that an execution above could not pay for goes on when that has another budget.
CREATE FUNCTION following_children(p_limit int)
RETURNS TABLE (id uuid, owner_id uuid, wanted text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT f.id, f.owner_id, f.wanted FROM (
    SELECT c.id, c.owner_id, CASE
      WHEN p.finished_at IS NOT NULL OR p.cancel_requested_at IS NOT NULL THEN 'cancel'
      WHEN p.status = 'paused' OR p.pause_requested_at IS NOT NULL THEN
        CASE WHEN c.status IN ('queued', 'running', 'waiting') AND c.pause_requested_at IS NULL
             THEN 'pause' END
      WHEN c.status = 'paused' AND c.held_by_parent THEN 'resume'
      WHEN c.status = 'budget_paused' AND EXISTS (
        SELECT 1 FROM (SELECT v.data AS data FROM event v
                        WHERE v.execution_id = c.id AND v.kind = 'execution'
                          AND v.data ->> 'status' = 'budget_paused'
                        ORDER BY v.seq DESC LIMIT 1) AS refused
          JOIN execution payer ON payer.id = (refused.data ->> 'payer')::uuid
         WHERE payer.status NOT IN ('paused', 'budget_paused')
           AND (payer.budget_usd IS DISTINCT FROM (refused.data ->> 'limit_usd')::numeric
             OR payer.budget_tokens IS DISTINCT FROM (refused.data ->> 'limit_tokens')::bigint))
        THEN 'resume' END AS wanted
      FROM execution c JOIN execution p ON p.id = c.parent_id
     WHERE c.parent_id IS NOT NULL AND c.finished_at IS NULL AND NOT c.detached
       AND c.cancel_requested_at IS NULL) AS f
   WHERE f.wanted IS NOT NULL LIMIT p_limit $$;
REVOKE EXECUTE ON FUNCTION following_children(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION following_children(int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION following_children(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
DOWN = r"""
DROP FUNCTION following_children(int);
CREATE FUNCTION abandoned_children(p_limit int) RETURNS TABLE (id uuid, owner_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT c.id, c.owner_id FROM execution c JOIN execution p ON p.id = c.parent_id
   WHERE c.parent_id IS NOT NULL AND c.finished_at IS NULL AND NOT c.detached
     AND c.cancel_requested_at IS NULL
     AND (p.finished_at IS NOT NULL OR p.cancel_requested_at IS NOT NULL)
   LIMIT p_limit $$;
REVOKE EXECUTE ON FUNCTION abandoned_children(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION abandoned_children(int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION abandoned_children(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
ALTER TABLE execution DROP COLUMN held_by_parent;
"""
