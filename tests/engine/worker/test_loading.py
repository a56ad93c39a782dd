"""What a worker loads at its start, and what only with the first use."""

import subprocess
import sys

SELDOM = {
    *("anthropic", "openai"),
    *("pilot.engine.planner", "pilot.engine.clause_planner"),
    *("openpyxl", "python_calamine", "charset_normalizer", "nh3", "yaml"),
    *("cryptography.fernet", "jsonschema", "email_validator"),
}


def test_a_worker_starts_without_what_many_never_use():
    program = f"import sys, pilot.worker; print(*({SELDOM!r} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "\n"
