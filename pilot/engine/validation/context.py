"""What the checks of one document share: its steps, their actions, what they read and give."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pilot.engine.language import pointers
from pilot.engine.language.catalogue import Action, Catalogue
from pilot.engine.language.step_fields import Kind
from pilot.engine.validation import schemas
from pilot.engine.validation.schemas import Schema
from pilot.engine.workflow import fields, graph
from pilot.engine.workflow.faults import Read
from pilot.engine.workflow.fields import Compilation, Written
from pilot.engine.workflow.outline import Node, outline
from pilot.errors import Issue, PluginError


@dataclass(frozen=True)
class Use:
    """One text of a step with what compiling it gave; of the document's output, without a node."""

    node: Node | None
    path: str  # JSON Pointer in the document
    written: Written
    compiled: Compilation

    @cached_property
    def texts(self) -> list[tuple[str, str]]:
        """The texts in the value, each with its place in it."""
        return list(pointers.texts(self.written.value))


@dataclass
class Context:
    """One document under check."""

    document: dict[str, Any]
    catalogue: Catalogue
    outputs: dict[int, Any] = field(default_factory=dict)  # schemas by node, see `outputs`
    _needs: dict[int, dict[str, frozenset[str]]] = field(default_factory=dict)
    _effects: dict[int, bool] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> list[Node]:
        """All steps, outer before inner."""
        return outline(self.document)

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """The first step of each id."""
        return {node.id: node for node in reversed(self.nodes) if node.id}

    @cached_property
    def place(self) -> dict[int, int]:
        """Where each step stands in the order of the document."""
        return {id(node): number for number, node in enumerate(self.nodes)}

    @cached_property
    def inputs(self) -> Schema:
        """The schema of the inputs: no other names than the declared ones, unless it says so."""
        written = self.document.get("inputs")
        if written and not schemas.declared(written):
            return schemas.ANY
        bounds = {"additionalProperties": False, "properties": {}}
        return {**bounds, **(written or {}), "type": "object"}

    @cached_property
    def uses(self) -> list[Use]:
        """Every text that holds expressions, in the order of the document."""
        found = [
            Use(node, node.path + one.path, one, fields.compiled(one))
            for node in self.nodes
            for one in fields.written(node.step)
        ]
        for path, text in pointers.texts(self.document.get("output"), "/output"):
            if "{{" in text:
                one = Written(path, Kind.TEMPLATE, text)
                found.append(Use(None, path, one, fields.compiled(one)))
        return found

    @cached_property
    def is_readable(self) -> bool:
        """Whether every expression compiled, so that all that is read is known."""
        return not any(use.compiled.failed for use in self.uses)

    @cached_property
    def uses_of(self) -> dict[int, list[Use]]:
        """The texts of each step."""
        found: dict[int, list[Use]] = {id(node): [] for node in self.nodes}
        for use in self.uses:
            if use.node is not None:
                found[id(use.node)].append(use)
        return found

    @cached_property
    def readers(self) -> dict[str, list[Use]]:
        """By id of a step, the texts that read its result."""
        found: dict[str, list[Use]] = {}
        for use in self.uses:
            for name in dict.fromkeys(fields.step_ids(use.compiled.reads)):
                found.setdefault(name, []).append(use)
        return found

    def reads(self, node: Node) -> frozenset[Read]:
        """Return the paths that a step itself reads, without its inner steps."""
        return self._reads[id(node)]

    @cached_property
    def _reads(self) -> dict[int, frozenset[Read]]:
        nothing = frozenset[Read]()
        uses = self.uses_of.items()
        return {key: nothing.union(*(use.compiled.reads for use in found)) for key, found in uses}

    @cached_property
    def all_reads(self) -> dict[int, frozenset[Read]]:
        """The paths that each step reads, those of its inner steps included."""
        found = dict(self._reads)
        for node in reversed(self.nodes):  # inner before outer
            if node.parent is not None:
                found[id(node.parent)] |= found[id(node)]
        return found

    def needs(self, node: Node) -> dict[str, frozenset[str]]:
        """Return what each step of the node's list waits for."""
        key = id(node.siblings)
        if key not in self._needs:
            named = [one for one in node.siblings if one.id]
            reads = [self.all_reads[id(one)] for one in named]
            self._needs[key] = graph.of_steps([one.step for one in named], reads)
        return self._needs[key]

    def action(self, node: Node) -> Action | None:
        """Return the action that a step calls, if it exists."""
        if node.type != "action":
            return None
        return self.catalogue.actions.get(f"{node.step.get('plugin')}.{node.step.get('action')}")

    def has_effect(self, node: Node) -> bool:
        """Say whether the step itself changes something outside."""
        if id(node) not in self._effects:
            self._effects[id(node)] = self._acts(node)
        return self._effects[id(node)]

    def _acts(self, node: Node) -> bool:
        if node.type == "llm_decision":
            listed = node.step.get("actions")
            names = listed if isinstance(listed, list) else []
            found = (self.catalogue.actions.get(name) for name in names if isinstance(name, str))
            return any(action.effect != "pure" for action in found if action)
        action = self.action(node)
        return action is not None and effect_of(action, node.step.get("params")) != "pure"

    def within(self, node: Node) -> Iterator[Node]:
        """Yield all steps inside a step."""
        return (one for one in self.nodes if node in one.containers)

    def is_effectful(self, node: Node) -> bool:
        """Say whether the step, or one inside it, changes something outside."""
        return id(node) in self._effectful

    @cached_property
    def _effectful(self) -> set[int]:
        acting = [node for node in self.nodes if self.has_effect(node)]
        return {id(one) for node in acting for one in (node, *node.containers)}


def moved(issue: Issue, place: Callable[[str], str]) -> Issue:
    """Return an issue with another place for each of its paths, those of its fix included."""
    fix = None
    if issue.fix is not None:
        keys = ("path", "from")
        fix = [{k: place(v) if k in keys else v for k, v in one.items()} for one in issue.fix]
    return replace(issue, path=place(issue.path), fix=fix)


def effect_of(action: Action, params: Any) -> str:
    """Return the effect class with these params, or the strictest where they cannot tell."""
    if action.choose_effect is None:
        return action.effect
    try:
        return action.effect_of(params)
    except PluginError:
        return action.effect
