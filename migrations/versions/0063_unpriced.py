"""Calls without a price are found among all of a week, and row security asks who reads sums once."""

from alembic import op

revision = "0063"
down_revision = "0062"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


# As in 0061: of a sub-select the database keeps who asks, instead of reading it for each row.
UP = r"""
CREATE INDEX call_unpriced ON call (at) WHERE cost IS NULL AND state <> 'reserved';
ALTER POLICY own ON call USING (
  owner_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)
  OR (SELECT nullif(current_setting('app.sees_all', true), '')::boolean));
ALTER POLICY own ON rollup_line USING (
  owner_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)
  OR (SELECT nullif(current_setting('app.sees_all', true), '')::boolean));
"""

DOWN = r"""
ALTER POLICY own ON rollup_line USING (is_mine(owner_id));
ALTER POLICY own ON call USING (is_mine(owner_id));
DROP INDEX call_unpriced;
"""
