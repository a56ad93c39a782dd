"""A look at an empty queue ends early, and the names of audit events are checked as they are stored."""

from alembic import op

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, pairs)


def downgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, [(after, before) for before, after in pairs])


def _reword(function: str, owner: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, owner=owner, known=known, body=body))


READ = """  SELECT r::json ->> 'event' INTO unknown FROM unnest(records) AS r
   WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.name = r::json ->> 'event') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'unknown audit event %', unknown USING ERRCODE = 'check_violation';
  END IF;
  INSERT INTO audit_head"""
WRITTEN = """  INSERT INTO audit (chain, seq, owner_id, at, record, prev, hash)
    SELECT c, s, o, moment, t, p, h FROM unnest(chains, seqs, owners, texts, prevs, hashes)
      AS x(c, s, o, t, p, h);
"""
CHECKED = """  WITH added AS (
    INSERT INTO audit (chain, seq, owner_id, at, record, prev, hash)
      SELECT c, s, o, moment, t, p, h FROM unnest(chains, seqs, owners, texts, prevs, hashes)
        AS x(c, s, o, t, p, h)
      RETURNING event
  )
  SELECT a.event INTO unknown FROM (SELECT DISTINCT event FROM added) a
   WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.name = a.event) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'unknown audit event %', unknown USING ERRCODE = 'check_violation';
  END IF;
"""
AWAKE = "  IF NOT FOUND THEN RETURN; END IF;\n  SELECT e.recovery_attempts INTO deaths"
WANTED = """  IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM execution e
      WHERE e.status = 'queued' AND e.admitted AND e.wake_at <= t) THEN
    RETURN;
  END IF;
  SELECT e.recovery_attempts INTO deaths"""
REWORDED = [
    (
        "audit_append(text[],uuid[],text[])",
        "pilot_audit",
        [(READ, "  INSERT INTO audit_head"), (WRITTEN, CHECKED)],
    ),
    ("claim(uuid,integer,integer,integer)", "pilot_claim", [(AWAKE, WANTED)]),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO {owner};
  SET LOCAL ROLE {owner};  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM {owner};
END $do$;
"""
