"""Forks: the execution that one began from, and the steps that it reuses from there."""

from alembic import op

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE execution
  ADD COLUMN forked_from UUID,
  ADD CONSTRAINT execution_forked_from_fkey
    FOREIGN KEY (forked_from) REFERENCES execution (id) ON DELETE SET NULL;
CREATE INDEX execution_by_fork ON execution (forked_from) WHERE forked_from IS NOT NULL;
-- Where a reused step ran; no reference, because it says so even when that is deleted.
ALTER TABLE step_execution ADD COLUMN reused_from UUID;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('PILOT_EXECUTION_FORKED', 'info', '{SOC2}'),
  ('PILOT_EXECUTION_MIGRATED', 'info', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('PILOT_EXECUTION_FORKED', 'PILOT_EXECUTION_MIGRATED');
ALTER TABLE step_execution DROP COLUMN reused_from;
ALTER TABLE execution DROP COLUMN forked_from;
"""
