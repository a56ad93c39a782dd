"""Records which rows of docs/capabilities.md the tests of a run proved, for `make capabilities`.

Run as a program it prints the numbers without a passing test, or `none`.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "capabilities.md"
RESULTS = ROOT / "build" / "capabilities.json"

_outcomes: dict[str, dict] = {}  # of this run, by test


def pytest_collection_modifyitems(items):
    for item in items:
        numbers = [n for mark in item.iter_markers("capability") for n in mark.args]
        item.user_properties.append(("capabilities", numbers))


def pytest_runtest_logreport(report):
    numbers = dict(report.user_properties).get("capabilities")
    if numbers:
        known = _outcomes.setdefault(report.nodeid, {"numbers": numbers, "passed": True})
        known["passed"] &= report.passed


def pytest_sessionfinish(session):
    """Keep the outcomes of a run of everything: a part cannot say what is missing."""
    option = session.config.option
    part = (
        option.keyword
        or option.markexpr
        or option.file_or_dir
        or getattr(option, "lf", False)
        or option.no_servers
    )
    if not part and not hasattr(session.config, "workerinput"):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(_outcomes, indent=1), encoding="utf-8")


def rows(table: str) -> list[int]:
    """Return the numbers of the rows of the table."""
    return [int(number) for number in re.findall(r"^\| *(\d+) *\|", table, re.MULTILINE)]


def missing(table: str, outcomes: dict[str, dict]) -> list[int]:
    """Return the rows without a test that passed; a row with a failing one is missing too."""
    passed = {n for each in outcomes.values() if each["passed"] for n in each["numbers"]}
    failed = {n for each in outcomes.values() if not each["passed"] for n in each["numbers"]}
    return [number for number in rows(table) if number not in passed - failed]


def report(table: str, outcomes: dict[str, dict]) -> str:
    """Return the missing numbers, one a line, or `none`."""
    return "\n".join(map(str, missing(table, outcomes))) or "none"


if __name__ == "__main__":
    if not RESULTS.exists():
        sys.exit("There are no results: run make test first.")
    print(report(TABLE.read_text(encoding="utf-8"), json.loads(RESULTS.read_text("utf-8"))))
