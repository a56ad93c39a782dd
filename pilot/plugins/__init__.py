"""The plugin protocol, and the registry that finds plugins by file name.

A plugin is one module or package of this folder with `plugin = Plugin(...)`; it knows no other.
"""

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, get_type_hints
from zoneinfo import ZoneInfo

from pydantic_core import to_json
from structlog.typing import FilteringBoundLogger

from pilot.egress import Egress
from pilot.errors import ErrorClass, Issue, NotFoundError, PluginError, type_json
from pilot.plugins._files import File, Files
from pilot.plugins._params import Model, properties, read

if TYPE_CHECKING:
    from pilot.egress.wire import Wire

__all__ = [
    "Account",
    "Action",
    "Block",
    "Call",
    "Category",
    "Confirm",
    "Credentials",
    "Effect",
    "File",
    "Files",
    "Limit",
    "Model",
    "Plugin",
    "Warn",
    "check_fields",
    "load",
    "names",
    "perform",
    "was_applied",
]


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


@dataclass(frozen=True)
class Credentials:
    """An account of the owner at a foreign place, opened for one call."""

    label: str
    fields: Any  # in the shape that the plugin's `Account` declares
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Account:
    """What a connection of a plugin holds, besides one secret."""

    kind: str  # mail, api_key, basic
    fields: type[Model]
    secret: str  # what people call the secret, e.g. Password
    check: Callable[["Call"], str]  # one harmless call; returns the account as the place names it


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
    credentials: Credentials | None = field(default=None, repr=False)  # None: what is local

    @property
    def files(self) -> Files:
        """The owner's stored files, by handle."""
        return Files(self.folder)

    def connect(self, host: str, port: int, ports: frozenset[int]) -> "Wire":
        """Return a connection that is not HTTP; `ports` are those of its protocol.

        Raises:
            StepError: refused (code `egress_blocked`), timeout, network; nothing was sent.
        """
        return self.http.connect(host, port, ports=ports, deadline=self.deadline)


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
    run: Perform = field(repr=False)
    was_applied: Probe | None = field(repr=False)
    choose_effect: Callable[[Any], Effect] | None = field(repr=False)
    connected_effect: Effect | None = None  # over a connection, where that is another
    choose_place: Callable[[Any], str] | None = field(default=None, repr=False)
    reaches: tuple[str, ...] | None = None  # the params that say whom; None: no param does

    @cached_property
    def params_schema(self) -> dict[str, Any]:
        """The JSON Schema of the params."""
        return self.params_model.model_json_schema(by_alias=True)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The JSON Schema of the output."""
        return self.output_model.model_json_schema(by_alias=True, mode="serialization")

    def check(self, params: type_json) -> list[Issue]:
        """Name every missing, unknown or mistyped parameter; paths start at the params."""
        return read(self.name, self.params_model, params)[1]

    def complete(self, params: type_json) -> dict[str, Any]:
        """Return the checked params with all defaults, as rules see them.

        Raises:
            PluginError: class input, when a parameter is missing, unknown or mistyped.
        """
        return _require(self, params).model_dump(mode="json", by_alias=True)

    def effect_of(self, params: type_json, *, connected: bool = False) -> Effect:
        """Return the effect class that the action has with these params.

        Raises:
            PluginError: class input, when a parameter is missing, unknown or mistyped.
        """
        if connected and self.connected_effect is not None:
            return self.connected_effect
        return self.choose_effect(_require(self, params)) if self.choose_effect else self.effect

    def place_of(self, params: type_json) -> str | None:
        """Return host and port of the foreign place that a call with these params goes to.

        Raises:
            PluginError: class input, when a parameter is missing, unknown or mistyped.
        """
        return self.choose_place(_require(self, params)) if self.choose_place else None

    def success_text(self, params: type_json, output: type_json) -> str:
        """Return the sentence for the timeline, e.g. "Sent to ann@example.com"."""
        values = {**self.complete(params), **output}
        return self.success.format_map({name: _as_text(values[name]) for name in values})


class Plugin:
    """A set of actions on one outside thing; the file's `plugin` is its only instance."""

    def __init__(
        self,
        *,
        name: str,
        version: str,
        title: str,
        category: Category,
        summary: str,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.title = title
        self.category = category
        self.summary = summary
        self.account = account  # None: it needs no connection and takes none
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
        connected_effect: Effect | None = None,
        place: Callable[[Any], str] | None = None,
        reaches: Iterable[str] | None = None,
    ) -> Callable[[Perform], Perform]:
        """Declare the decorated function an action; its annotations give params and output.

        `reaches` names the params with the addresses of those whom an effect reaches, none if it
        stays with the owner; without it, whoever is outside may be reached.

        Raises:
            ValueError: the declaration is incomplete, at load.
        """

        def declare(run: Perform) -> Perform:
            hints = get_type_hints(run)
            params_model, output_model = hints["params"], hints["return"]
            known = {*properties(params_model), *properties(output_model)}
            name = f"{self.name}.{run.__name__}"
            _check_declaration(name, run.__doc__, success, known)
            if Effect.PROBE in {effect, connected_effect} and was_applied is None:
                raise ValueError(f"{name} is declared probe and has no was_applied.")
            whom = None if reaches is None else tuple(reaches)
            if set(whom or ()) - set(properties(params_model)):
                raise ValueError(f"{name}: reaches names unknown params {whom}.")
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
                run=run,
                was_applied=was_applied,
                choose_effect=None if isinstance(effect, Effect) else effect,
                connected_effect=connected_effect,
                choose_place=place,
                reaches=whom,
            )
            return run

        return declare


def names() -> list[str]:
    """Return the names of all plugins, without loading any."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


@cache
def load(name: str) -> Plugin:
    """Return the plugin of that name; it is looked for and loaded at first use, once per process.

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


def check_fields(account: Account, fields: type_json) -> tuple[Model | None, list[Issue]]:
    """Return the fields of a connection in their shape, or what is wrong with them."""
    return read("The connection", account.fields, fields)


def _require(action: Action, params: type_json) -> Model:
    model, issues = read(action.name, action.params_model, params)
    if model is None:
        text = " ".join([f"{action.name}:", *(issue.message for issue in issues)])
        raise PluginError(ErrorClass.INPUT, text, sent=False)
    return model


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
