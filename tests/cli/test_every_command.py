"""Every command: it has --json, ends with a documented exit code, and says errors as JSON too."""

import argparse
import io
import json

import pytest

from pilot import cli

SERVE = {"up", "worker"}  # until a signal stops them
NOBODY = "00000000-0000-0000-0000-000000000000"
CODES = range(7)


def calls():
    """Yield (name, arguments) of every action of every command, with made up values."""
    for name in cli.names():
        if name not in SERVE:
            parser = argparse.ArgumentParser()
            cli.load(name).arguments(parser)
            command = name.replace("_", "-")
            yield from actions(parser, [command])


def actions(parser, given):
    below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if below:
        for name, one in below[0].choices.items():
            yield from actions(one, [*given, name])
    else:
        yield " ".join(given), given + [text for one in parser._actions for text in filled(one)]


def filled(argument):
    """Return made up words for an argument that has to be given."""
    value = "7" if argument.type is int else NOBODY
    if argument.choices:
        value = str(next(iter(argument.choices)))
    if not argument.option_strings:
        return [] if argument.nargs == "?" else [value]
    return [argument.option_strings[0], value] if argument.required else []


@pytest.mark.capability(228)
def test_it_ends_with_a_documented_code_and_speaks_json(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = {}
    for name, arguments in calls():
        monkeypatch.setattr("sys.stdin", io.StringIO("{}\n"))
        code, out, err = shell("--json", *arguments)
        said = out if out or not code else err
        told = [json.loads(line) for line in said.splitlines()]
        if code not in CODES or not told or (said is err and {"code", "message"} - told[0].keys()):
            wrong[name] = (code, out, err)
    assert not wrong


FOR_VIEWERS = {
    "agent export", "agent list", "agent schedule list", "agent show", "agent trigger list",
    "agent webhook deliveries", "agent webhook list", "approval decide", "approval delegate",
    "approval list", "approval show", "connection list", "cost report", "execution bulk show",
    "execution list", "execution show", "execution tail", "execution why", "openapi",
    "token create", "token list", "token revoke", "version",
}  # fmt: skip


@pytest.mark.capability(228, 277)
@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_acts_as_somebody_may_do_what_they_may(shell, world, tmp_path, monkeypatch, role):
    monkeypatch.chdir(tmp_path)
    refused = set()
    for name, arguments in calls():
        monkeypatch.setattr("sys.stdin", io.StringIO("{}\n"))
        code, _out, err = shell("--json", "--as", f"{role}@pilot.test", *arguments)
        if code == 1 and json.loads(err.splitlines()[0])["code"] == "forbidden":
            refused.add(name)
    given = {name for name, _arguments in calls()} - refused
    if role == "viewer":
        assert given == FOR_VIEWERS
    else:
        commands = {name.split()[0] for name in given}
        assert commands == {name.split()[0] for name in FOR_VIEWERS} | {"event", "secret", "test"}
        assert "agent create" in given


@pytest.mark.capability(228)
def test_the_commands_cover_what_the_api_does():
    known = {name for name, _ in calls()}
    assert known >= {
        *(f"agent {one}" for one in ("list", "show", "create", "generate", "start")),
        *(f"approval {one}" for one in ("list", "show", "decide")),
        *(f"setting {one}" for one in ("init", "list", "get", "set")),
        *(f"token {one}" for one in ("create", "list", "revoke")),
        *("audit verify", "audit export", "cost report", "prices list", "openapi", "version"),
        *(
            f"execution {one}"
            for one in ("list", "show", "tail", "why", "cancel", "pause", "resume", "retry")
        ),
    }
