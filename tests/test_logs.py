"""The log: JSON lines on standard error; neither secrets nor local values get into it."""

import json
import subprocess
import sys

import psycopg
import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

PROGRAM = """
import structlog
from pilot import logs
logs.configure()
log = structlog.get_logger()
log.info("mail_sent", to="ann", password="hunter2-hunter2")
def fail():
    canary = "canary-value"
    raise ValueError("no")
try:
    fail()
except ValueError:
    log.exception("failed")
"""


def test_lines_are_json_without_secrets_or_locals():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    first, second = map(json.loads, done.stderr.splitlines())
    assert (first["event"], first["level"], first["to"]) == ("mail_sent", "info", "ann")
    assert first["timestamp"].endswith("Z")
    assert "hunter2" not in done.stderr
    assert second["exception"][0]["exc_value"] == "no"
    assert "canary" not in done.stderr


def test_what_a_database_refused_is_not_quoted(servers, capsys):
    log = structlog.get_logger()
    refused = r"""SELECT '{"name": "Erika Canary\u0000"}'::jsonb"""
    with psycopg.connect(servers.admin_url, autocommit=True) as connection:
        try:
            connection.execute(refused)
        except psycopg.Error:
            log.exception("run_crashed")
    engine = create_engine(servers.admin_url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect() as session:
            session.execute(text("SELECT cast(:given AS int)"), {"given": "Erika Canary"})
    except SQLAlchemyError:
        log.exception("run_crashed")
    engine.dispose()
    told = capsys.readouterr().err
    assert "UntranslatableCharacter" in told
    assert "DataError" in told
    assert "Canary" not in told
    assert "Canary" not in servers.cluster.log.read_text()
