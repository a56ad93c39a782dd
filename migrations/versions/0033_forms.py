"""Forms that people fill in: they wait in the inbox of the approvals."""

from alembic import op

revision = "0033"
down_revision = "0032"


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
                "require_comment text, on_timeout text,",
                "require_comment text, kind text, on_timeout text,",
            ),
            (
                "INSERT INTO approval (owner_id, execution_id,",
                "INSERT INTO approval (kind, owner_id, execution_id,",
            ),
            (
                "SELECT x.owner_id, x.execution_id, x.wait_id,",
                "SELECT coalesce(a.kind, 'approval'), x.owner_id, x.execution_id, x.wait_id,",
            ),
        ],
    ),
    (
        "expire_approval(uuid)",
        "pilot_claim",
        [
            (
                "a.owner_id, 'APPROVAL_TIMEOUT',",
                "a.owner_id, CASE a.kind WHEN 'form' THEN 'FORM_TIMEOUT' ELSE 'APPROVAL_TIMEOUT' END,",
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
ALTER TABLE approval ADD COLUMN kind TEXT DEFAULT 'approval' NOT NULL;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('FORM_REQUESTED', 'info', '{SOC2}'), ('FORM_SUBMITTED', 'info', '{SOC2}'),
  ('FORM_TIMEOUT', 'warning', '{SOC2}');
"""
DOWN = r"""
DELETE FROM audit_event WHERE name IN ('FORM_REQUESTED', 'FORM_SUBMITTED', 'FORM_TIMEOUT');
ALTER TABLE approval DROP COLUMN kind;
"""
