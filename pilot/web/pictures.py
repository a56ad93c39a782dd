"""The picture of a workflow: a node per step, branches between their container and what follows."""

from typing import Any

from pilot.engine.language import wording
from pilot.engine.workflow import graph
from pilot.engine.workflow.outline import Node, outline
from pilot.views.graph_layout import Graph, layout


def picture(document: Any) -> Graph:
    """Return the placed graph of a document (JSON value), which may still be wrong."""
    nodes = [node for node in outline(document) if node.id]
    bodies: dict[int, list[Node]] = {}
    for node in nodes:
        bodies.setdefault(id(node.siblings), []).append(node)
    edges = [edge for body in bodies.values() for edge in _edges(body, nodes)]
    return layout([(node.id, _label(node), wording.kind(node.step)) for node in nodes], edges)


def _label(node: Node) -> str:
    name = node.step.get("name")
    return name if isinstance(name, str) and name else node.id


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
