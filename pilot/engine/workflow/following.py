"""What runs again with a step: what follows from it, by the document and the recorded paths."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pilot.engine.workflow import fields, graph
from pilot.engine.workflow.outline import AFTER, Node, outline, recorded_path
from pilot.errors import ConflictError, NotFoundError

_ROUND = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class Following:
    """The recorded paths that a step takes along when it runs again."""

    again: frozenset[str]  # as if they had never run
    reopened: frozenset[str]  # the containers around it: they go on with what they decided


def following(document: Any, recorded: Iterable[str], path: str) -> Following:
    """Return what runs again with a recorded step: what depends on it, and what stands inside.

    A round of a loop takes the later rounds along if they may depend on it; a group that ends
    before all its branches do, all of itself. Approvals of what happens again are asked again.

    Raises:
        NotFoundError: the step has not run.
        ConflictError: it cannot run again by itself.
    """
    paths = frozenset(recorded)
    known = {recorded_path(node): node for node in outline(document)}
    node = written(known, path)
    if node is None or path not in paths:
        raise NotFoundError(f"No step {path} has run in this execution.")
    _refuse_answers(node, path)
    roots = _descendants(node, path) | {path}
    reopened: set[str] = set()
    while node.parent is not None:
        inside, path, node = path, next(containers(path)), node.parent
        roots |= _descendants(node, path)
        if node.step.get("join", "all") != "all":
            roots.add(path)
        reopened.add(path)
        roots |= {f"{path}/{segment}" for segment in AFTER} | _later(node, paths, path, inside)
    again = {one for one in paths if roots & set(around(one))}
    again |= asked_again(document, paths, again)
    return Following(frozenset(again), frozenset(reopened & paths - again))


def written(known: Mapping[str, Node], path: str) -> Node | None:
    """Return the step of the document that a path is recorded of."""
    return known.get(_ROUND.sub("", path))


def containers(path: str) -> Iterator[str]:
    """Yield the paths of the steps around a step, the innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        for segment in AFTER:
            path = path.removesuffix(f"/{segment}")
        path = path.rpartition("[")[0] if path.endswith("]") else path
        yield path


def _refuse_answers(node: Node, path: str) -> None:
    for one, around in zip(node.containers, containers(path), strict=False):
        if node.segment in AFTER:
            text = f"{path} answers what became of {around}: retry from {around}."
            raise ConflictError(text)
        node = one


def _descendants(node: Node, path: str) -> set[str]:
    """Return the paths of the steps in the same list that wait for a step."""
    needs = graph.dependencies([one.step for one in node.siblings if one.id])
    prefix = path.removesuffix(node.id)
    return {prefix + one for one in graph.descendants(needs, node.id)}


def _later(node: Node, paths: Iterable[str], container: str, inside: str) -> set[str]:
    """Return the rounds of a loop after the one that a step stands in, if they may depend on it."""
    if not is_chained(node):
        return set()
    start = len(container)
    begun = _ROUND.match(inside, start)
    first = int(begun[1]) if begun is not None else 0
    rounds = (_ROUND.match(one, start) for one in paths if one.startswith(f"{container}["))
    return {f"{container}[{one[1]}]" for one in rounds if one is not None and int(one[1]) > first}


def is_chained(node: Node) -> bool:
    """Whether a round of a step may depend on the round before it."""
    step = node.step
    if node.type != "loop":
        return False
    if step.get("while") is not None or step.get("break_if") is not None:
        return True
    reads = (one for one in fields.reads(step) if one[0] == "loop")
    return any(one[1:2] in ((), ("previous",)) for one in reads)


def around(path: str) -> Iterator[str]:
    """Yield a path, its rounds and all that stands around it."""
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
        if path.endswith("]"):
            path = path.rpartition("[")[0]
            yield path


def asked_again(document: Any, paths: frozenset[str], again: Iterable[str]) -> set[str]:
    """Return the approvals whose guarded actions happen again: nobody approved that."""
    known = {recorded_path(node): node for node in outline(document)}
    found = set()
    acting = [(one, node) for one in again if (node := written(known, one)) is not None]
    for path in paths:
        node = written(known, path)
        if node is None or node.type != "human_approval":
            continue
        guarded, scope = _guarded(node), path[: path.rfind("]") + 1]
        if any(one.id in guarded and where.startswith(scope) for where, one in acting):
            found.add(path)
    return found


def _guarded(approval: Node) -> set[str]:
    named = approval.step.get("guards")
    if isinstance(named, list):
        return {one for one in named if isinstance(one, str)}
    needs = graph.dependencies([one.step for one in approval.siblings if one.id])
    direct = {name for name, needed in needs.items() if approval.id in needed}
    return {one.id for one in approval.siblings if one.id in direct and one.type == "action"}
