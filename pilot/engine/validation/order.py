"""What stands before what: declared dependencies, guards, cycles, references to later steps."""

from collections.abc import Iterator
from typing import Any

from pilot.engine.language import spelling
from pilot.engine.validation import repeats
from pilot.engine.validation.context import Context, Use
from pilot.engine.workflow import fields, graph
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

Patch = list[dict[str, Any]]


def check(context: Context) -> Iterator[Issue]:
    """Yield E_BRANCH_TARGET, E_CYCLE and E_REF_FORWARD."""
    for node in context.nodes:
        yield from _targets(context, node)
    lists = {id(node.siblings): node for node in context.nodes}
    for first in lists.values():
        yield from _cycles(context, first)
    for use in context.uses:
        if use.node is not None:
            yield from _forward(context, use, use.node)


def _targets(context: Context, node: Node) -> Iterator[Issue]:
    declared = _texts(node.step.get("dependencies"))
    around: dict[str, None] = {}
    if declared:
        around = {one.id: None for one in node.siblings if one.id and one is not node}
    for number, name in declared:
        if name in around or name == node.id:
            continue
        path = f"{node.path}/dependencies/{number}"
        other = context.by_id.get(name)
        message = f"There is no step {name[:60]!r} in this list.{spelling.suggestion(name, around)}"
        if other is not None:
            message = (
                f"The step {name} stands in another list; dependencies name steps of the same. "
                "Name the step that contains it, or leave it out."
            )
        yield Issue(
            "E_BRANCH_TARGET", path, message, got=name[:60], fix=_named(path, name, [*around])
        )
    for number, name in _texts(node.step.get("guards")):
        if name not in context.by_id:
            path, known = f"{node.path}/guards/{number}", list(context.by_id)
            message = f"There is no step {name[:60]!r} to guard.{spelling.suggestion(name, known)}"
            fix = _named(path, name, known)
            yield Issue("E_BRANCH_TARGET", path, message, got=name[:60], fix=fix)


def _cycles(context: Context, first: Node) -> Iterator[Issue]:
    """Name one cycle of declared dependencies; references to later steps are named themselves."""
    ids: dict[str, Node] = {}
    needs: dict[str, frozenset[str]] = {}
    names = {node.id for node in first.siblings}
    for node in first.siblings:
        if node.id and node.id not in ids:
            declared = {one for _, one in _texts(node.step.get("dependencies")) if one in names}
            read = set(fields.step_ids(context.all_reads[id(node)])) & ids.keys()
            needs[node.id] = frozenset(declared | read)
            ids[node.id] = node
    found = graph.cycle(needs)
    if not found:
        return
    start = min(range(len(found)), key=lambda place: first.siblings.index(ids[found[place]]))
    ring = found[start:] + found[:start]
    node, following = ids[ring[0]], ring[1 % len(ring)]
    listed = node.step.get("dependencies")
    number = listed.index(following) if isinstance(listed, list) and following in listed else None
    path = f"{node.path}/dependencies" + ("" if number is None else f"/{number}")
    way = " -> ".join([*ring, ring[0]])
    message = f"These steps wait for each other: {way}. Take one of the dependencies out."
    fix = [{"op": "remove", "path": path}] if following == node.id and number is not None else None
    yield Issue("E_CYCLE", path, message, got=way, fix=fix)


def _forward(context: Context, use: Use, node: Node) -> Iterator[Issue]:
    for name in dict.fromkeys(fields.step_ids(use.compiled.reads)):
        other = context.by_id.get(name)
        if other is None or context.place[id(other)] < context.place[id(node)]:
            continue
        if node in other.containers and repeats.sees_inside(use):
            continue
        if other is node:
            message = f"The step {name} reads its own result, which does not exist yet."
        elif node in other.containers:
            message = f"The step {name} is inside this one and runs only after this is read."
        else:
            message = f"The step {name} comes later: move this step behind it."
        fix = _behind(context, node, other) or _before(context, node, other)
        yield Issue("E_REF_FORWARD", use.path, message, got=f"steps.{name}", fix=fix)


def _behind(context: Context, node: Node, other: Node) -> Patch | None:
    """Move the step behind the later one if both share a list and nothing between needs it."""
    body = node.siblings
    if other is node or other not in body or body.index(other) < body.index(node):
        return None
    between = body[body.index(node) + 1 : body.index(other) + 1]
    needs = context.needs(node)
    if any(node.id in needs.get(one.id, ()) for one in between):
        return None
    return [{"op": "move", "from": node.path, "path": other.path}]


def _before(context: Context, node: Node, other: Node) -> Patch | None:
    """Move the later step before this one if it needs none of those between."""
    body = node.siblings
    if other is node or other not in body or body.index(other) < body.index(node):
        return None
    late = {one.id for one in body[body.index(node) :]}
    if context.needs(node).get(other.id, frozenset()) & late:
        return None
    return [{"op": "move", "from": other.path, "path": node.path}]


def _texts(value: Any) -> list[tuple[int, str]]:
    listed = value if isinstance(value, list) else ()
    return [(number, one) for number, one in enumerate(listed) if isinstance(one, str)]


def _named(path: str, name: str, known: list[str]) -> Patch | None:
    sure = spelling.meant(name, known)
    return [{"op": "replace", "path": path, "value": sure}] if sure else None
