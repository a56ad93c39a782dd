"""Blobs: outputs too large for their row, stored once by the hash of their text."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute(UP)
    for function, pairs in REWORDED.items():
        _reword(function, pairs)


def downgrade() -> None:
    for function, pairs in REWORDED.items():
        _reword(function, [(after, before) for before, after in pairs])
    op.execute(DOWN)


def _reword(function: str, pairs: list[tuple[str, str]]) -> None:
    """Change words of a function of many lines; its owner and its grants stay."""
    body = "body"
    for before, after in pairs:
        body = f"replace({body}, $t${before}$t$, $t${after}$t$)"
    known = " AND ".join(f"strpos(body, $t${before}$t$) > 0" for before, _ in pairs)
    op.execute(REWORD.format(function=function, known=known, body=body))


REWORDED = {
    "checkpoint(uuid,json,json,json,json,json)": [
        (
            "output json, error json, final boolean",
            "output json, output_blob bytea, error json, final boolean",
        ),
        (
            "output = CASE WHEN m.status IS NULL THEN e.output ELSE m.output END,",
            "output = CASE WHEN m.status IS NULL THEN e.output ELSE m.output END,\n"
            "           output_blob = CASE WHEN m.status IS NULL THEN e.output_blob"
            " ELSE m.output_blob END,",
        ),
        (
            "rerun, input, output, error, notes, fence",
            "rerun, input, output, output_blob, error, notes, fence",
        ),
        ("a.input, a.output, a.error", "a.input, a.output, a.output_blob, a.error"),
        (
            "rerun int, input json, output json,",
            "rerun int, input json, output json, output_blob bytea,",
        ),
        (
            "output = coalesce(excluded.output, step_execution.output),",
            "output = coalesce(excluded.output, step_execution.output),\n"
            "      output_blob = coalesce(excluded.output_blob, step_execution.output_blob),",
        ),
    ],
    "load_executions(uuid,uuid[],uuid[])": [
        ("'output', s.output,", "'output', s.output, 'blob', encode(s.output_blob, 'hex'),"),
    ],
    "prune_executions(int,int)": [
        ("input = NULL, output = NULL,", "input = NULL, output = NULL, output_blob = NULL,"),
        ("execution SET output = NULL,", "execution SET output = NULL, output_blob = NULL,"),
    ],
}
REWORD = r"""
DO $do$
DECLARE body text := pg_get_functiondef('{function}'::regprocedure); me text := current_user;
BEGIN
  IF NOT ({known}) THEN RAISE EXCEPTION '{function} reads otherwise'; END IF;
  GRANT CREATE ON SCHEMA public TO pilot_claim;
  SET LOCAL ROLE pilot_claim;  -- whose function it is
  EXECUTE {body};
  EXECUTE format('SET LOCAL ROLE %I', me);
  REVOKE CREATE ON SCHEMA public FROM pilot_claim;
END $do$;
"""

UP = r"""
CREATE TABLE blob (
    owner_id UUID NOT NULL,
    sha256 BYTEA NOT NULL,
    size BIGINT NOT NULL,
    media_type TEXT NOT NULL,
    content BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (owner_id, sha256),
    FOREIGN KEY(owner_id) REFERENCES app_user (id)
);
-- Uncompressed, so that a piece of it is read without the rest.
ALTER TABLE blob ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE blob ADD CONSTRAINT blob_size
  CHECK (size = octet_length(content) AND size <= 52428800);
ALTER TABLE execution ADD COLUMN output_blob BYTEA;
ALTER TABLE step_execution ADD COLUMN output_blob BYTEA;
CREATE INDEX execution_blob ON execution (output_blob) WHERE output_blob IS NOT NULL;
CREATE INDEX step_execution_blob ON step_execution (output_blob) WHERE output_blob IS NOT NULL;

GRANT SELECT ON blob TO pilot_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON blob TO pilot_claim;
ALTER TABLE blob ENABLE ROW LEVEL SECURITY;
ALTER TABLE blob FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON blob TO pilot_app
  USING (is_mine(owner_id)) WITH CHECK (is_mine(owner_id));
-- Who may read the execution may read what it gave.
CREATE POLICY granted ON blob FOR SELECT TO pilot_app
  USING ((SELECT cardinality(my_grants()) > 0) AND (
    EXISTS (SELECT 1 FROM step_execution s
             WHERE s.output_blob = sha256 AND s.owner_id = blob.owner_id)
    OR EXISTS (SELECT 1 FROM execution e
                WHERE e.output_blob = sha256 AND e.owner_id = blob.owner_id)));
CREATE POLICY maintain ON blob TO pilot_owner
  USING (current_setting('app.maintain', true) = 'on');
CREATE POLICY claim ON blob TO pilot_claim USING (true) WITH CHECK (true);

-- Stores what a worker is about to refer to, in the same transaction. The owner comes from the
-- execution that it holds, the hash from the content. What is there already becomes young again, so
-- that no clean-up takes it before the reference is committed.
CREATE FUNCTION store_blob(p_worker uuid, p_execution uuid, p_fence int, p_media_type text,
                           p_content bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  INSERT INTO blob (owner_id, sha256, size, media_type, content)
  SELECT e.owner_id, sha256(p_content), octet_length(p_content), p_media_type, p_content
    FROM execution e
   WHERE e.id = p_execution AND e.fence = p_fence AND e.worker_id = p_worker
  ON CONFLICT (owner_id, sha256) DO UPDATE SET created_at = pilot_now() $$;

-- What nothing refers to any more.
CREATE FUNCTION prune_blobs(p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE gone int;
BEGIN
  DELETE FROM blob WHERE (owner_id, sha256) IN (SELECT b.owner_id, b.sha256 FROM blob b
    WHERE b.created_at < pilot_now() - interval '1 hour'
      AND NOT EXISTS (SELECT 1 FROM step_execution s
            WHERE s.output_blob = b.sha256 AND s.owner_id = b.owner_id)
      AND NOT EXISTS (SELECT 1 FROM execution e
            WHERE e.output_blob = b.sha256 AND e.owner_id = b.owner_id)
    LIMIT p_limit FOR UPDATE OF b SKIP LOCKED);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE EXECUTE ON FUNCTION store_blob(uuid, uuid, int, text, bytea), prune_blobs(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store_blob(uuid, uuid, int, text, bytea), prune_blobs(int) TO pilot_app;
GRANT CREATE ON SCHEMA public TO pilot_claim;
ALTER FUNCTION store_blob(uuid, uuid, int, text, bytea) OWNER TO pilot_claim;
ALTER FUNCTION prune_blobs(int) OWNER TO pilot_claim;
REVOKE CREATE ON SCHEMA public FROM pilot_claim;
"""

DOWN = r"""
DROP FUNCTION store_blob(uuid, uuid, int, text, bytea);
DROP FUNCTION prune_blobs(int);
DROP INDEX execution_blob;
DROP INDEX step_execution_blob;
DROP TABLE blob;
ALTER TABLE execution DROP COLUMN output_blob;
ALTER TABLE step_execution DROP COLUMN output_blob;
"""
