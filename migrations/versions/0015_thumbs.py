"""What a person thinks of a drafted workflow: thumbs up or down, and why."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = """
ALTER TABLE generation
  ADD COLUMN thumb TEXT,
  ADD COLUMN thumb_reason TEXT DEFAULT '' NOT NULL,
  ADD COLUMN thumb_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE generation ADD CONSTRAINT generation_thumb CHECK (thumb IN ('up', 'down'));
"""

DOWN = """
ALTER TABLE generation DROP COLUMN thumb, DROP COLUMN thumb_reason, DROP COLUMN thumb_at;
"""
