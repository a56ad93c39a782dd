"""A step that never waited ended when its work did, not when a commit came by for it and others."""

from alembic import op

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    _reword(REWORDED)


def downgrade() -> None:
    _reword([(after, before) for before, after in REWORDED])


def _reword(pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(known=known, body=body))


REWORDED = [
    (
        "CASE WHEN a.status NOT IN ('running', 'waiting') THEN t END, a.duration_ms,",
        "CASE WHEN a.status NOT IN ('running', 'waiting')\n"
        "                THEN least(t, a.started_at + a.duration_ms * interval '1 ms') END,\n"
        "           a.duration_ms,",
    ),
    (
        "finished_at = excluded.finished_at,",
        "finished_at = CASE WHEN excluded.finished_at IS NOT NULL THEN t END,",
    ),
]
REWORD = r"""
DO $do$
DECLARE
  body text := pg_get_functiondef('checkpoint(uuid,json,json,json,json,json)'::regprocedure);
  me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION 'checkpoint reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
