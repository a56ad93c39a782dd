"""Attempts that are replaced: their step runs again as if it had never run, with a new key."""

from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE step_execution DROP CONSTRAINT step_status;
ALTER TABLE step_execution ADD CONSTRAINT step_status CHECK (status IN (
  'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'unknown',
  'interrupted', 'superseded', 'replaced')) NOT VALID;
ALTER TABLE step_execution VALIDATE CONSTRAINT step_status;
"""

DOWN = r"""
UPDATE step_execution SET status = 'superseded' WHERE status = 'replaced';
ALTER TABLE step_execution DROP CONSTRAINT step_status;
ALTER TABLE step_execution ADD CONSTRAINT step_status CHECK (status IN (
  'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'unknown',
  'interrupted', 'superseded')) NOT VALID;
ALTER TABLE step_execution VALIDATE CONSTRAINT step_status;
"""
