"""The log: JSON lines on standard error; neither secrets nor local values get into it."""

import json
import subprocess
import sys

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
