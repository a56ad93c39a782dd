"""How far spans were told to an OpenTelemetry collector."""

from alembic import op

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE span_place")


UP = r"""
CREATE TABLE span_place (
    single BOOLEAN DEFAULT true NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    id UUID NOT NULL,
    held_until TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (single)
);
ALTER TABLE span_place ADD CONSTRAINT span_place_single CHECK (single);
GRANT SELECT, UPDATE ON span_place TO pilot_app;
INSERT INTO span_place (at, id, held_until)
  VALUES (pilot_now(), '00000000-0000-0000-0000-000000000000', pilot_now());
"""
