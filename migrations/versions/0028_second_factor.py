"""A second factor for signing in: codes of an app, recovery codes."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE second_factor (
    owner_id UUID NOT NULL,
    sealed TEXT NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    last_step BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (owner_id),
    FOREIGN KEY(owner_id) REFERENCES app_user (id) ON DELETE CASCADE
);
CREATE TABLE recovery_code (
    owner_id UUID NOT NULL,
    code_hash BYTEA NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (owner_id, code_hash),
    FOREIGN KEY(owner_id) REFERENCES second_factor (owner_id) ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factor, recovery_code TO pilot_app;
ALTER TABLE second_factor ENABLE ROW LEVEL SECURITY;
ALTER TABLE second_factor FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON second_factor TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON second_factor TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
ALTER TABLE recovery_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_code FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON recovery_code TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
CREATE POLICY maintain ON recovery_code TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
INSERT INTO audit_event (name, severity, flags) VALUES
  ('SETTINGS_2FA_ENABLED', 'info', '{SOC2}'),
  ('SETTINGS_2FA_DISABLED', 'critical', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('SETTINGS_2FA_ENABLED', 'SETTINGS_2FA_DISABLED');
DROP TABLE recovery_code, second_factor;
"""
