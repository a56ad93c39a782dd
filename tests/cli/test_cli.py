import json
import subprocess
import sys

import pytest

from pilot import cli
from pilot.cli import commands, terminal
from pilot.errors import (
    ConfigError,
    ConflictError,
    GoneError,
    InvalidError,
    Issue,
    NotFoundError,
    UnavailableError,
)

ISSUES = [Issue("E1", "/steps/0", "no such action"), Issue("E2", "", "no steps")]


@pytest.fixture
def failing(monkeypatch):
    """Let the command `migrate` end with an error of our choice."""

    def end_with(error):
        def raise_it(_args):
            raise error

        monkeypatch.setattr(cli.load("migrate"), "_run", raise_it)

    return end_with


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 1),
        (UnavailableError("x"), 1),
        (NotFoundError("x"), 3),
        (ConflictError("x"), 4),
        (GoneError("x"), 4),
        (InvalidError(ISSUES), 5),
    ],
)
def test_each_kind_of_error_has_its_exit_code(failing, capsys, error, code):
    failing(error)
    assert cli.main(["migrate"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pilot: ")


def test_every_issue_is_a_line_with_its_place(failing, capsys):
    failing(InvalidError(ISSUES))
    cli.main(["migrate"])
    assert capsys.readouterr().err == "pilot: /steps/0: no such action\npilot: /: no steps\n"


def test_json_gives_programs_the_error_too(failing, capsys):
    failing(InvalidError(ISSUES))
    assert cli.main(["--json", "migrate"]) == 5
    error = json.loads(capsys.readouterr().err)
    assert error["code"] == "invalid"
    assert [issue["path"] for issue in error["issues"]] == ["/steps/0", ""]


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["migrate", "--no-such-option"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: pilot" in capsys.readouterr().err


def test_help_lists_every_command_with_its_line(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert {"up", "migrate", "doctor"} <= set(cli.names())
    listed = {line.split()[0] for line in out.splitlines() if line.startswith("    ")}
    assert {name.replace("_", "-") for name in cli.names()} <= listed


def test_every_command_says_what_it_does():
    for name in cli.names():
        module = cli.load(name)
        assert module.__doc__.strip().endswith(".")
        assert callable(module.arguments)


def test_a_command_loads_no_other_command():
    code = (
        "import sys; from pilot import cli; cli.main(['migrate', '--roles']);"
        f"print([m for m in sys.modules if m.startswith({commands.__name__ + '.'!r})])"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert out.splitlines()[-1] == "['pilot.cli.commands.migrate']"


def test_an_answer_is_text_or_json(capsys):
    class Args:
        json = False

    terminal.answer(Args, {"n": 1}, "one")
    Args.json = True
    terminal.answer(Args, {"n": 1}, "one")
    assert capsys.readouterr().out == 'one\n{"n":1}\n'
