"""Executions within executions: who began them, what they may spend, what their end resolves."""

from alembic import op

revision = "0039"
down_revision = "0038"


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
        "load_executions(uuid,uuid[],uuid[])",
        "pilot_claim",
        [("'status', e.status,", "'parent_id', e.parent_id, 'status', e.status,")],
    ),
    (
        "checkpoint_waits(json,int[],uuid[],uuid[],timestamptz)",
        "pilot_owner",
        [
            (
                "CASE WHEN n.wait_id IS NOT NULL THEN t END,",
                "CASE WHEN n.wait_id IS NOT NULL OR x.kind = 'child' AND EXISTS (SELECT 1\n"
                "             FROM execution c WHERE c.id = (x.asked ->> 'execution_id')::uuid\n"
                "              AND c.finished_at IS NOT NULL) THEN t END,  -- it ended meanwhile",
            ),
        ],
    ),
]
BUDGETS = [
    ("DECLARE e execution;", "DECLARE e execution; payer uuid;"),
    (
        "     WHERE id = NEW.execution_id;\n    RETURN NULL;",
        "     WHERE id = NEW.execution_id;\n"
        "    UPDATE execution SET spent_usd = spent_usd + coalesce(NEW.cost, 0),\n"
        "           spent_tokens = spent_tokens + used,\n"
        "           reserved_usd = reserved_usd - CASE TG_OP WHEN 'UPDATE' THEN usd ELSE 0 END,\n"
        "           reserved_tokens = reserved_tokens\n"
        "             - CASE TG_OP WHEN 'UPDATE' THEN NEW.reserved_tokens ELSE 0 END\n"
        "     WHERE id IN (SELECT payers(NEW.execution_id)) AND id <> NEW.execution_id;\n"
        "    RETURN NULL;",
    ),
    (
        "  SELECT * INTO e FROM execution WHERE id = NEW.execution_id FOR UPDATE;",
        "  FOR payer IN SELECT payers(NEW.execution_id) LOOP\n"
        "  SELECT * INTO e FROM execution WHERE id = payer FOR UPDATE;",
    ),
    (
        "   WHERE id = NEW.execution_id;\n  RETURN NULL;\nEND",
        "   WHERE id = payer;\n  END LOOP;\n  RETURN NULL;\nEND",
    ),
]
REWORDED.append(("keep_budget()", "pilot_owner", BUDGETS))
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
ALTER TABLE execution
  ADD COLUMN parent_id UUID,
  ADD COLUMN parent_path TEXT,
  ADD COLUMN parent_key UUID,
  ADD COLUMN depth INTEGER DEFAULT 0 NOT NULL,
  ADD COLUMN detached BOOLEAN DEFAULT false NOT NULL,
  ADD CONSTRAINT execution_parent_id_fkey
    FOREIGN KEY (parent_id) REFERENCES execution (id) ON DELETE SET NULL;
CREATE UNIQUE INDEX execution_by_parent_key ON execution (parent_key)
  WHERE parent_key IS NOT NULL;
CREATE INDEX execution_by_parent ON execution (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX execution_open_child ON execution (parent_id)
  WHERE parent_id IS NOT NULL AND finished_at IS NULL;

-- The end of a child, whoever writes it, resolves what its parent waits for. The child's row is
-- locked before its parent's.
CREATE FUNCTION tell_parent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE found_wait uuid;
BEGIN
  PERFORM 1 FROM execution WHERE id = NEW.parent_id FOR UPDATE;
  SELECT w.id INTO found_wait FROM wait w WHERE w.execution_id = NEW.parent_id
     AND w.path = NEW.parent_path AND w.kind = 'child' AND w.resolved_at IS NULL;
  IF FOUND THEN
    PERFORM resolve_wait(found_wait, json_build_object('execution_id', NEW.id));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_parent AFTER UPDATE OF finished_at ON execution FOR EACH ROW
  WHEN (NEW.parent_id IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL)
  EXECUTE FUNCTION tell_parent();
REVOKE EXECUTE ON FUNCTION tell_parent() FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION tell_parent() OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;

-- Whose budgets a call of an execution counts against: its own, and those of the executions that
-- began it, up to a detached one; the inner ones first.
CREATE FUNCTION payers(p_execution uuid) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE payer uuid := p_execution;
BEGIN
  WHILE payer IS NOT NULL LOOP
    RETURN NEXT payer;
    SELECT CASE WHEN e.detached THEN NULL ELSE e.parent_id END INTO payer
      FROM execution e WHERE e.id = payer;
  END LOOP;
END $$;

-- Children whose parent ended, or was asked to, before they did; they are cancelled as it was.
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
"""
DOWN = r"""
DROP FUNCTION abandoned_children(int);
DROP TRIGGER tell_parent ON execution;
DROP FUNCTION tell_parent();
DROP FUNCTION payers(uuid);
DROP INDEX execution_open_child, execution_by_parent, execution_by_parent_key;
ALTER TABLE execution DROP CONSTRAINT execution_parent_id_fkey,
  DROP COLUMN parent_id, DROP COLUMN parent_path, DROP COLUMN parent_key, DROP COLUMN depth,
  DROP COLUMN detached;
"""
