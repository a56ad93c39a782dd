"""Declaring, checking and performing actions."""

import time
from datetime import date
from typing import Literal

import pytest
from pydantic import Field, field_validator

from pilot import plugins
from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call, Category, Effect, Model, Plugin


class Params(Model):
    """Things of every type."""

    to: list[str] = Field(min_length=1, max_length=3, description="Texts.")
    subject: str = Field(description="A text.")
    count: int = Field(1, ge=0, le=5, description="A number.")
    share: float = Field(0.5, description="A fraction.")
    is_unread: bool = Field(False, description="A switch.")
    mode: Literal["any", "all"] = Field("any", description="A choice.")
    since: date | None = Field(None, description="A day.")
    rows: list[dict[str, str | int | None]] = Field([], description="Objects.")
    sender: str | None = Field(None, alias="from", description="A text under another name.")

    @field_validator("sender")
    @classmethod
    def _is_short(cls, value):
        if value and len(value) > 3:
            raise ValueError("is too long.")
        return value


class Output(Model):
    """What came out."""

    number: int = Field(description="A number.")
    names: list[str] = Field(description="Texts.")


GOOD = {"to": ["a"], "subject": "s"}


def declare(run=None, **changes):
    def act(call: Call, params: Params) -> Output:
        """Act."""
        return Output(number=params.count, names=params.to)

    plugin = Plugin(name="p", version="1", title="P", category=Category.OTHER, summary="S.")
    parts = {"effect": Effect.PURE, "success": "{subject}: {names}, {number}", "guidance": "G."}
    run = run or act
    run.__name__ = "act"
    plugin.action(**(parts | changes))(run)
    return plugin.actions["act"]


def replaced(path, value):
    return [{"op": "replace", "path": path, "value": value}]


def moved(old, new):
    return [{"op": "move", "from": old, "path": new}]


@pytest.fixture
def action():
    return declare()


@pytest.mark.capability(154)
@pytest.mark.parametrize(
    ("changes", "code", "path", "fix"),
    [
        ({"to": "a"}, "E_PARAM_TYPE", "/to", replaced("/to", ["a"])),
        ({"to": [5]}, "E_PARAM_TYPE", "/to/0", replaced("/to/0", "5")),
        ({"count": "4"}, "E_PARAM_TYPE", "/count", replaced("/count", 4)),
        ({"count": " -4 "}, "E_PARAM_TYPE", "/count", replaced("/count", -4)),
        ({"count": "four"}, "E_PARAM_TYPE", "/count", None),
        ({"count": "--4"}, "E_PARAM_TYPE", "/count", None),
        ({"count": "4" * 5_000}, "E_PARAM_TYPE", "/count", None),
        ({"count": 9}, "E_PARAM_TYPE", "/count", None),
        ({"count": 1.5}, "E_PARAM_TYPE", "/count", None),
        ({"share": True}, "E_PARAM_TYPE", "/share", None),
        ({"is_unread": 1}, "E_PARAM_TYPE", "/is_unread", None),
        ({"mode": "some"}, "E_PARAM_TYPE", "/mode", None),
        ({"since": "01/02/2026"}, "E_PARAM_TYPE", "/since", None),
        ({"rows": [{"a": [1]}]}, "E_PARAM_TYPE", "/rows/0/a", None),
        ({"rows": [{"a/b": [1]}]}, "E_PARAM_TYPE", "/rows/0/a~1b", None),
        ({"from": "long name"}, "E_PARAM_TYPE", "/from", None),
        ({"to": None}, "E_PARAM_MISSING", "/to", None),
        ({"subject": "  "}, "E_PARAM_MISSING", "/subject", None),
        ({"isUnread": True}, "E_PARAM_UNKNOWN", "/isUnread", moved("/isUnread", "/is_unread")),
        ({"counts": 1}, "E_PARAM_UNKNOWN", "/counts", moved("/counts", "/count")),
        ({"Subject": "x"}, "E_PARAM_UNKNOWN", "/Subject", [{"op": "remove", "path": "/Subject"}]),
        ({"zebra": ""}, "E_PARAM_UNKNOWN", "/zebra", [{"op": "remove", "path": "/zebra"}]),
    ],
)
def test_each_wrong_parameter_is_named_once_with_its_fix(action, changes, code, path, fix):
    (issue,) = action.check(GOOD | changes)
    assert (issue.code, issue.path, issue.fix) == (code, path, fix)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mode": "some"}, "'any' or 'all'"),
        ({"count": 9}, "less than or equal to 5"),
        ({"count": "x"}, "a whole number"),
        ({"share": "x"}, "a number"),
        ({"since": "x"}, "a date like 2026-11-21"),
        ({"to": []}, "given, not empty"),
        ({"to": ["a"] * 4}, "at most 3 long"),
    ],
)
def test_an_issue_says_what_is_expected(action, changes, expected):
    (issue,) = action.check(GOOD | changes)
    assert issue.expected == expected
    assert f"must be {expected}; it is" in issue.message


def test_all_wrong_parameters_are_named_together(action):
    issues = action.check({"subject": "", "count": "4", "zebra": 1})
    assert {(one.code, one.path) for one in issues} == {
        ("E_PARAM_MISSING", "/to"),
        ("E_PARAM_MISSING", "/subject"),
        ("E_PARAM_TYPE", "/count"),
        ("E_PARAM_UNKNOWN", "/zebra"),
    }


@pytest.mark.parametrize("params", [None, [], "text", 5])
def test_params_that_are_no_object_are_an_issue(action, params):
    assert [one.path for one in action.check(params)] == [""]


def test_good_params_have_no_issue_and_are_completed(action):
    params = GOOD | {"since": "2026-11-21", "from": "ann"}
    assert action.check(params) == []
    assert action.complete(params) == {
        "to": ["a"],
        "subject": "s",
        "count": 1,
        "share": 0.5,
        "is_unread": False,
        "mode": "any",
        "since": "2026-11-21",
        "rows": [],
        "from": "ann",
    }


def test_performing_gives_json_and_a_sentence(action, make_call):
    output = plugins.perform(action, GOOD | {"to": ["a", "b"], "count": 3}, make_call())
    assert output == {"number": 3, "names": ["a", "b"]}
    assert action.success_text(GOOD, output) == "s: a, b, 3"


def test_performing_with_wrong_params_sends_nothing(action, make_call):
    with pytest.raises(PluginError, match=r"p\.act: The parameter to is missing") as caught:
        plugins.perform(action, {"subject": "s"}, make_call())
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.INPUT, False)


def test_nothing_starts_after_the_deadline(action, make_call):
    call = make_call(seconds=-1)
    assert call.deadline < time.monotonic()
    with pytest.raises(PluginError) as caught:
        plugins.perform(action, GOOD, call)
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.TIMEOUT, False)


@pytest.mark.capability(155)
@pytest.mark.parametrize(("code", "message"), [("gone", "It broke. Log in."), ("x", "It broke.")])
def test_a_remote_code_gets_the_sentence_that_says_what_to_do(make_call, code, message):
    def act(call: Call, params: Params) -> Output:
        """Fail."""
        raise PluginError(ErrorClass.AUTH, "It broke.", code=code)

    with pytest.raises(PluginError) as caught:
        plugins.perform(declare(act, errors={"gone": "Log in."}), GOOD, make_call())
    assert (caught.value.message, str(caught.value)) == (message, message)


def test_the_effect_may_depend_on_the_params():
    action = declare(effect=lambda params: Effect.PURE if params.count else Effect.KEYED)
    assert action.effect is Effect.ONCE
    assert action.effect_of(GOOD) is Effect.PURE
    assert action.effect_of(GOOD | {"count": 0}) is Effect.KEYED
    assert declare(effect=Effect.KEYED).effect_of(GOOD) is Effect.KEYED


def test_an_action_that_cannot_be_asked_says_so(action, make_call):
    with pytest.raises(PluginError, match="cannot be asked"):
        plugins.was_applied(action, GOOD, make_call())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"success": "Sent {nothing}"}, "unknown fields"),
        ({"effect": Effect.PROBE}, "has no was_applied"),
        ({"reaches": ["nobody"]}, "reaches names unknown params"),
    ],
)
def test_an_incomplete_declaration_stops_the_load(changes, message):
    with pytest.raises(ValueError, match=message):
        declare(**changes)


def test_an_action_without_docstring_stops_the_load():
    def act(call: Call, params: Params) -> Output:
        return Output(number=1, names=[])

    with pytest.raises(ValueError, match="has no docstring"):
        declare(act)
