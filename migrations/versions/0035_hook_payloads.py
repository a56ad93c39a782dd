"""Webhooks with a condition and inputs over their payload, and those that take a bearer secret."""

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE hook ADD COLUMN match TEXT, ADD COLUMN inputs JSON, "
        "ADD COLUMN bearer BOOLEAN DEFAULT 'false' NOT NULL"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE hook DROP COLUMN match, DROP COLUMN inputs, DROP COLUMN bearer")
