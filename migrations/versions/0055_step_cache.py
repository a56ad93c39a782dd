"""Results that later steps may take instead of asking again, and what that saved."""

from alembic import op

revision = "0055"
down_revision = "0054"
FUNCTION = "checkpoint(uuid,json,json,json,json,json)"


def upgrade() -> None:
    op.execute(UP)
    _reword(REWORDED)


def downgrade() -> None:
    _reword([(after, before) for before, after in REWORDED])
    op.execute(DOWN)


def _reword(pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=FUNCTION, known=known, body=body))


REWORDED = [
    (
        "fence, worker_id, started_at, finished_at, duration_ms)",
        "fence, worker_id, started_at, finished_at, duration_ms,\n        cache_key, cached)",
    ),
    (
        "a.status NOT IN ('running', 'waiting') THEN t END, a.duration_ms\n",
        "a.status NOT IN ('running', 'waiting') THEN t END, a.duration_ms,\n"
        "           a.cache_key, a.cached\n",
    ),
    (
        "started_at timestamptz, duration_ms int)",
        "started_at timestamptz, duration_ms int,\n           cache_key bytea, cached json)",
    ),
    (
        "duration_ms = excluded.duration_ms, fence",
        "duration_ms = excluded.duration_ms, cache_key = excluded.cache_key, fence",
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
UP = r"""
ALTER TABLE step_execution ADD COLUMN cache_key BYTEA, ADD COLUMN cached JSON;
CREATE INDEX step_execution_cache ON step_execution (owner_id, cache_key, finished_at)
  WHERE cache_key IS NOT NULL;
CREATE INDEX step_execution_cached ON step_execution (finished_at) WHERE cached IS NOT NULL;
"""
DOWN = r"""
DROP INDEX step_execution_cached;
DROP INDEX step_execution_cache;
ALTER TABLE step_execution DROP COLUMN cached, DROP COLUMN cache_key;
"""
