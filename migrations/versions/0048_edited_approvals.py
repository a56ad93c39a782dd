"""Approvers change named parts of what would happen before they decide."""

from alembic import op

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE approval ADD COLUMN edited JSON DEFAULT '{}' NOT NULL;
INSERT INTO audit_event (name, severity, flags) VALUES ('APPROVAL_EDITED', 'warning', '{SOC2}');
"""
DOWN = r"""
DELETE FROM audit_event WHERE name = 'APPROVAL_EDITED';
ALTER TABLE approval DROP COLUMN edited;
"""
