"""Settings with their history, and the audit chains."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
CREATE TABLE setting (
    key TEXT NOT NULL,
    value JSON NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    updated_by UUID,
    PRIMARY KEY (key)
);

CREATE TABLE setting_change (
    id UUID DEFAULT uuidv7() NOT NULL,
    version INTEGER NOT NULL,
    key TEXT NOT NULL,
    before JSON,
    after JSON,
    changed_by UUID,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE audit_event (
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    flags TEXT[] NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE audit_head (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (chain)
);

ALTER TABLE audit_head SET (fillfactor = 70);  -- each record changes a head

CREATE TABLE audit (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    owner_id UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    record TEXT NOT NULL,
    prev BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    event TEXT GENERATED ALWAYS AS (record::json ->> 'event') STORED NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_by_event ON audit (event, at);
CREATE INDEX audit_by_time ON audit (at, chain, seq);
ALTER TABLE audit_event ADD CHECK (severity IN ('info', 'warning', 'critical'));
INSERT INTO audit_event (name, severity, flags) VALUES
  ('PILOT_EXECUTION_STARTED', 'info', '{SOC2}'),
  ('PILOT_EXECUTION_COMPLETED', 'info', '{SOC2}'),
  ('PILOT_EXECUTION_FAILED', 'critical', '{SOC2}'),
  ('PILOT_EXECUTION_PAUSED', 'info', '{SOC2}'),
  ('PILOT_EXECUTION_RESUMED', 'info', '{SOC2}'),
  ('PILOT_EXECUTION_CANCELLED', 'warning', '{SOC2}'),
  ('PILOT_EXECUTION_RETRIED', 'info', '{SOC2}'),
  ('PILOT_EXECUTION_RECOVERED', 'warning', '{SOC2}'),
  ('PILOT_EXECUTION_POISONED', 'critical', '{SOC2}'),
  ('PILOT_DISABLED', 'warning', '{SOC2}'),
  ('PILOT_STEP_EXECUTED', 'info', '{SOC2}'),
  ('PILOT_STEP_FAILED', 'warning', '{SOC2}'),
  ('PILOT_STEP_RETRIED', 'info', '{SOC2}'),
  ('PILOT_OUTCOME_UNKNOWN', 'critical', '{SOC2}'),
  ('PILOT_OUTCOME_RESOLVED', 'warning', '{SOC2}'),
  ('AGENT_GENERATION_STARTED', 'info', '{SOC2}'),
  ('AGENT_GENERATION_COMPLETED', 'info', '{SOC2}'),
  ('AGENT_GENERATION_FAILED', 'warning', '{SOC2}'),
  ('WORKFLOW_GENERATED', 'info', '{SOC2}'),
  ('AGENT_CREATED', 'info', '{SOC2}'),
  ('AGENT_UPDATED', 'info', '{SOC2}'),
  ('AGENT_STATUS_CHANGED', 'info', '{SOC2}'),
  ('AGENT_DELETED', 'critical', '{SOC2,GDPR}'),
  ('WORKFLOW_VERSION_SAVED', 'info', '{SOC2}'),
  ('WORKFLOW_VERSION_RESTORED', 'warning', '{SOC2}'),
  ('APPROVAL_REQUESTED', 'info', '{SOC2}'),
  ('APPROVAL_APPROVED', 'info', '{SOC2}'),
  ('APPROVAL_REJECTED', 'warning', '{SOC2}'),
  ('APPROVAL_TIMEOUT', 'warning', '{SOC2}'),
  ('APPROVAL_VOIDED', 'warning', '{SOC2}'),
  ('NOTIFICATION_FAILED', 'warning', '{SOC2}'),
  ('PILOT_CONFIG_UPDATED', 'info', '{SOC2}'),
  ('SYSTEM_CONFIG_CHANGED', 'warning', '{SOC2}'),
  ('USER_CREATED', 'info', '{SOC2}'),
  ('USER_LOGIN', 'info', '{SOC2}'),
  ('USER_LOGOUT', 'info', '{}'),
  ('USER_LOGIN_FAILED', 'warning', '{SOC2}'),
  ('USER_SUSPENDED', 'warning', '{SOC2}'),
  ('USER_REACTIVATED', 'warning', '{SOC2}'),
  ('SETTINGS_PREFERENCES_UPDATED', 'info', '{GDPR}'),
  ('SECURITY_ANOMALY_DETECTED', 'critical', '{SOC2}'),
  ('SECURITY_UNAUTHORIZED_ACCESS', 'critical', '{SOC2,GDPR}');
CREATE SEQUENCE setting_version;
GRANT SELECT, INSERT, UPDATE, DELETE ON setting TO pilot_app;
GRANT SELECT, INSERT ON setting_change TO pilot_app;
GRANT USAGE, SELECT ON SEQUENCE setting_version TO pilot_app;

-- Appends records to their chains, in the given order. Only this function may insert; the time
-- is the database's, severity and existence of the event come from audit_event. Its statements keep
-- one plan each, for tables of any size: planning them for each call costs more than their work.
CREATE FUNCTION audit_append(chains text[], owners uuid[], records text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  moment timestamptz := pilot_now();
  stamp text := '{"at":"' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '",';
  heads text[]; head_seqs bigint[]; head_hashes bytea[];
  at_head int; seqs bigint[] := '{}'; prevs bytea[] := '{}'; hashes bytea[] := '{}'; texts text[] := '{}';
  link bytea; line text; unknown text;
BEGIN
  SELECT r::json ->> 'event' INTO unknown FROM unnest(records) AS r
   WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.name = r::json ->> 'event') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'unknown audit event %', unknown USING ERRCODE = 'check_violation';
  END IF;
  INSERT INTO audit_head (chain, seq, hash)
    SELECT DISTINCT c, 0, '\x'::bytea FROM unnest(chains) AS c
     WHERE NOT EXISTS (SELECT 1 FROM audit_head h WHERE h.chain = c)
    ORDER BY c ON CONFLICT DO NOTHING;
  SELECT array_agg(h.chain), array_agg(h.seq), array_agg(h.hash) INTO heads, head_seqs, head_hashes
    FROM (SELECT chain, seq, hash FROM audit_head WHERE chain = ANY (chains)
          ORDER BY chain FOR UPDATE) h;
  FOR i IN 1 .. cardinality(records) LOOP
    at_head := array_position(heads, chains[i]);
    line := stamp || substr(records[i], 2);
    link := sha256(head_hashes[at_head] || convert_to(line, 'UTF8'));
    prevs := prevs || head_hashes[at_head];
    texts := texts || line;
    hashes := hashes || link;
    head_seqs[at_head] := head_seqs[at_head] + 1;
    seqs := seqs || head_seqs[at_head];
    head_hashes[at_head] := link;
  END LOOP;
  INSERT INTO audit (chain, seq, owner_id, at, record, prev, hash)
    SELECT c, s, o, moment, t, p, h FROM unnest(chains, seqs, owners, texts, prevs, hashes)
      AS x(c, s, o, t, p, h);
  UPDATE audit_head a SET seq = x.s, hash = x.h
    FROM unnest(heads, head_seqs, head_hashes) AS x(c, s, h) WHERE a.chain = x.c;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON audit, audit_head, audit_event TO pilot_app;
GRANT SELECT, INSERT ON audit TO pilot_audit;
GRANT SELECT, INSERT, UPDATE ON audit_head TO pilot_audit;
GRANT SELECT ON audit_event TO pilot_audit;
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit FOR SELECT TO pilot_app USING (is_mine(owner_id));
CREATE POLICY append ON audit TO pilot_audit USING (true) WITH CHECK (true);
CREATE POLICY maintain ON audit TO pilot_owner USING (current_setting('app.maintain', true) = 'on');
GRANT EXECUTE ON FUNCTION audit_append(text[], uuid[], text[]) TO pilot_app, pilot_claim;
REVOKE EXECUTE ON FUNCTION audit_append(text[], uuid[], text[]) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO pilot_audit;
ALTER FUNCTION audit_append(text[], uuid[], text[]) OWNER TO pilot_audit;
REVOKE CREATE ON SCHEMA public FROM pilot_audit;
"""

DOWN = r"""
DROP TABLE audit, audit_head, audit_event;
DROP FUNCTION audit_append(text[], uuid[], text[]);
DROP FUNCTION refuse_change();
DROP SEQUENCE setting_version;
DROP TABLE setting_change, setting;
"""
