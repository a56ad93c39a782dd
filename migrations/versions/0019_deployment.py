"""What says whether this database was restored from a backup, and how often."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
-- One row. Each restore raises the epoch and ends every worker that the backup knew.
CREATE TABLE deployment (
    id INTEGER DEFAULT '1' NOT NULL,
    epoch INTEGER DEFAULT '0' NOT NULL,
    backup_id UUID,
    restored_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);
ALTER TABLE deployment ADD CONSTRAINT deployment_one CHECK (id = 1);
INSERT INTO deployment DEFAULT VALUES;
GRANT SELECT ON deployment TO pilot_app;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('BACKUP_CREATED', 'info', '{SOC2}'),
  ('BACKUP_RESTORED', 'critical', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('BACKUP_CREATED', 'BACKUP_RESTORED');
DROP TABLE deployment;
"""
