"""Executions have budgets: each call to a model reserves its worst case in its own transaction."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(UP)
    for function, pairs in REWORDED.items():
        reword(function, pairs)


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_budget ON call; DROP FUNCTION keep_budget();")
    for function, pairs in REWORDED.items():
        reword(function, [(after, before) for before, after in pairs])
    op.execute(DOWN)


def reword(function: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, known=known, body=body))


RESTING = "'waiting', 'paused'"
RESTS = [(RESTING, f"{RESTING}, 'budget_paused'")]
REWORDED = {
    "checkpoint(uuid,json,json,json,json,json)": RESTS,
    "due(int)": RESTS,
    "wake(uuid)": RESTS,
    "write_calls(json)": [
        ("_long, reserved, cost", "_long, reserved, reserved_tokens, cost"),
        ("c.reserved, c.cost", "c.reserved, coalesce(c.reserved_tokens, 0), c.cost"),
    ],
}
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
ALTER TABLE execution
  ADD COLUMN budget_usd NUMERIC(20, 12),
  ADD COLUMN reserved_usd NUMERIC(20, 12) DEFAULT '0' NOT NULL,
  ADD COLUMN spent_usd NUMERIC(20, 12) DEFAULT '0' NOT NULL,
  ADD COLUMN budget_tokens BIGINT,
  ADD COLUMN reserved_tokens BIGINT DEFAULT '0' NOT NULL,
  ADD COLUMN spent_tokens BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE execution ADD CONSTRAINT execution_budget CHECK (
  budget_usd > 0 AND budget_tokens > 0 AND reserved_usd >= 0 AND reserved_tokens >= 0);
ALTER TABLE execution DROP CONSTRAINT execution_status;
ALTER TABLE execution ADD CONSTRAINT execution_status CHECK (status IN (
  'queued', 'running', 'waiting', 'paused', 'budget_paused', 'needs_attention', 'cancelling',
  'completed', 'completed_with_errors', 'failed', 'cancelled'));
ALTER TABLE call ADD COLUMN reserved_tokens INTEGER DEFAULT '0' NOT NULL;
UPDATE execution e SET spent_usd = c.usd, spent_tokens = c.tokens
  FROM (SELECT execution_id, coalesce(sum(cost), 0) AS usd,
               sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_long_tokens
                   + output_tokens + reasoning_tokens) AS tokens
          FROM call WHERE state <> 'reserved' GROUP BY execution_id) c
 WHERE c.execution_id = e.id;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('PILOT_BUDGET_PAUSED', 'warning', '{SOC2}'),
  ('PILOT_BUDGET_RAISED', 'warning', '{SOC2}');

-- What each row of the ledger does to its execution's budget, whoever writes it: reserved rows take
-- their worst case, or are refused; settled and lost ones give it back and count what they cost.
-- The caller holds the execution's row: it comes first in the order of locks.
CREATE FUNCTION keep_budget() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE e execution; usd numeric := coalesce(NEW.reserved, 0); used bigint;
BEGIN
  IF NEW.state <> 'reserved' THEN
    used := NEW.input_tokens + NEW.cache_read_tokens + NEW.cache_write_tokens
      + NEW.cache_write_long_tokens + NEW.output_tokens + NEW.reasoning_tokens;
    IF NEW.flags::jsonb ? 'cost_estimated' THEN used := greatest(used, NEW.reserved_tokens); END IF;
    UPDATE execution SET spent_usd = spent_usd + coalesce(NEW.cost, 0),
           spent_tokens = spent_tokens + used,
           reserved_usd = reserved_usd - CASE TG_OP WHEN 'UPDATE' THEN usd ELSE 0 END,
           reserved_tokens = reserved_tokens
             - CASE TG_OP WHEN 'UPDATE' THEN NEW.reserved_tokens ELSE 0 END
     WHERE id = NEW.execution_id;
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN RETURN NULL; END IF;
  SELECT * INTO e FROM execution WHERE id = NEW.execution_id FOR UPDATE;
  IF NEW.reserved IS NULL AND e.budget_usd IS NOT NULL
      AND NOT coalesce((e.settings ->> 'llm_allow_unpriced')::boolean, false) THEN
    RAISE EXCEPTION 'unpriced' USING ERRCODE = 'PB002', DETAIL = NEW.model_asked;
  END IF;
  IF e.spent_usd + e.reserved_usd + usd > e.budget_usd
      OR e.spent_tokens + e.reserved_tokens + NEW.reserved_tokens > e.budget_tokens THEN
    RAISE EXCEPTION 'budget' USING ERRCODE = 'PB001', DETAIL = json_build_object(
      'model', NEW.model_asked, 'needs_usd', usd::text, 'limit_usd', e.budget_usd::text,
      'left_usd', (e.budget_usd - e.spent_usd - e.reserved_usd)::text,
      'needs_tokens', NEW.reserved_tokens, 'limit_tokens', e.budget_tokens,
      'left_tokens', e.budget_tokens - e.spent_tokens - e.reserved_tokens);
  END IF;
  UPDATE execution SET reserved_usd = reserved_usd + usd,
         reserved_tokens = reserved_tokens + NEW.reserved_tokens
   WHERE id = NEW.execution_id;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_budget AFTER INSERT OR UPDATE OF state ON call FOR EACH ROW
  WHEN (NEW.execution_id IS NOT NULL) EXECUTE FUNCTION keep_budget();
"""

DOWN = r"""
UPDATE execution SET status = 'paused' WHERE status = 'budget_paused';
ALTER TABLE execution DROP CONSTRAINT execution_status;
ALTER TABLE execution ADD CONSTRAINT execution_status CHECK (status IN (
  'queued', 'running', 'waiting', 'paused', 'needs_attention', 'cancelling',
  'completed', 'completed_with_errors', 'failed', 'cancelled'));
ALTER TABLE call DROP COLUMN reserved_tokens;
ALTER TABLE execution DROP COLUMN budget_usd, DROP COLUMN reserved_usd, DROP COLUMN spent_usd,
  DROP COLUMN budget_tokens, DROP COLUMN reserved_tokens, DROP COLUMN spent_tokens;
DELETE FROM audit_event WHERE name IN ('PILOT_BUDGET_PAUSED', 'PILOT_BUDGET_RAISED');
"""
