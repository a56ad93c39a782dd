"""Steps that run as an execution of their own end without an event: their parent's end is one."""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.execute(AGAIN.replace("{more}", " AND NEW.runs_reason <> 'inline'"))


def downgrade() -> None:
    op.execute(AGAIN.replace("{more}", ""))


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
          AND OLD.status <> NEW.status{more})
    EXECUTE FUNCTION note_execution_end();
  REVOKE EXECUTE ON FUNCTION note_execution_end() FROM PUBLIC;
  ALTER FUNCTION note_execution_end() OWNER TO pilot_claim;
END $do$;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
