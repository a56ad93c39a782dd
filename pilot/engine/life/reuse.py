"""Which recorded results still hold when an execution runs with other inputs or steps.

A step is reused if its definition, what it reads besides other steps, and the results of all that
it depends on are as they were: so exactly what follows from a change runs. The clock is no change:
a reused step read it when it ran.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pilot import strictjson
from pilot.engine.language.step_fields import MODEL_STEPS
from pilot.engine.status import StepStatus
from pilot.engine.workflow import fields, following, graph
from pilot.engine.workflow.faults import Read
from pilot.engine.workflow.outline import AFTER, Node, bodies, outline, recorded_path

DONE = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED})
REPEATING = frozenset({"loop", "scatter_gather"})
UNREAD = ("name", "metadata", "cache")  # fields that change nothing
# Fields of containers that the steps inside them do not depend on.
AROUND = (
    *("dependencies", "on_error", "retry", "timeout_s", "output", "gather", "failure"),
    *("max_concurrency", "branches", "join", "rest", "item_key", "then", "else"),
    *("cases", "default"),  # but see `_chosen_alike`
)
ABSENT = "absent"  # no JSON


@dataclass(frozen=True)
class Side:
    """What an execution runs on."""

    document: dict[str, Any]
    roots: dict[str, Any]  # what steps read besides steps: inputs, execution
    zone: str = "UTC"
    models: Sequence[str] = ()  # that its settings choose


@dataclass(frozen=True)
class _Facts:
    """What is known of a step of the new document, wherever it runs."""

    before: Node | None  # the step at the same place of the old one
    within: list[Node]
    reads: frozenset[Read]  # by it and what is within
    alike: bool  # written as before, and asked of the same models


@dataclass
class _Level:
    """A list of steps: which of them hold, here and around."""

    prefix: str
    known: dict[str, bool] = field(default_factory=dict)  # by id


Items = Callable[[Side, Node], list[Any] | None]


@dataclass(frozen=True)
class Reuse:
    """What holds of the recorded paths."""

    held: frozenset[str]
    entered: frozenset[str]  # containers that hold in part: what they decided stands
    open: frozenset[str]  # steps that would go on as they are, with all inside


def reusable(
    old: Side, new: Side, newest: Mapping[str, str], items: Items = lambda _side, _node: None
) -> Reuse:
    """Return which results hold for the new side.

    `newest` gives the status of the newest attempt by path; `items` evaluates the items of a
    repeating step where its inputs alone decide them, or returns None: such a step keeps its
    unchanged rounds, any other one whose items may have changed runs again as a whole.
    """
    comparison = _Comparison(old, new, newest, items)
    if _zone(old) == _zone(new):
        top = [node for node in comparison.nodes.values() if node.parent is None]
        comparison.body(top, _Level(""))
    return Reuse(
        frozenset(comparison.found), frozenset(comparison.entered), frozenset(comparison.open)
    )


def _zone(side: Side) -> str:
    return str((side.document.get("defaults") or {}).get("zone") or side.zone)


class _Comparison:
    def __init__(self, old: Side, new: Side, newest: Mapping[str, str], items: Items) -> None:
        self.old, self.new, self.newest, self.items = old, new, newest, items
        self.before = {recorded_path(node): node for node in outline(old.document)}
        self.nodes = {recorded_path(node): node for node in outline(new.document)}
        self.found: set[str] = set()
        self.entered: set[str] = set()
        self.open: set[str] = set()
        self.facts: dict[Node, _Facts] = {}
        self.needs: dict[Node | None, graph.Dependencies] = {}
        self.alike: dict[Read, bool] = {}
        self.below: dict[str, list[str]] = {}
        self.rounds: dict[str, set[int]] = {}
        for path in newest:
            for around in following.around(path):
                self.below.setdefault(around, []).append(path)
                if around.endswith("]"):
                    outer, _, index = around[:-1].rpartition("[")
                    self.rounds.setdefault(outer, set()).add(int(index))

    def body(self, siblings: Sequence[Node], level: _Level) -> bool:
        """Keep what holds in a list of steps; returns whether all of it does."""
        needs = self._needs(siblings)
        by_id = {node.id: node for node in siblings}
        done: set[str] = set()
        while ready := graph.ready(needs, done):
            for one in ready:
                holds = all(level.known[needed] for needed in needs[one])
                self._step(by_id[one], level, holds=holds)
            done.update(ready)
        return all(level.known.get(one, False) for one in by_id)

    def _needs(self, siblings: Sequence[Node]) -> graph.Dependencies:
        """Return what waits for what in a list of steps; found once for all of its rounds."""
        first = siblings[0] if siblings else None
        if first not in self.needs:
            self.needs[first] = graph.dependencies([one.step for one in siblings if one.id])
        return self.needs[first]

    def _step(self, node: Node, level: _Level, *, holds: bool) -> None:
        path, facts = level.prefix + node.id, self._facts_of(node)
        whole = holds and facts.alike and self._reads_hold(facts.reads, level)
        if whole and self._has_ended(node, path):
            self.found.update(self.below[path])
            self._note(node, level, holds=True)
            return
        if whole:
            self.open.update(self.below.get(path, ()))
        self._note(node, level, holds=False)
        if facts.before is not None and facts.before.type == node.type:
            self._inside(facts.before, node, level)

    def _facts_of(self, node: Node) -> "_Facts":
        if node not in self.facts:
            before = self.before.get(recorded_path(node))
            within = [one for one in self.nodes.values() if node in one.containers]
            alike = before is not None and _written_alike(before, node)
            if any(one.type in MODEL_STEPS for one in (node, *within)):
                alike = alike and list(self.old.models) == list(self.new.models)
            self.facts[node] = _Facts(before, within, fields.reads(node.step), alike)
        return self.facts[node]

    def _note(self, node: Node, level: _Level, *, holds: bool) -> None:
        """Say of a step and all within it whether their results hold for others."""
        level.known[node.id] = holds
        for inner in self._facts_of(node).within:
            level.known[inner.id] = holds

    def _has_ended(self, node: Node, path: str) -> bool:
        status = self.newest.get(path)
        rule = node.step.get("on_error") or (self.new.document.get("defaults") or {}).get(
            "on_error"
        )
        goes_on = rule == "continue" or (isinstance(rule, dict) and "continue" in rule)
        return status in DONE or (status == StepStatus.FAILED and goes_on)

    def _reads_hold(self, reads: frozenset[Read], level: _Level) -> bool:
        """Whether what expressions read is as it was: inputs and the like, steps around."""
        if not all(level.known.get(one, True) for one in fields.step_ids(reads)):
            return False
        return all(self._is_alike(one) for one in reads)

    def _is_alike(self, read: Read) -> bool:
        if read not in self.alike:
            self.alike[read] = _value(self.old, read) == _value(self.new, read)
        return self.alike[read]

    def _inside(self, before: Node, node: Node, level: _Level) -> None:
        """Keep what holds inside a container that does not hold as a whole."""
        path = level.prefix + node.id
        lists = _lists(node, self.nodes)
        if path not in self.newest or not lists or not self._enters_alike(before, node, level):
            return
        own = {one.id for one in self._facts_of(node).within}
        known = {one: holds for one, holds in level.known.items() if one not in own}
        if node.type in REPEATING:
            self._rounds(before, node, level, lists["steps"], known)
            return
        kept = len(self.found)
        for segment, siblings in lists.items():
            if _chosen_alike(before, node, segment):
                self.body(siblings, _Level(f"{path}/", dict(known)))
        self.entered.update([path] if len(self.found) > kept else [])

    def _rounds(
        self,
        before: Node,
        node: Node,
        level: _Level,
        siblings: Sequence[Node],
        known: dict[str, bool],
    ) -> None:
        path, kept = level.prefix + node.id, len(self.found)
        alike = self._alike_items(before, node, level)
        chained = following.is_chained(node)
        for index in sorted(self.rounds.get(path, ())):
            if alike is not None and not alike(index):
                continue
            whole = self.body(siblings, _Level(f"{path}[{index}]/", dict(known)))
            if chained and not whole:
                break
        self.entered.update([path] if alike is None and len(self.found) > kept else [])

    def _enters_alike(self, before: Node, node: Node, level: _Level) -> bool:
        """Whether a container decides as it did; of repeating ones, but for their items."""
        kept = ("output",) if following.is_chained(node) else ()
        gone = (*UNREAD, *(one for one in AROUND if one not in kept))
        shells = [_shell(one.step, (*gone, "items")) for one in (before, node)]
        if _text(shells[0]) != _text(shells[1]):
            return False
        needs = self._needs(node.siblings)
        reads = fields.own_reads(shells[1])
        declared = set(node.step.get("dependencies") or ()) | set(fields.step_ids(reads))
        if not all(level.known.get(one, True) for one in declared & needs[node.id]):
            return False
        return self._reads_hold(reads, level)

    def _alike_items(self, before: Node, node: Node, level: _Level) -> Callable[[int], bool] | None:
        """Return what tells of a round whether its item is as it was; None: all of them are."""
        same = _text(before.step.get("items")) == _text(node.step.get("items"))
        reads = fields.own_reads({name: node.step.get(name) for name in ("type", "items")})
        if same and self._reads_hold(reads, level):
            return None
        was, now = self.items(self.old, before), self.items(self.new, node)
        inner = (one for child in self._facts_of(node).within for one in fields.reads(child.step))
        if was is None or now is None or any(one[0] == "loop" for one in inner):
            return lambda _index: False
        equal = [_text(one) == _text(other) for one, other in zip(was, now, strict=False)]
        return lambda index: index < len(equal) and equal[index]


def _chosen_alike(before: Node, node: Node, segment: str) -> bool:
    """Whether a switch that chose a list of steps would choose it still: by the cases until it."""
    if node.type != "switch":
        return True
    number = segment.removeprefix("case")
    last = int(number) + 1 if number.isdecimal() else None
    was, now = ([case.get("when") for case in one.step["cases"]][:last] for one in (before, node))
    return _text(was) == _text(now)


def _written_alike(before: Node, node: Node) -> bool:
    """Whether two steps are written alike, inner steps and their order included."""
    return _text(_bare(before.step)) == _text(_bare(node.step))


def _text(value: Any) -> str:
    return strictjson.canonical(value)


def _bare(step: dict[str, Any]) -> dict[str, Any]:
    bare = _shell(step, UNREAD)
    lists = [
        (segment, [_bare(one) for one in body if isinstance(one, dict)])
        for segment, _, body in bodies(step)
        if isinstance(body, list)
    ]
    return {"shell": bare, "lists": lists}


def _shell(step: dict[str, Any], without: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a step without those, and without the steps inside it."""
    shell = deepcopy({name: value for name, value in step.items() if name not in without})
    for _, pointer, _ in bodies(step):
        *keys, last = pointer.split("/")[1:]
        place: Any = shell
        for key in keys:
            place = place.get(key) if isinstance(place, dict) else place[int(key)]
            if place is None:
                break
        if isinstance(place, dict) and last in place:
            place[last] = None
    return shell


def _value(side: Side, read: Read) -> str:
    """Return what a path reads besides steps, as JSON; each execution has its own addresses."""
    if read[0] == "steps":
        keys: Sequence[str | int] = ("execution", "id") if read[2:3] == ("resume_url",) else ()
    else:
        keys = read if read[0] in side.roots else ()
    value: Any = side.roots if keys else None
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return _text(value)


def _lists(node: Node, nodes: Mapping[str, Node]) -> dict[str, list[Node]]:
    """Return the lists of steps inside a container by segment, without what answers failures."""
    found: dict[str, list[Node]] = {}
    for one in nodes.values():
        if one.parent is node and one.segment not in AFTER:
            found.setdefault(one.segment, []).append(one)
    return found
