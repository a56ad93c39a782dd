import pytest

BROWSER_TEST = """
import pytest

@pytest.mark.browser
def test_page(): pass

def test_plain(): pass
"""
CONFTEST = """
from tests import programs
programs.NEEDS["browser"] = (("no-such-program",), "apt-get install it")
pytest_plugins = ["tests.programs"]
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Give a function that runs a browser test on a machine without the browser."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(BROWSER_TEST)
    pytester.makeini("[pytest]\nmarkers = browser: needs Chromium\n")
    monkeypatch.delenv("CI", raising=False)
    return lambda *more: pytester.runpytest_subprocess("-rs", "-p", "no:randomly", *more)


def test_a_missing_browser_skips_with_the_remedy(run):
    result = run()
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*no-such-program is missing: apt-get install it*"])


def test_in_ci_a_missing_browser_is_a_failure(run, monkeypatch):
    monkeypatch.setenv("CI", "true")
    run().assert_outcomes(passed=1, errors=1)


def test_tests_that_need_servers_can_be_left_out(pytester, run):
    pytester.makepyfile(
        test_more="import pytest\n@pytest.fixture\ndef servers(): pass\ndef test_x(servers): pass"
    )
    run("--no-servers").assert_outcomes(passed=1, skipped=1, deselected=1)
