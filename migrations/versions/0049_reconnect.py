"""Steps whose connection is refused: what they wait for, and what ends that."""

from alembic import op

revision = "0049"
down_revision = "0048"


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
        "checkpoint_waits(json,int[],uuid[],uuid[],timestamptz)",
        "pilot_owner",
        [
            (
                "CASE WHEN n.wait_id IS NOT NULL OR x.kind = 'child'",
                "CASE WHEN n.wait_id IS NOT NULL OR x.kind = 'reconnect' AND NOT EXISTS (SELECT 1\n"
                "             FROM connection k WHERE k.id = (x.asked ->> 'connection')::uuid\n"
                "              AND k.state = 'reconnect' FOR SHARE)  -- it was mended meanwhile\n"
                "             OR x.kind = 'child'",
            )
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
CREATE INDEX wait_reconnect ON wait ((asked ->> 'connection'))
  WHERE kind = 'reconnect' AND resolved_at IS NULL AND consumed_at IS NULL;

-- Whoever mends, switches off or deletes a connection, what waits for it goes on.
CREATE FUNCTION connection_mended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM resolve_wait(w.id, '{"mended": "yes"}') FROM wait w
   WHERE w.kind = 'reconnect' AND w.resolved_at IS NULL AND w.consumed_at IS NULL
     AND w.asked ->> 'connection' = OLD.id::text
   ORDER BY w.execution_id;
  RETURN NULL;
END $$;
CREATE TRIGGER connection_mended AFTER UPDATE OF state ON connection FOR EACH ROW
  WHEN (OLD.state = 'reconnect' AND NEW.state <> 'reconnect')
  EXECUTE FUNCTION connection_mended();
CREATE TRIGGER connection_gone AFTER DELETE ON connection FOR EACH ROW
  EXECUTE FUNCTION connection_mended();
REVOKE EXECUTE ON FUNCTION connection_mended() FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION connection_mended() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
DOWN = r"""
DROP TRIGGER connection_gone ON connection;
DROP TRIGGER connection_mended ON connection;
DROP FUNCTION connection_mended();
DROP INDEX wait_reconnect;
"""
