"""Children whose step waits for them no more are cancelled; only theirs is what an end resolves."""

from alembic import op

revision = "0068"
down_revision = "0067"


def upgrade() -> None:
    _reword(REWORDED)


def downgrade() -> None:
    _reword([(one, after, before) for one, before, after in REWORDED])


def _reword(changes: list[tuple[str, str, str]]) -> None:
    """Change words of functions of many lines; their owner and their grants stay."""
    for function, before, after in changes:
        op.execute(REWORD.format(function=function, before=before, after=after))


REWORDED = [
    (
        "following_children(int)",
        "p.cancel_requested_at IS NOT NULL THEN 'cancel'",
        "p.cancel_requested_at IS NOT NULL OR EXISTS (\n"
        "        SELECT 1 FROM step_execution s  -- a group went on without it, or it is run again\n"
        "         WHERE s.execution_id = c.parent_id AND s.path = c.parent_path\n"
        "           AND s.status IN ('cancelled', 'replaced')\n"
        "           AND c.id::text IN (s.input ->> 'execution_id', s.output ->> 'execution_id'))\n"
        "        THEN 'cancel'",
    ),
    (
        "tell_parent()",
        "w.kind = 'child' AND w.resolved_at IS NULL;",
        "w.kind = 'child' AND w.resolved_at IS NULL\n"
        "     AND w.consumed_at IS NULL AND w.asked ->> 'execution_id' = NEW.id::text;",
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
