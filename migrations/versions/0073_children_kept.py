"""What an execution within another gave is kept until the one around it has ended."""

from alembic import op

revision = "0073"
down_revision = "0072"


def upgrade() -> None:
    op.execute(REWORD.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
    op.execute(REWORD.format(before=AFTER, after=BEFORE))


# One that rests may not have read it yet: it would go on with nothing.
BEFORE = "SELECT id FROM execution WHERE pruned_at IS NULL"
AFTER = """SELECT id FROM execution e WHERE NOT EXISTS (
      SELECT 1 FROM execution p WHERE p.id = e.parent_id AND p.finished_at IS NULL)
    AND pruned_at IS NULL"""
REWORD = r"""
DO $do$
DECLARE body text; me text := current_user;
BEGIN
  body := pg_get_functiondef('prune_executions(int,int)'::regprocedure);
  IF strpos(body, $t${before}$t$) = 0 THEN RAISE EXCEPTION 'prune_executions reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE replace(body, $t${before}$t$, $t${after}$t$);
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
