import json

from tests.capabilities import missing, report, rows

TABLE = """
| # | S | capability |
|---|---|---|
| 1 | 0 | one |
| 2 | 0 | two of 3 |
| 10 | + | ten |
"""


def outcome(*numbers, passed=True):
    return {"numbers": list(numbers), "passed": passed}


def test_rows_are_the_numbers_of_the_table():
    assert rows(TABLE) == [1, 2, 10]


def test_a_row_is_proved_by_a_passing_test():
    assert missing(TABLE, {"a": outcome(1, 2)}) == [10]
    assert missing(TABLE, {"a": outcome(1, 2), "b": outcome(10)}) == []


def test_one_failing_test_of_a_row_unproves_it():
    assert missing(TABLE, {"a": outcome(1, 2, 10), "b": outcome(2, passed=False)}) == [2]


def test_the_report_holds_numbers_or_none():
    assert report(TABLE, {"a": outcome(2)}) == "1\n10"
    assert report(TABLE, {"a": outcome(1, 2, 10)}) == "none"


def test_a_run_of_everything_records_outcomes(pytester, monkeypatch):
    pytester.makepyfile(
        """
        import pytest
        from tests import capabilities

        @pytest.mark.capability(1, 2)
        def test_good(): pass

        @pytest.mark.capability(3)
        def test_bad(): assert False

        @pytest.mark.capability(4)
        @pytest.mark.skip(reason="no browser")
        def test_skipped(): pass

        def test_unmarked(): pass
        """
    )
    results = pytester.path / "build" / "capabilities.json"
    pytester.makeconftest(
        f"""
        from pathlib import Path
        from tests import capabilities
        capabilities.RESULTS = Path({str(results)!r})
        pytest_plugins = ["tests.capabilities", "tests.programs"]
        """
    )
    pytester.makeini("[pytest]\nmarkers = capability(n): rows\n")
    pytester.runpytest_subprocess("-p", "no:randomly")
    recorded = {
        tuple(each["numbers"]): each["passed"] for each in json.loads(results.read_text()).values()
    }
    assert recorded == {(1, 2): True, (3,): False, (4,): False}
