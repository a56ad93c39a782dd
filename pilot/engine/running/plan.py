"""A document made ready to run: what is found out of it once, for all executions of its version."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pilot.engine.language.step_fields import StepFields
from pilot.engine.transforms import compile_operations
from pilot.engine.workflow import fields, graph
from pilot.engine.workflow.document import Workflow, bodies, walk


@dataclass(frozen=True)
class Plan:
    """A document made ready to run; shared by all executions of its version."""

    workflow: Workflow
    cache: dict[tuple[str, str], Any] = field(default_factory=dict)  # compiled expressions

    def compiled(self, step_id: str, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` compiles for a field of a step, once per document and process."""
        key = (step_id, name)
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def dependencies(self, body: Sequence[StepFields]) -> dict[str, frozenset[str]]:
        """Return what each step of a list waits for."""
        key = ("needs", body[0].id) if body else ("needs", "")
        if key not in self.cache:
            self.cache[key] = graph.dependencies(body)
        found: dict[str, frozenset[str]] = self.cache[key]
        return found

    def reads(self, step: StepFields) -> frozenset[str]:
        """Return the ids of the steps whose results a step may look at."""
        key = ("reads", step.id)
        if key not in self.cache:
            written = step.model_dump(by_alias=True)
            found = frozenset(fields.step_ids(fields.reads(written)))
            if step.type == "human_approval":  # it shows what the actions behind it would do
                found |= self.dependencies(self.body_of(step.id))[step.id]
            self.cache[key] = found
        read: frozenset[str] = self.cache[key]
        return read

    def reads_cost(self, step: StepFields) -> bool:
        """Whether a step, or one inside it, looks at what the execution has cost.

        Approvals show it.
        """
        key = ("cost", step.id)
        if key not in self.cache:
            read = fields.reads(step.model_dump(by_alias=True))
            self.cache[key] = step.type == "human_approval" or fields.read_cost(read)
        found: bool = self.cache[key]
        return found

    def html_steps(self) -> frozenset[str]:
        """Return the ids of transforms that render HTML."""
        key = ("html", "")
        if key not in self.cache:
            self.cache[key] = frozenset(
                step.id
                for step in walk(self.workflow.steps)
                if hasattr(step, "pipeline") and compile_operations(step.pipeline()).writes_html
            )
        found: frozenset[str] = self.cache[key]
        return found

    def step(self, step_id: str) -> StepFields | None:
        """Return a step by its id, nested ones too."""
        key = ("steps", "")
        if key not in self.cache:
            self.cache[key] = {step.id: step for step in walk(self.workflow.steps)}
        found: StepFields | None = self.cache[key].get(step_id)
        return found

    def body_of(self, step_id: str) -> Sequence[StepFields]:
        """Return the list of steps that a step stands in."""
        key = ("bodies", "")
        if key not in self.cache:
            lists = [self.workflow.steps]
            lists += [inner for step in walk(self.workflow.steps) for _, inner in bodies(step)]
            self.cache[key] = {step.id: body for body in lists for step in body}
        found: Sequence[StepFields] = self.cache[key][step_id]
        return found

    def approvals(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Return those of the recorded paths that are approvals, with their steps' ids."""
        key = ("approvals", "")
        if key not in self.cache:
            known = [step for step in walk(self.workflow.steps) if step.type == "human_approval"]
            self.cache[key] = frozenset(step.id for step in known)
        if not self.cache[key]:
            return []
        named = ((path, path.rsplit("/", 1)[-1]) for path in paths)
        return [(path, name) for path, name in named if name in self.cache[key]]
