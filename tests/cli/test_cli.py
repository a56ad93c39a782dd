import json
import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("output", ["full", "closed"])
def test_an_output_that_takes_nothing_is_no_traceback(output):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed, Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pilot.cli", "version"],
            stdout=full if output == "full" else closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    told = "pilot: The output cannot be used: No space left on device.\n"
    assert (done.returncode, done.stderr) == (1, told if output == "full" else "")


def test_an_argument_that_is_no_text_is_named(shell):
    code, _, err = shell("agent", "show", "caf\udce9")
    assert (code, err) == (1, "pilot: 'caf\\udce9' is no text in utf-8.\n")


def test_a_file_name_that_no_disk_takes_is_named(shell, tmp_path):
    code, _, err = shell("backup", str(tmp_path / ("x" * 300)))
    assert code == 1
    assert err.endswith("xxx cannot be used: File name too long.\n")


def test_an_answer_is_text_or_json(capsys):
    class Args:
        json = False

    terminal.answer(Args, {"n": 1}, "one")
    Args.json = True
    terminal.answer(Args, {"n": 1}, "one")
    assert capsys.readouterr().out == 'one\n{"n":1}\n'
