"""Compensation: which executions may have to undo finished steps, and which began to."""

from alembic import op

revision = "0047"
down_revision = "0046"


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
        [("'status', e.status,", "'compensating', e.compensation = 'begun', 'status', e.status,")],
    ),
    (
        "due(int)",
        "pilot_claim",
        [
            (
                "WHERE e.status IN ('running', 'cancelling')\n        AND (e.cancel",
                "WHERE e.status IN ('running', 'cancelling') AND e.compensation <> 'begun'\n"
                "        AND (e.cancel",
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
ALTER TABLE execution ADD COLUMN compensation TEXT DEFAULT 'none' NOT NULL
  CONSTRAINT execution_compensation CHECK (compensation IN ('none', 'possible', 'begun'));
INSERT INTO audit_event (name, severity, flags) VALUES
  ('PILOT_STEP_COMPENSATED', 'warning', '{SOC2}');
"""
DOWN = r"""
DELETE FROM audit_event WHERE name = 'PILOT_STEP_COMPENSATED';
ALTER TABLE execution DROP COLUMN compensation;
"""
