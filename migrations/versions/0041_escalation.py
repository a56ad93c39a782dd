"""Escalation: a question that nobody answered in time is put to the next people, without votes."""

from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.execute(UP)
    for function, owner, pairs in REWORDED:
        _reword(function, owner, pairs)


def downgrade() -> None:
    for function, owner, pairs in REWORDED:
        _reword(function, owner, [(after, before) for before, after in pairs])
    op.execute(DOWN)


def _reword(function: str, owner: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, owner=owner, known=known, body=body))


PEOPLE = """\
ARRAY(SELECT u.id FROM app_user u
        WHERE u.active AND u.roles && '{approver,operator,admin}'
          AND (a.self_approval OR NOT u.id = ANY (
            SELECT e.started_by FROM execution e WHERE e.id = x.execution_id
            UNION SELECT v.author_id FROM execution e JOIN workflow_version v
              ON v.id = e.version_id WHERE e.id = x.execution_id))
          AND EXISTS (SELECT 1 FROM json_array_elements_text(a.approvers) AS s(spec)
            WHERE spec = 'user:' || u.email OR spec = 'owner' AND u.id = x.owner_id
               OR spec LIKE 'role:%' AND substr(spec, 6) = ANY (u.roles))
        ORDER BY u.id) AS ids"""
NEEDED = """\
CASE p.rule WHEN 'any' THEN 1 WHEN 'all' THEN cardinality(p.ids)
                WHEN 'majority' THEN cardinality(p.ids) / 2 + 1 ELSE p.k END AS needed"""
TELL = """\
    RETURNING id, owner_id, approver_ids)
  INSERT INTO outbox (owner_id, kind, key, about, payload)
    SELECT owner_id, 'approval_requested', id || ':' || u, id,
           json_build_object('approval_id', id, 'user_id', u)
      FROM asked CROSS JOIN unnest(approver_ids) AS u;
"""
REWORDED = [
    (
        "checkpoint_waits(json,int[],uuid[],uuid[],timestamptz)",
        "pilot_owner",
        [
            (
                PEOPLE,
                "people_asked(a.approvers, a.self_approval, x.execution_id, x.owner_id) AS ids",
            ),
            (NEEDED, "votes_needed(p.rule, cardinality(p.ids), p.k) AS needed"),
            ("kind text, on_timeout text,", "kind text, on_timeout text, terms json,"),
            (
                "require_comment, on_timeout, requested_at,",
                "require_comment, on_timeout, terms, requested_at,",
            ),
            (
                "a.require_comment, a.on_timeout, t, t +",
                "a.require_comment, a.on_timeout, a.terms, t, t +",
            ),
            (
                TELL,
                "    RETURNING id)\n  SELECT array_agg(id) INTO opened_ids FROM asked;\n"
                "  PERFORM tell_approvers(id) FROM unnest(opened_ids) AS id;\n",
            ),
            ("\nBEGIN\n", "\nDECLARE opened_ids uuid[];\nBEGIN\n"),
        ],
    ),
    (
        "expire_approval(uuid)",
        "pilot_claim",
        [
            (
                "  UPDATE approval SET decision = 'expired'",
                "  IF escalate(p_approval) THEN RETURN NULL; END IF;\n"
                "  UPDATE approval SET decision = 'expired'",
            ),
            (
                "'decision', 'expired', 'then', a.on_timeout)",
                "'decision', 'expired', 'then',\n"
                "    CASE a.on_timeout WHEN 'escalate' THEN a.terms ->> 'then'"
                " ELSE a.on_timeout END)",
            ),
        ],
    ),
    (
        "approval_facts(uuid)",
        "pilot_claim",
        [
            ("= ANY (a.approver_ids))", "= ANY (a.approver_ids || a.was_asked))"),
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
UP = r"""
ALTER TABLE approval ADD COLUMN terms JSON, ADD COLUMN round INTEGER DEFAULT 1 NOT NULL,
  ADD COLUMN level INTEGER DEFAULT 0 NOT NULL,
  ADD COLUMN was_asked UUID[] DEFAULT '{}' NOT NULL;
ALTER TABLE vote ADD COLUMN round INTEGER DEFAULT 1 NOT NULL;
ALTER TABLE vote DROP CONSTRAINT vote_pkey, ADD PRIMARY KEY (approval_id, user_id, round);
DROP POLICY own ON approval;
CREATE POLICY own ON approval TO pilot_app
  USING (is_mine(owner_id) OR nullif(current_setting('app.user_id', true), '')::uuid
    = ANY (approver_ids || was_asked)) WITH CHECK (is_mine(owner_id));
INSERT INTO audit_event (name, severity, flags) VALUES
  ('APPROVAL_ESCALATED', 'warning', '{SOC2}');

-- Who may decide a question now: named, active, more than a viewer, and not excluded.
CREATE FUNCTION people_asked(p_approvers json, p_self_approval boolean, p_execution uuid,
                             p_owner uuid) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT ARRAY(SELECT u.id FROM app_user u
    WHERE u.active AND u.roles && '{approver,operator,admin}'
      AND (p_self_approval OR NOT u.id = ANY (
        SELECT e.started_by FROM execution e WHERE e.id = p_execution
        UNION SELECT v.author_id FROM execution e JOIN workflow_version v
          ON v.id = e.version_id WHERE e.id = p_execution))
      AND EXISTS (SELECT 1 FROM json_array_elements_text(p_approvers) AS s(spec)
        WHERE spec = 'user:' || u.email OR spec = 'owner' AND u.id = p_owner
           OR spec LIKE 'role:%' AND substr(spec, 6) = ANY (u.roles))
    ORDER BY u.id) $$;

-- How many approvals settle a question to n people.
CREATE FUNCTION votes_needed(p_rule text, n int, k int) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public AS $$
  SELECT CASE p_rule WHEN 'any' THEN 1 WHEN 'all' THEN n WHEN 'majority' THEN n / 2 + 1 ELSE k END
$$;

-- Puts a message to each person who is asked now into the outbox.
CREATE FUNCTION tell_approvers(p_approval uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
  INSERT INTO outbox (owner_id, kind, key, about, payload)
    SELECT a.owner_id, 'approval_requested', a.id || ':' || a.round || ':' || u, a.id,
           json_build_object('approval_id', a.id, 'user_id', u)
      FROM approval a CROSS JOIN unnest(a.approver_ids) AS u WHERE a.id = p_approval $$;

-- Puts a question whose time ran out to the people of its next level; false if it has none.
-- A level without enough people fails the step: who is to decide is not known.
CREATE FUNCTION escalate(p_approval uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE a approval; asked json; people uuid[]; votes int; told json;
BEGIN
  SELECT * INTO a FROM approval WHERE id = p_approval AND decided_at IS NULL
     AND expires_at <= pilot_now() AND on_timeout = 'escalate' FOR UPDATE;
  asked := a.terms -> 'escalation' -> a.level;
  IF asked IS NULL THEN RETURN false; END IF;
  people := people_asked(asked -> 'approvers', (a.terms ->> 'self_approval')::boolean,
                         a.execution_id, a.owner_id);
  votes := votes_needed(a.rule, cardinality(people), (a.terms ->> 'k')::int);
  told := json_build_object('approval', a.id, 'path', a.path, 'level', a.level + 1,
                            'approvers', asked -> 'approvers', 'payload_hash', a.payload_hash);
  IF cardinality(people) < greatest(votes, 1) THEN
    UPDATE approval SET decision = 'expired', decided_at = pilot_now() WHERE id = a.id;
    PERFORM add_event(a.execution_id, 'approval', a.path, '{"decision":"expired"}');
    PERFORM audit_system(a.execution_id, a.owner_id, 'APPROVAL_TIMEOUT', told);
    PERFORM resolve_wait(a.wait_id, '{"decision":"nobody"}');
    RETURN true;
  END IF;
  UPDATE approval SET level = level + 1, round = round + 1, approver_ids = people, needed = votes,
         was_asked = was_asked || approver_ids,
         expires_at = pilot_now() + make_interval(secs => (asked ->> 'timeout_s')::float)
   WHERE id = a.id;
  PERFORM tell_approvers(a.id);
  PERFORM add_event(a.execution_id, 'approval', a.path,
                    json_build_object('decision', 'escalated', 'level', a.level + 1));
  PERFORM audit_system(a.execution_id, a.owner_id, 'APPROVAL_ESCALATED', told);
  RETURN true;
END $$;
"""
DOWN = r"""
DROP FUNCTION escalate(uuid);
DROP FUNCTION tell_approvers(uuid);
DROP FUNCTION votes_needed(text, int, int);
DROP FUNCTION people_asked(json, boolean, uuid, uuid);
DELETE FROM audit_event WHERE name = 'APPROVAL_ESCALATED';
DROP POLICY own ON approval;
CREATE POLICY own ON approval TO pilot_app USING (is_mine(owner_id) OR nullif(current_setting('app.user_id', true), '')::uuid = ANY (approver_ids)) WITH CHECK (is_mine(owner_id));
SET LOCAL app.maintain = 'on';
DELETE FROM vote v USING approval a WHERE a.id = v.approval_id AND v.round < a.round;
ALTER TABLE vote DROP CONSTRAINT vote_pkey, ADD PRIMARY KEY (approval_id, user_id);
ALTER TABLE vote DROP COLUMN round;
ALTER TABLE approval DROP COLUMN terms, DROP COLUMN round, DROP COLUMN level, DROP COLUMN was_asked;
"""
