"""Simulations: what an execution was told to take, what belongs together, and nothing follows."""

from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    op.execute(UP)
    op.execute(AGAIN.replace("{more}", " AND NEW.mode <> 'simulate'"))


def downgrade() -> None:
    op.execute(AGAIN.replace("{more}", ""))
    op.execute(DOWN)


# The function is made again, as it was: only its owner could give it to another trigger.
AGAIN = r"""
GRANT CREATE ON SCHEMA public TO pilot_claim;
DO $do$
DECLARE body text := pg_get_functiondef('note_execution_end()'::regprocedure);
BEGIN
  DROP TRIGGER execution_end ON execution;
  DROP FUNCTION note_execution_end();
  EXECUTE body;
  CREATE TRIGGER execution_end AFTER UPDATE OF status ON execution FOR EACH ROW
    WHEN (NEW.status IN ('completed', 'completed_with_errors', 'failed', 'cancelled')
          AND OLD.status <> NEW.status AND NEW.runs_reason <> 'inline'{more})
    EXECUTE FUNCTION note_execution_end();
  REVOKE EXECUTE ON FUNCTION note_execution_end() FROM PUBLIC;
  ALTER FUNCTION note_execution_end() OWNER TO pilot_claim;
END $do$;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
UP = r"""
ALTER TABLE execution ADD COLUMN simulation JSON, ADD COLUMN simulation_id UUID,
  ADD CHECK (mode = 'simulate' OR num_nonnulls(simulation, simulation_id) = 0);
CREATE INDEX execution_by_simulation ON execution (simulation_id) WHERE simulation_id IS NOT NULL;
CREATE INDEX execution_simulated ON execution (created_at) WHERE mode = 'simulate';
"""
DOWN = r"""
SET LOCAL app.maintain = 'on';
DELETE FROM execution WHERE mode = 'simulate';
ALTER TABLE execution DROP COLUMN simulation, DROP COLUMN simulation_id;
"""
