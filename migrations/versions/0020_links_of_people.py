"""Links of one use for people: invitations and new passwords, and how often those are asked for."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
ALTER TABLE app_user ALTER COLUMN password_hash DROP NOT NULL;  -- who was invited has none yet
CREATE INDEX app_user_by_name ON app_user (name, id);
ALTER TABLE one_time_token ADD COLUMN user_id UUID REFERENCES app_user (id) ON DELETE CASCADE;
CREATE INDEX one_time_token_by_user ON one_time_token (user_id);
CREATE TABLE reset_request (
    id UUID DEFAULT uuidv7() NOT NULL,
    email TEXT NOT NULL,
    address TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX reset_request_by_email ON reset_request (email, at);
CREATE INDEX reset_request_by_address ON reset_request (address, at);
GRANT SELECT, INSERT, DELETE ON reset_request TO pilot_app;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('USER_ROLE_CHANGED', 'critical', '{SOC2}'),
  ('USER_PASSWORD_CHANGED', 'critical', '{SOC2,GDPR}'),
  ('USER_LINK_CREATED', 'warning', '{SOC2}'),
  ('USER_RESET_REQUESTED', 'info', '{SOC2}');
"""

DOWN = r"""
DELETE FROM audit_event WHERE name IN ('USER_ROLE_CHANGED', 'USER_PASSWORD_CHANGED',
  'USER_LINK_CREATED', 'USER_RESET_REQUESTED');
DROP TABLE reset_request;
DROP INDEX one_time_token_by_user, app_user_by_name;
ALTER TABLE one_time_token DROP COLUMN user_id;
UPDATE app_user SET password_hash = 'none' WHERE password_hash IS NULL;
ALTER TABLE app_user ALTER COLUMN password_hash SET NOT NULL;
"""
