"""A person with few rows among many finds theirs by name, and approvals by who asks."""

from alembic import op

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


# As in 0061: of a sub-select the database keeps who asks, instead of reading it for each row.
UP = r"""
CREATE INDEX execution_by_owner_and_name ON execution (owner_id, name_key);
ALTER POLICY own ON approval USING (
  owner_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)
  OR (SELECT nullif(current_setting('app.sees_all', true), '')::boolean)
  OR (SELECT nullif(current_setting('app.user_id', true), '')::uuid) = ANY (approver_ids)
  OR (SELECT nullif(current_setting('app.user_id', true), '')::uuid) = ANY (was_asked));
"""

DOWN = r"""
ALTER POLICY own ON approval USING (is_mine(owner_id)
  OR nullif(current_setting('app.user_id', true), '')::uuid = ANY (approver_ids || was_asked));
DROP INDEX execution_by_owner_and_name;
"""
