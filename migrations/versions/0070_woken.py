"""What a running execution waited for and came meanwhile: its worker goes on with that at once."""

from alembic import op

revision = "0070"
down_revision = "0069"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP FUNCTION woken(uuid, uuid[])")


UP = r"""
-- As `load_executions`, of the steps only whose waits were resolved and not taken note of.
CREATE FUNCTION woken(p_worker uuid, p_ids uuid[])
RETURNS TABLE (id uuid, attempts json, waits json)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT h.id,
    (SELECT json_agg(json_build_object('path', s.path, 'attempt', s.attempt, 'type', s.type,
       'status', s.status, 'effect', s.effect, 'key', s.key, 'rerun', s.rerun, 'input', s.input,
       'output', s.output, 'blob', encode(s.output_blob, 'hex'), 'error', s.error)
       ORDER BY s.path, s.attempt)
       FROM step_execution s WHERE s.execution_id = h.execution_id AND s.path = ANY (r.paths)),
    r.waits
    FROM holding(p_worker) h CROSS JOIN LATERAL (
      SELECT array_agg(w.path) AS paths, json_agg(json_build_object('path', w.path,
             'kind', w.kind, 'opened_at', w.opened_at, 'resolved', true,
             'resolution', w.resolution) ORDER BY w.id) AS waits
        FROM wait w WHERE w.execution_id = h.execution_id
         AND w.consumed_at IS NULL AND w.resolved_at IS NOT NULL) r
   WHERE h.id = ANY (p_ids) AND h.id = h.execution_id AND r.paths IS NOT NULL $$;
REVOKE EXECUTE ON FUNCTION woken(uuid, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION woken(uuid, uuid[]) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION woken(uuid, uuid[]) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""
