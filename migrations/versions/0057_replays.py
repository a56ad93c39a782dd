"""Replays: simulated executions that take what a past one recorded, to be compared with it."""

from alembic import op

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE execution ADD COLUMN replay_of UUID REFERENCES execution(id) ON DELETE SET NULL,
  ADD COLUMN replay_model TEXT,
  ADD CHECK (mode = 'simulate' OR num_nonnulls(replay_of, replay_model) = 0);
CREATE INDEX execution_by_replay ON execution (replay_of) WHERE replay_of IS NOT NULL;
"""
DOWN = r"""
ALTER TABLE execution DROP COLUMN replay_of, DROP COLUMN replay_model;
"""
