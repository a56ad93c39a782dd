"""What workers hold may be batches: claimed, loaded, written under their fences, taken away."""

from alembic import op

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, pairs)


def downgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, [(after, before) for before, after in pairs])


def _reword(function: str, owner: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, owner=owner, known=known, body=body))


LOAD = [
    (
        "'fence', e.fence,",
        "'fence', coalesce(b.fence, e.fence), 'alone', EXISTS (\n"
        "        SELECT 1 FROM batch g WHERE g.execution_id = e.id AND g.gave_up),\n"
        "      'batch', CASE WHEN b.id IS NOT NULL THEN json_build_object('id', b.id,\n"
        "        'execution_id', e.id, 'path', b.path, 'first', b.first, 'last', b.last,\n"
        "        'lanes', b.lanes, 'may_fail', b.may_fail, 'failed', b.failed) END,",
    ),
    ("SELECT e.id, pilot_now(),", "SELECT h.id, pilot_now(),"),
    (
        "FROM step_execution s WHERE s.execution_id = e.id),",
        "FROM step_execution s WHERE s.execution_id = e.id\n"
        "        AND (b.id IS NULL OR coalesce(item_of(s.path, b.path)\n"
        "             BETWEEN b.first AND b.last, true))),",
    ),
    (
        "WHERE w.execution_id = e.id AND w.consumed_at IS NULL)",
        "WHERE w.execution_id = e.id AND w.consumed_at IS NULL\n"
        "        AND (b.id IS NULL OR coalesce(item_of(w.path, b.path)\n"
        "             BETWEEN b.first AND b.last, true)))",
    ),
    (
        "FROM execution e JOIN agent a ON a.id = e.agent_id\n"
        "   WHERE e.id = ANY (p_ids) AND e.worker_id = p_worker",
        "FROM holding(p_worker) h JOIN execution e ON e.id = h.execution_id\n"
        "    JOIN agent a ON a.id = e.agent_id LEFT JOIN batch b ON b.id = h.id\n"
        "   WHERE h.id = ANY (p_ids)",
    ),
]
CHECKPOINT = [
    (
        "a_chains text[]; a_owners uuid[]; a_records text[];",
        "a_chains text[]; a_owners uuid[]; a_records text[]; spreads boolean;",
    ),
    (
        "output json, output_blob bytea, error json, final boolean)",
        "output json, output_blob bytea, error json, final boolean,\n"
        "           batch uuid, failed int, ended boolean, gave_up boolean, spread json)",
    ),
    (
        "WHERE e.id = m.id AND e.fence = m.fence AND e.worker_id = p_worker\n",
        "WHERE e.id = m.id AND (m.batch IS NULL AND e.fence = m.fence AND e.worker_id = p_worker\n"
        "         OR m.batch IS NOT NULL AND EXISTS (SELECT 1 FROM batch b WHERE b.id = m.batch\n"
        "           AND b.fence = m.fence AND b.worker_id = p_worker))\n",
    ),
    (
        "NOT IN ('waiting', 'paused', 'budget_paused'))",
        "NOT IN ('running', 'waiting', 'paused', 'budget_paused'))",
    ),
    (
        "AS base, e.fence,\n",
        "AS base, m.fence,\n"
        "              m.batch, m.failed, m.result, m.ended, m.gave_up,\n"
        "              m.ended OR m.spread IS NOT NULL AS spreads,\n",
    ),
    (
        "e.pause_requested_at IS NOT NULL AS pause,",
        "e.pause_requested_at IS NOT NULL OR m.batch IS NOT NULL AND too_many_failed(m.batch)\n"
        "                AS pause,",
    ),
    (
        "  ), told AS (",
        "  ), counted AS (\n"
        "    UPDATE batch b SET failed = greatest(b.failed, h.failed),\n"
        "           recovery_attempts = CASE WHEN h.result THEN 0 ELSE b.recovery_attempts END,\n"
        "           gave_up = coalesce(h.gave_up, false),\n"
        "           worker_id = CASE WHEN h.ended THEN NULL ELSE b.worker_id END,\n"
        "           changed_at = CASE WHEN h.ended THEN t ELSE b.changed_at END,\n"
        "           finished_at = CASE WHEN h.ended THEN t END\n"
        "      FROM held h WHERE b.id = h.batch\n"
        "  ), told AS (",
    ),
    (
        "array_agg(h.late)\n    INTO ns, ids, owners, seqs, cancels, pauses, lates FROM",
        "array_agg(h.late),\n         bool_or(h.spreads)\n"
        "    INTO ns, ids, owners, seqs, cancels, pauses, lates, spreads FROM",
    ),
    (
        "  RETURN QUERY SELECT * FROM unnest(ns, seqs",
        "  IF spreads THEN\n"
        "    PERFORM checkpoint_batches(p_members, ns);\n"
        "  END IF;\n\n"
        "  RETURN QUERY SELECT * FROM unnest(ns, seqs",
    ),
]
TAKE_AWAY = [
    (
        "  IF NOT FOUND THEN RETURN NULL; END IF;\n",
        "  IF NOT FOUND THEN RETURN take_batch_away(p_execution, p_worker, p_why); END IF;\n",
    ),
    (
        r"""  FOR a IN UPDATE step_execution s
      SET status = CASE s.effect WHEN 'once' THEN 'unknown' ELSE 'interrupted' END,
          finished_at = pilot_now()
      WHERE s.execution_id = e.id AND s.status = 'running' AND s.effect IS NOT NULL
      RETURNING s.path, s.attempt, s.status LOOP
    PERFORM add_event(e.id, 'step', a.path,
                      json_build_object('status', a.status, 'attempt', a.attempt));
    IF a.status = 'unknown' THEN
      PERFORM audit_system(e.id, e.owner_id, 'PILOT_OUTCOME_UNKNOWN',
                           json_build_object('path', a.path, 'attempt', a.attempt));
    END IF;
  END LOOP;
""",
        "  PERFORM interrupt_attempts(e, NULL);\n",
    ),
]
OVERDUE = "WHERE e.status IN ('running', 'cancelling') AND e.compensation <> 'begun'\n"
LOST = (
    "WHERE w.stopped_at IS NOT NULL AND e.status IN ('running', 'cancelling') LIMIT p_limit);\nEND"
)
DUE = [
    (OVERDUE, OVERDUE.replace(" AND e.comp", " AND e.worker_id IS NOT NULL\n        AND e.comp")),
    (
        LOST,
        LOST.removesuffix(";\nEND") + "\n    UNION ALL\n"
        "    (SELECT 'overdue', b.id, b.worker_id FROM batch b\n"
        "       JOIN execution e ON e.id = b.execution_id\n"
        "      WHERE b.worker_id IS NOT NULL\n"
        "        AND (e.cancel_requested_at < t - interval '5 s'\n"
        "          OR e.deadline_at < t - interval '5 s') LIMIT p_limit)\n"
        "    UNION ALL\n"
        "    (SELECT 'lost', b.id, b.worker_id FROM batch b JOIN worker w ON w.id = b.worker_id\n"
        "      WHERE w.stopped_at IS NOT NULL LIMIT p_limit);\nEND",
    ),
]
HELD = "SELECT id FROM execution WHERE worker_id = p_worker AND status IN ('running', 'cancelling')"
REWORDED = [
    ("load_executions(uuid,uuid[],uuid[])", "pilot_claim", LOAD),
    ("checkpoint(uuid,json,json,json,json,json)", "pilot_claim", CHECKPOINT),
    ("take_away(uuid,uuid,text)", "pilot_claim", TAKE_AWAY),
    ("due(integer)", "pilot_claim", DUE),
    ("held_by(uuid)", "pilot_claim", [(HELD, "SELECT id FROM holding(p_worker)")]),
    ("stop_worker(uuid)", "pilot_claim", [(HELD, "SELECT id FROM holding(p_worker)")]),
    (
        "asked_to_stop(uuid)",
        "pilot_claim",
        [
            ("SELECT e.id, CASE", "SELECT h.id, CASE"),
            (
                "FROM execution e\n"
                "   WHERE e.worker_id = p_worker AND e.status IN ('running', 'cancelling')\n"
                "     AND (",
                "FROM holding(p_worker) h JOIN execution e ON e.id = h.execution_id\n   WHERE (",
            ),
        ],
    ),
    (
        "was_applied(uuid,integer,json,text)",
        "pilot_claim",
        [
            (  # one that was handed out in batches is running still, but nobody holds it
                "AND (p_status IS NULL OR e.status = p_status)",
                "AND (p_status IS NULL OR e.status = p_status\n"
                "           AND (p_status <> 'running' OR e.worker_id IS NULL))",
            )
        ],
    ),
    (
        "store_blob(uuid,uuid,integer,text,bytea)",
        "pilot_claim",
        [
            (
                "AND e.fence = p_fence AND e.worker_id = p_worker\n",
                "AND (e.fence = p_fence AND e.worker_id = p_worker\n"
                "     OR EXISTS (SELECT 1 FROM batch b WHERE b.execution_id = e.id\n"
                "       AND b.fence = p_fence AND b.worker_id = p_worker))\n",
            )
        ],
    ),
]
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE {owner};  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""
