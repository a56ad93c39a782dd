"""When the person of a session last proved with a password that it is they."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE user_session
  ADD COLUMN proved_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL;
UPDATE user_session SET proved_at = created_at;
"""

DOWN = r"""
ALTER TABLE user_session DROP COLUMN proved_at;
"""
