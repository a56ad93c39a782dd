"""What a step type gives back to the runner, and what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pilot.egress import Egress
from pilot.engine import folders
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.recorded import Replay
from pilot.engine.expressions import Scope
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.providers.budgets import OnLimit
from pilot.engine.providers.model_catalogue import Chain
from pilot.llm.calls import Gate


@dataclass(frozen=True)
class Done:
    """The step is finished: its output, and remarks for the timeline."""

    output: Any
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Skip:
    """The step counts as skipped."""

    notes: list[str]


@dataclass(frozen=True)
class Enter:
    """The steps inside run next; `decided` is stored first, so that a resume takes the same way."""

    decided: dict[str, Any]


@dataclass(frozen=True)
class Wait:
    """The step leaves the worker until a moment, until people have decided or an event comes."""

    kind: str  # timer, approval, form, event or child
    wake_at: datetime | None = None
    delay_s: float | None = None
    approval: dict[str, Any] | None = None
    event: str | None = None  # its name
    asked: dict[str, Any] | None = None  # what it has to be: see `pilot.engine.waits.events`


Outcome = Done | Skip | Enter | Wait


@dataclass(frozen=True)
class Awaited:
    """What a step of a simulated execution waits for: when it comes, and as what."""

    at: datetime
    resolution: dict[str, Any]


@dataclass(frozen=True)
class Simulated:
    """What a simulated execution was told, and what it waits for."""

    ways: dict[str, str]  # branch by step, or on_error, on_timeout
    awaited: dict[str, Awaited] = field(default_factory=dict)  # by path
    replay: Replay | None = None


@dataclass(frozen=True)
class Child:
    """What a step starts as an execution of its own: an agent at a version, or steps."""

    inputs: dict[str, Any]
    agent: str | None = None  # its id or exact name
    version: int | None = None
    document: dict[str, Any] | None = None
    detached: bool = False


class Children(Protocol):
    """Starts executions within executions; see `pilot.engine.life.children`."""

    def begin(self, context: "StepContext", asked: Child) -> UUID:
        """Start the execution of a step, or return the one that it started before."""

    def outcome(self, context: "StepContext") -> dict[str, Any]:
        """Return what it gave."""


@dataclass(frozen=True)
class Resources:
    """What a worker process lends to steps."""

    catalogue: Catalogue
    egress: Egress
    data: Path  # below it, each owner's private folder
    children: Children
    script: Path | None = None  # recorded answers that take the place of models
    url: str = ""  # where people reach Pilot

    def folder(self, owner_id: UUID) -> Path:
        """Return the private folder of an owner."""
        return folders.private(self.data, owner_id)


class StepContext(NamedTuple):
    """One attempt's surroundings: what it may read, and whose it is."""

    scope: Scope
    path: str
    owner_id: UUID
    execution: Mapping[str, Any]  # the claimed row's facts: agent_id, started_by, mode ...
    resources: Resources
    cache: dict[tuple[str, str], Any]  # compiled expressions of the document
    render_guarded: Callable[[str], list[dict[str, Any]]]
    gate: Callable[[Chain], Gate]  # through which this attempt's calls to models are booked
    demo: bool = False  # recorded answers take the place of models
    on_limit: OnLimit = "pause"  # what happens at the budget's limit
    html_steps: frozenset[str] = frozenset()  # whose rendered text is HTML already
    rerun: int = 0  # how often it was run again with a new key
    superseded: bool = False  # it runs again on request

    def compiled(self, step_id: str, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` compiles for a field of a step, once per document and process."""
        key = (step_id, name)
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]


class Work(Protocol):
    """What an attempt with I/O does: the module of a step type, or a part of such a step."""

    TIMEOUT_S: float

    def resolve(self, step: Any, context: StepContext) -> Any:
        """Return what will be sent, or `Done` if there is nothing to do."""

    def effect(self, step: Any, context: StepContext, given: Any) -> str:
        """Return the effect class."""

    def gives(self, step: Any, context: StepContext) -> dict[str, Any]:
        """Return the schema of its output."""

    def perform(
        self,
        step: Any,
        context: StepContext,
        attempt: Attempt,
        timeout_s: float,
        again: bool,  # noqa: FBT001
    ) -> Any:
        """Let it happen, in a thread; returns the output, or `Done` with remarks."""
