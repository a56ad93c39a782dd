"""The clock, row ownership, and the people."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)


UP = r"""
-- The only clock of the product; the test database redefines it to move time.
CREATE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';

-- Row security's one question. After a transaction the setting is '', hence NULLIF.
CREATE FUNCTION is_mine(owner uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT owner = nullif(current_setting('app.user_id', true), '')::uuid
      OR current_setting('app.sees_all', true) = 'on' $$;

GRANT USAGE ON SCHEMA public TO pilot_app, pilot_claim, pilot_audit;

CREATE TABLE app_user (
    id UUID DEFAULT uuidv7() NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    roles TEXT[] NOT NULL,
    zone TEXT DEFAULT 'UTC' NOT NULL,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (email)
);

CREATE TABLE user_session (
    id UUID DEFAULT uuidv7() NOT NULL,
    user_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    address TEXT NOT NULL,
    browser TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES app_user (id) ON DELETE CASCADE,
    UNIQUE (token_hash)
);
CREATE INDEX user_session_by_user ON user_session (user_id);

CREATE TABLE one_time_token (
    token_hash BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (token_hash)
);

CREATE TABLE sign_in_failure (
    id UUID DEFAULT uuidv7() NOT NULL,
    email TEXT NOT NULL,
    address TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT pilot_now() NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX sign_in_failure_by_email ON sign_in_failure (email, at);
CREATE INDEX sign_in_failure_by_address ON sign_in_failure (address, at);
GRANT SELECT, INSERT, UPDATE ON app_user, user_session, one_time_token TO pilot_app;
GRANT SELECT, INSERT, DELETE ON sign_in_failure TO pilot_app;
GRANT SELECT ON app_user TO pilot_claim;
GRANT SELECT ON alembic_version TO pilot_app;
"""

DOWN = r"""
DROP TABLE sign_in_failure, one_time_token, user_session, app_user;
DROP FUNCTION is_mine(uuid);
DROP FUNCTION pilot_now();
"""
