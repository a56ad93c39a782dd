"""The picture of a workflow: a node per step, branches between their container and what follows."""

from dataclasses import replace
from typing import Any

from pilot.engine.language import wording
from pilot.engine.workflow import graph
from pilot.engine.workflow.outline import Node, outline
from pilot.views.graph_layout import MOST_NODES, Graph, layout

DEPTH = 2  # lines from the chosen step to the last one that is drawn
Edges = list[tuple[str, str]]


def picture(document: Any, chosen: str = "") -> Graph:
    """Return the placed graph of a document (JSON value), which may still be wrong.

    Of too many steps only those around the chosen one are drawn; without one, those at the top.
    """
    nodes = [node for node in outline(document) if node.id]
    bodies: dict[int, list[Node]] = {}
    for node in nodes:
        bodies.setdefault(id(node.siblings), []).append(node)
    edges = [edge for body in bodies.values() for edge in _edges(body, nodes)]
    if len(nodes) <= MOST_NODES:
        return _placed(nodes, edges)
    if any(node.id == chosen for node in nodes):
        return _around(nodes, edges, chosen)
    return _folded(nodes, edges)


def _placed(nodes: list[Node], edges: Edges) -> Graph:
    return layout([(node.id, node.name, wording.kind(node.step)) for node in nodes], edges)


def _around(nodes: list[Node], edges: Edges, chosen: str) -> Graph:
    """Return the picture of the steps that few lines lead to from a step, either way."""
    near = {chosen}
    for _ in range(DEPTH):
        near |= {one for edge in edges if near & set(edge) for one in edge}
    drawn = [node for node in nodes if node.id in near]
    found = _placed(drawn, [edge for edge in edges if near.issuperset(edge)])
    if not found.nodes:
        return found
    note = f"{len(drawn)} of {len(nodes)} steps: what stands around {chosen}. Choose another step."
    return replace(found, note=note)


def _folded(nodes: list[Node], edges: Edges) -> Graph:
    """Return the picture of the steps at the top, each with what is inside it."""
    top = {node.id: _top(node) for node in nodes}
    lines = dict.fromkeys((top[a], top[b]) for a, b in edges if top[a] != top[b])
    found = _placed([node for node in nodes if node.parent is None], list(lines))
    how = "choose a step in the list to see what stands around it."
    if not found.nodes:
        return replace(found, note=f"{len(nodes)} steps are too many for a picture: {how}")
    note = f"{len(found.nodes)} of {len(nodes)} steps, the others are inside them: {how}"
    return replace(found, note=note)


def _top(node: Node) -> str:
    while node.parent is not None:
        node = node.parent
    return node.id


def _edges(body: list[Node], nodes: list[Node]) -> list[tuple[str, str]]:
    """Return the lines into the steps of one list."""
    needs = graph.dependencies([node.step for node in body])
    known = {node.id: node for node in body}
    found: list[tuple[str, str]] = []
    for node in body:
        before = [known[name] for name in needs.get(node.id, ()) if name in known]
        found += [(end, node.id) for one in before for end in _ends(one, nodes)]
        if not before and node.parent is not None:
            found.append((node.parent.id, node.id))
    return found


def _ends(node: Node, nodes: list[Node]) -> list[str]:
    """Return where the way out of a step begins: at the last steps of its branches, or itself."""
    inner = [one for one in nodes if one.parent is node]
    if not inner:
        return [node.id]
    ends: list[str] = []
    for segment in dict.fromkeys(one.segment for one in inner):
        branch = [one for one in inner if one.segment == segment]
        needs = graph.dependencies([one.step for one in branch])
        needed = {name for names in needs.values() for name in names}
        ends += [end for one in branch if one.id not in needed for end in _ends(one, nodes)]
    return ends if len({one.segment for one in inner}) > 1 else [node.id, *ends]
