"""Keys of persons, with which their addresses in the audit trail are sealed; erasure."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE person_key (
    user_id UUID NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (user_id),
    FOREIGN KEY(user_id) REFERENCES app_user (id) ON DELETE CASCADE
);
GRANT SELECT, INSERT ON person_key TO pilot_app;
INSERT INTO audit_event (name, severity, flags) VALUES
  ('DATA_EXPORTED', 'critical', '{SOC2,GDPR}'),
  ('DATA_DELETED', 'critical', '{SOC2,GDPR}'),
  ('DATA_ANONYMIZED', 'critical', '{GDPR}');

-- Versions never change; only erasing a person, as the tables' owner, deletes them.
CREATE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_user = 'pilot_owner' THEN RETURN OLD; END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
DROP TRIGGER immutable ON workflow_version;
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON workflow_version
  FOR EACH ROW EXECUTE FUNCTION refuse_version_change();
"""

DOWN = r"""
DROP TRIGGER immutable ON workflow_version;
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON workflow_version
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP FUNCTION refuse_version_change();
DELETE FROM audit_event WHERE name IN ('DATA_EXPORTED', 'DATA_DELETED', 'DATA_ANONYMIZED');
DROP TABLE person_key;
"""
