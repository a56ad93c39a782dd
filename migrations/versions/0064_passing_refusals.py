"""A refusal tells what is left once what is under way is settled, and what that has reserved."""

from alembic import op

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    _reword(LEFT)


def downgrade() -> None:
    _reword([(after, before) for before, after in LEFT])


def _reword(pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(known=known, body=body))


LEFT = [
    (
        "'left_usd', (e.budget_usd - e.spent_usd - e.reserved_usd)::text,",
        "'left_usd', (e.budget_usd - e.spent_usd)::text, 'reserved_usd', e.reserved_usd::text,",
    ),
    (
        "'left_tokens', e.budget_tokens - e.spent_tokens - e.reserved_tokens,",
        "'left_tokens', e.budget_tokens - e.spent_tokens, 'reserved_tokens', e.reserved_tokens,",
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
