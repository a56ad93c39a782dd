"""The plugin protocol, and the registry that finds plugins by file name.

A plugin is one module or package of this folder with `plugin = Plugin(...)`; it knows no other.
"""

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import Any, Literal, get_type_hints
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, to_json
from structlog.typing import FilteringBoundLogger

from pilot.egress import Egress
from pilot.errors import ErrorClass, Issue, NotFoundError, PluginError, type_json


class Category(StrEnum):
    """What a plugin is for; the plugins page groups by it."""

    COMMUNICATION = "communication"
    PRODUCTIVITY = "productivity"
    CRM = "crm"
    MARKETING = "marketing"
    PROJECT = "project"
    FINANCE = "finance"
    DATA = "data"
    INTEGRATION = "integration"
    AI = "ai"
    OTHER = "other"


class Effect(StrEnum):
    """What a crash between sending and recording means for an action."""

    PURE = "pure"  # nothing outside changes: run again
    KEYED = "keyed"  # the receiver honours the key: send again
    PROBE = "probe"  # can be asked whether the key was applied
    ONCE = "once"  # never sent again


@dataclass(frozen=True)
class Block:
    """The step fails (class input) with `message` where `when` holds."""

    when: str
    message: str


@dataclass(frozen=True)
class Confirm:
    """A person is asked before the action where `when` holds."""

    when: str
    message: str


@dataclass(frozen=True)
class Warn:
    """`message` is noted on the step where `when` holds."""

    when: str
    message: str


@dataclass(frozen=True)
class Limit:
    """At most `maximum` attempts of the owner per execution, hour or day (class limit).

    `count` is an expression for how much one attempt counts; without it, one.
    """

    maximum: int
    per: Literal["execution", "hour", "day"]
    count: str | None = None


Rule = Block | Confirm | Warn | Limit


class Model(BaseModel):
    """Base of every params and output shape: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Call:
    """All that an action gets to act with."""

    key: str  # idempotency key: the same over retries and recoveries
    deadline: float  # on time.monotonic()
    zone: ZoneInfo  # calendar words of the owner
    folder: Path  # the owner's private folder
    owner_email: str
    http: Egress = field(repr=False)
    log: FilteringBoundLogger = field(repr=False)


Perform = Callable[[Call, Any], Model]
Probe = Callable[[Call, Any], Model | None]


@dataclass(frozen=True)
class Action:
    """One thing that a workflow can do, as validator, planner, pages and engine see it."""

    name: str  # "mail.send"
    plugin: str
    title: str
    summary: str
    guidance: str
    effect: Effect  # the strictest class it can have; `effect_of` is exact
    rules: tuple[Rule, ...]
    timeout_s: float
    success: str
    errors: Mapping[str, str]
    params_model: type[Model]
    output_model: type[Model]
    params_schema: dict[str, Any] = field(repr=False)
    output_schema: dict[str, Any] = field(repr=False)
    run: Perform = field(repr=False)
    was_applied: Probe | None = field(repr=False)
    choose_effect: Callable[[Any], Effect] | None = field(repr=False)

    def check(self, params: type_json) -> list[Issue]:
        """Name every missing, unknown or mistyped parameter; paths start at the params."""
        return _read(self, params)[1]

    def complete(self, params: type_json) -> dict[str, Any]:
        """Return the checked params with all defaults, as rules see them.

        Raises:
            PluginError: class input, when a parameter is missing, unknown or mistyped.
        """
        return _require(self, params).model_dump(mode="json", by_alias=True)

    def effect_of(self, params: type_json) -> Effect:
        """Return the effect class that the action has with these params.

        Raises:
            PluginError: class input, when a parameter is missing, unknown or mistyped.
        """
        return self.choose_effect(_require(self, params)) if self.choose_effect else self.effect

    def success_text(self, params: type_json, output: type_json) -> str:
        """Return the sentence for the timeline, e.g. "Sent to ann@example.com"."""
        values = {**self.complete(params), **output}
        return self.success.format_map({name: _as_text(values[name]) for name in values})


class Plugin:
    """A set of actions on one outside thing; the file's `plugin` is its only instance."""

    def __init__(
        self, *, name: str, version: str, title: str, category: Category, summary: str
    ) -> None:
        self.name = name
        self.version = version
        self.title = title
        self.category = category
        self.summary = summary
        self.actions: dict[str, Action] = {}

    def action(  # noqa: PLR0913  one keyword for each part of the protocol
        self,
        *,
        effect: Effect | Callable[[Any], Effect],
        success: str,
        guidance: str,
        timeout_s: float = 60,
        rules: Iterable[Rule] = (),
        errors: Mapping[str, str] | None = None,
        was_applied: Probe | None = None,
    ) -> Callable[[Perform], Perform]:
        """Declare the decorated function an action; its annotations give params and output.

        Raises:
            ValueError: the declaration is incomplete, at load.
        """

        def declare(run: Perform) -> Perform:
            hints = get_type_hints(run)
            params_model, output_model = hints["params"], hints["return"]
            known = {*_properties(params_model), *_properties(output_model)}
            name = f"{self.name}.{run.__name__}"
            _check_declaration(name, run.__doc__, success, known)
            if effect is Effect.PROBE and was_applied is None:
                raise ValueError(f"{name} is declared probe and has no was_applied.")
            self.actions[run.__name__] = Action(
                name=name,
                plugin=self.name,
                title=run.__name__.replace("_", " ").capitalize(),
                summary=(run.__doc__ or "").strip(),
                guidance=guidance,
                effect=effect if isinstance(effect, Effect) else Effect.ONCE,
                rules=tuple(rules),
                timeout_s=timeout_s,
                success=success,
                errors=dict(errors or {}),
                params_model=params_model,
                output_model=output_model,
                params_schema=params_model.model_json_schema(by_alias=True),
                output_schema=output_model.model_json_schema(by_alias=True, mode="serialization"),
                run=run,
                was_applied=was_applied,
                choose_effect=None if isinstance(effect, Effect) else effect,
            )
            return run

        return declare


def names() -> list[str]:
    """Return the names of all plugins, without loading any."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


def load(name: str) -> Plugin:
    """Return the plugin of that name; it is loaded at first use, once per process.

    Raises:
        NotFoundError: there is no such plugin.
    """
    if name not in names():
        raise NotFoundError(f"There is no plugin {name!r}. Present: {', '.join(names())}.")
    plugin: Plugin = importlib.import_module(f"{__name__}.{name}").plugin
    return plugin


def perform(action: Action, params: type_json, call: Call) -> type_json:
    """Check the params, run the action and return its output as JSON data.

    Raises:
        PluginError: with the class that decides about retries; `sent` is False when the
            request provably never left.
    """
    model = _require(action, params)
    if time.monotonic() >= call.deadline:
        raise PluginError(ErrorClass.TIMEOUT, "There was no time left to start.", sent=False)
    try:
        return action.run(call, model).model_dump(mode="json", by_alias=True)
    except PluginError as error:
        sentence = action.errors.get(error.remote_code or "")
        if sentence:
            error.message = f"{error.message} {sentence}"
            error.args = (error.message,)
        raise


def was_applied(action: Action, params: type_json, call: Call) -> type_json | None:
    """Ask whether the key was applied: the output if it was, None if surely not.

    Raises:
        PluginError: nobody can tell.
    """
    if action.was_applied is None:
        raise PluginError(ErrorClass.CONFIG, f"{action.name} cannot be asked what it did.")
    output = action.was_applied(call, _require(action, params))
    return None if output is None else output.model_dump(mode="json", by_alias=True)


def _require(action: Action, params: type_json) -> Model:
    model, issues = _read(action, params)
    if model is None:
        text = " ".join([f"{action.name}:", *(issue.message for issue in issues)])
        raise PluginError(ErrorClass.INPUT, text, sent=False)
    return model


def _read(action: Action, params: type_json) -> tuple[Model | None, list[Issue]]:
    """Strict JSON typing: dates and enums come as text, but "5" is no number."""
    model: Model | None = None
    issues: list[Issue] = []
    try:
        model = action.params_model.model_validate_json(to_json(params), strict=True)
    except ValidationError as error:
        issues = [_issue(action, problem, params) for problem in error.errors(include_url=False)]
    if isinstance(params, dict):
        required = _properties(action.params_model, required=True)
        blank = (name for name in required if name in params and _is_blank(params[name]))
        issues = [_missing(f"/{name}") for name in blank] + issues
    first = {issue.path: issue for issue in reversed(issues)}  # a union names a path many times
    issues = list(reversed(first.values()))
    return (None if issues else model), issues


def _properties(model: type[BaseModel], *, required: bool = False) -> list[str]:
    fields = model.model_fields.items()
    return [part.alias or name for name, part in fields if part.is_required() or not required]


def _is_blank(value: type_json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _missing(path: str) -> Issue:
    name = path.removeprefix("/") or "list"
    return Issue("E_PARAM_MISSING", path, f"The parameter {name} is missing or empty.")


def _issue(action: Action, problem: ErrorDetails, params: type_json) -> Issue:
    path, value = _locate(problem["loc"], params)
    name = path.removeprefix("/")
    if problem["type"] == "extra_forbidden":
        known = sorted(action.params_schema["properties"])
        message = f"{action.name} has no parameter {name}. It takes: {', '.join(known)}."
        return Issue("E_PARAM_UNKNOWN", path, message, fix=_rename(action, path, params))
    if problem["type"] == "missing" or _is_blank(value):
        return _missing(path)
    expected = _expected(problem)
    got = _kind(value) if problem["type"].endswith("_type") else to_json(value).decode()[:60]
    message = f"The parameter {name or 'list'} must be {expected}; it is {got}."
    if problem["type"] == "value_error":  # the sentence of our own validator
        message = f"The parameter{f' {name}' if name else 's'} {problem['ctx']['error']}"
    fix = _retype(problem["type"], path, value)
    return Issue("E_PARAM_TYPE", path, message, expected=expected, got=got, fix=fix)


def _locate(loc: tuple[int | str, ...], params: type_json) -> tuple[str, type_json]:
    """Follow a pydantic location through the data; its union tags are no part of the path."""
    path, value = "", params
    for part in loc:
        if isinstance(value, dict):
            escaped = str(part).replace("~", "~0").replace("/", "~1")  # RFC 6901
            path, value = f"{path}/{escaped}", value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            path, value = f"{path}/{part}", value[part]
    return path, value


def _expected(problem: ErrorDetails) -> str:
    words = {"list": "a list", "string": "text", "int": "a whole number", "float": "a number"}
    words |= {"bool": "true or false", "dict": "an object", "date": "a date like 2026-11-21"}
    kind = problem["type"].split("_")[0]
    if problem["type"].endswith(("_type", "_parsing", "_from_date")) and kind in words:
        return words[kind]
    if problem["type"] == "too_short":
        return "given, not empty"
    if "max_length" in problem.get("ctx", {}):
        return f"at most {problem['ctx']['max_length']} long"
    return re.sub(r"^.* should (be|match) ", "", problem["msg"])


def _kind(value: type_json) -> str:
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


def _retype(problem: str, path: str, value: type_json) -> list[dict[str, Any]] | None:
    """Offer the value in the wanted type where that loses nothing."""
    wanted: type_json = None
    if problem == "list_type" and isinstance(value, str):
        wanted = [value]
    elif problem == "string_type" and isinstance(value, int | float):
        wanted = to_json(value).decode()
    elif problem in {"int_type", "float_type"} and isinstance(value, str):
        wanted = int(value) if value.strip().lstrip("-").isdecimal() else None
    return None if wanted is None else [{"op": "replace", "path": path, "value": wanted}]


def _rename(action: Action, path: str, params: type_json) -> list[dict[str, Any]]:
    """Move an unknown top-level parameter to the one it surely means, or drop it."""
    plain = {_plain(name): name for name in action.params_schema["properties"]}
    meant = plain.get(_plain(path.removeprefix("/")))
    if meant is None:
        near = get_close_matches(_plain(path.removeprefix("/")), plain, 1, 0.8)
        meant = plain[near[0]] if near else None
    if meant is None or meant in params:
        return [{"op": "remove", "path": path}]
    return [{"op": "move", "from": path, "path": f"/{meant}"}]


def _plain(name: str) -> str:
    return re.sub(r"^is|[^a-z0-9]", "", name.lower())


def _as_text(value: type_json) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(map(_as_text, value)) if isinstance(value, list) else to_json(value).decode()


def _check_declaration(name: str, doc: str | None, success: str, known: set[str]) -> None:
    if not doc:
        raise ValueError(f"{name} has no docstring.")
    used = {part for _, part, _, _ in Formatter().parse(success) if part is not None}
    if used - known:
        raise ValueError(f"{name}: success names unknown fields {sorted(used - known)}.")
