import json

import pytest

from pilot import cli


@pytest.fixture
def pilot(database, monkeypatch, capsys):
    """Give a function that runs a command: its exit code and what it wrote."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*arguments):
        code = cli.main(["--json", "prices", *arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    return run


LUNA = ("add", "gpt-6-luna", "--source", "their page")


def test_init_changes_nothing_the_second_time_and_prints_the_values(pilot):
    _, said = pilot("init")
    assert said["new"] == {"providers": 0, "models": 0, "prices": 0}
    luna = next(one for one in said["models"] if one["id"] == "gpt-6-luna")
    assert (luna["input"], luna["output"], luna["long_input"]) == ("0.1", "0.5", "0.2")


def test_a_price_is_added_and_listed_with_its_author(pilot):
    code, _ = pilot(*LUNA, "--input", "0.12", "--output", "0.60", "--cache-read", "0.012")
    assert code == 0
    _, rows = pilot("list", "gpt-6-luna")
    assert [one["input"] for one in rows] == ["0.12", "0.1"]
    assert rows[0]["author"].startswith("cli:")
    _, models = pilot("list")
    luna = next(one for one in models if one["id"] == "gpt-6-luna")
    assert (luna["input"], luna["source"]) == ("0.12", "their page")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (("--input", "0", "--output", "1"), "/input"),
        (("--input", "1"), "/output"),
        (("--input", "1", "--output=-1"), "/output"),
        (("--input", "1", "--output", "1", "--from", "2020-01-01"), "/valid_from"),
        (("--input", "1", "--output", "1", "--from", "soon"), "/from"),
    ],
)
def test_a_bad_price_is_refused(pilot, given, path):
    code, said = pilot(*LUNA, *given)
    assert code == 5
    assert [issue["path"] for issue in said["issues"]] == [path]


def test_a_free_model_is_said_to_be_free(pilot):
    assert pilot(*LUNA, "--free")[0] == 0
    _, rows = pilot("list", "gpt-6-luna")
    assert rows[0]["input"] == "0"


def test_an_unknown_model_is_not_found(pilot):
    assert pilot("list", "gpt-0")[0] == 3
    assert pilot("add", "gpt-0", "--source", "x", "--input", "1", "--output", "1")[0] == 3


def test_people_read_lines(database, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", database)
    for arguments in (["list"], ["init"], ["list", "claude-haiku-5-5"]):
        assert cli.main(["prices", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "(OpenAI has no key.)" in next(one for one in lines if one.startswith("gpt-6-luna"))
    assert lines[-1].endswith("above 100,000: $0.5 in, $2.5 out  shipped")
