"""What a web server loads at its start, and what only with the first use."""

import subprocess
import sys

SELDOM = {
    *("anthropic", "openai"),
    *("pilot.engine.planner", "pilot.engine.clause_planner"),
    *("valkey", "cryptography.fernet"),
    *("openpyxl", "python_calamine", "jsonschema", "email_validator"),
}
PROGRAM = f"""
import sys
from pilot import db
from pilot.config import Config
from pilot.web import create_app

db.configure("postgresql://nowhere/")
create_app(Config.from_env({{"PILOT_SECRET_KEYS": "{"k" * 43}="}}))
print(*({SELDOM!r} & set(sys.modules)))
"""


def test_a_web_server_starts_without_what_many_never_use():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert told.stdout == "\n"
