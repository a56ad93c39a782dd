"""Where the nodes and edges of a workflow graph stand, left to right.

The layout library aborts the whole process on a self-loop, so nothing reaches it that our own
topological pass has not cleared.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from importlib import import_module
from typing import Any, cast


def _library() -> Callable[..., Any] | None:
    """Return the layout function; there is no wheel for musl and glibc < 2.34."""
    try:
        return cast("Callable[..., Any]", import_module("fast_sugiyama").from_edges)
    except ImportError:
        return None


from_edges = _library()

NODE_WIDTH, NODE_HEIGHT = 184.0, 56.0
COLUMN_GAP, ROW_GAP = 56.0, 24.0
COLUMN, ROW = NODE_WIDTH + COLUMN_GAP, NODE_HEIGHT + ROW_GAP
MARGIN = 8.0
MOST_NODES = 200
MOST_SPAN = 1_500

Node = tuple[str, str, str]
Edge = tuple[str, str]
Pair = tuple[int, int]
Spot = tuple[int, float]  # column, and the middle of the row in pixels


@dataclass(frozen=True)
class PlacedNode:
    """One box; x and y are its upper left corner."""

    id: str
    label: str
    kind: str
    x: float
    y: float
    width: float = NODE_WIDTH
    height: float = NODE_HEIGHT


@dataclass(frozen=True)
class PlacedEdge:
    """One line; `path` is the `d` of an SVG path."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Graph:
    """A drawn graph.

    `dropped` lists the edges left out; `note` says what the picture does not show. Without nodes
    but with a note, only the step list helps.
    """

    nodes: tuple[PlacedNode, ...] = ()
    edges: tuple[PlacedEdge, ...] = ()
    width: float = 0
    height: float = 0
    dropped: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class _Places:
    spots: dict[int, Spot]
    bends: dict[Pair, list[Spot]]  # where a line passes between other nodes


def layout(nodes: Iterable[Node], edges: Iterable[Edge]) -> Graph:
    """Place nodes `(id, label, kind)` in document order and edges `(from, to)`.

    Edges to themselves, to unknown ids or in a circle are left out and listed. Over 200 nodes, and
    where lines would cover everything, nothing is placed and the note says why.
    """
    return _layout(tuple(nodes), tuple(edges))


@lru_cache(maxsize=256)
def _layout(given: tuple[Node, ...], edges: tuple[Edge, ...]) -> Graph:
    unique: dict[str, Node] = {}
    for node in given:
        unique.setdefault(node[0], node)
    nodes = list(unique.values())
    pairs, dropped = _known_pairs({name: number for number, name in enumerate(unique)}, edges)
    order, pairs, circular = _acyclic(len(nodes), pairs)
    dropped += [f"{nodes[a][0]} to {nodes[b][0]} closes a circle" for a, b in circular]
    if len(nodes) > MOST_NODES:
        note = f"{len(nodes)} steps are too many for a picture; the list has them all."
        return Graph(dropped=tuple(dropped), note=note)
    columns, note = _columns(order, pairs), ""
    if _span(columns, pairs) > MOST_SPAN:
        pairs, note = _reduced(order, pairs), "Lines that other lines imply are left out."
    if _span(columns, pairs) > MOST_SPAN:
        note = "Too many connections for a picture; the list has them all."
        return Graph(dropped=tuple(dropped), note=note)
    if from_edges is None:
        places = _by_columns(order, columns)
    else:
        places = _by_library(order, pairs, from_edges)
    return _drawn(nodes, pairs, places, tuple(dropped), note)


def _known_pairs(numbers: dict[str, int], edges: Iterable[Edge]) -> tuple[list[Pair], list[str]]:
    pairs: dict[Pair, None] = {}
    dropped = []
    for source, target in edges:
        if source not in numbers or target not in numbers:
            dropped.append(f"{source} to {target} names a step that is not there")
        elif source == target:
            dropped.append(f"{source} points to itself")
        else:
            pairs[numbers[source], numbers[target]] = None
    return list(pairs), dropped


def _acyclic(size: int, pairs: list[Pair]) -> tuple[list[int], list[Pair], list[Pair]]:
    """Return a topological order, the pairs that fit it, and those that close circles."""
    targets = _targets(pairs)
    waiting = Counter(b for _, b in pairs)
    ready = [number for number in range(size) if not waiting[number]]
    order: list[int] = []
    place: dict[int, int] = {}
    left = dict.fromkeys(range(size))
    while left:
        # In a circle the first node of the document goes first; what leads back to it is dropped.
        node = heappop(ready) if ready else next(iter(left))
        if node not in left:
            continue
        del left[node]
        place[node] = len(order)
        order.append(node)
        for target in targets[node]:
            waiting[target] -= 1
            if not waiting[target]:
                heappush(ready, target)
    fitting = [(a, b) for a, b in pairs if place[a] < place[b]]
    return order, fitting, [(a, b) for a, b in pairs if place[a] > place[b]]


def _targets(pairs: list[Pair]) -> defaultdict[int, list[int]]:
    targets = defaultdict(list)
    for source, target in pairs:
        targets[source].append(target)
    return targets


def _columns(order: list[int], pairs: list[Pair]) -> dict[int, int]:
    """Return each node's column: the longest path that leads to it."""
    columns = dict.fromkeys(order, 0)
    targets = _targets(pairs)
    for node in order:
        for target in targets[node]:
            columns[target] = max(columns[target], columns[node] + 1)
    return columns


def _span(columns: dict[int, int], pairs: list[Pair]) -> int:
    return sum(columns[b] - columns[a] - 1 for a, b in pairs)


def _reduced(order: list[int], pairs: list[Pair]) -> list[Pair]:
    """Return the transitive reduction: no pair that a longer way implies."""
    place = {node: number for number, node in enumerate(order)}
    targets = _targets(pairs)
    reach: dict[int, int] = {}  # node -> bit set of what it leads to
    kept: list[Pair] = []
    for node in reversed(order):
        seen = 0
        for target in sorted(targets[node], key=place.__getitem__):
            if not seen >> target & 1:
                kept.append((node, target))
                seen |= 1 << target | reach[target]
        reach[node] = seen
    return kept


def _by_columns(order: list[int], columns: dict[int, int]) -> _Places:
    """Stack the nodes of each column in document order."""
    filled: Counter[int] = Counter()
    spots: dict[int, Spot] = {}
    for node in sorted(order):
        column = columns[node]
        spots[node] = (column, filled[column] * ROW)
        filled[column] += 1
    return _Places(spots, {})


def _by_library(order: list[int], pairs: list[Pair], place: Callable[..., Any]) -> _Places:
    """Let the library place the nodes, all hanging on one start node: one component."""
    if not order:
        return _Places({}, {})
    start = len(order)
    with_source = {b for _, b in pairs}
    roots = [(start, node) for node in sorted(order) if node not in with_source]
    ((positions, _, _, drawn),) = place(
        roots + pairs, vertex_spacing=ROW, dummy_vertices=True, check_layout=False
    )
    places = dict(positions)
    first = places[start][1]
    spots = {node: (round((first - y) / ROW) - 1, x) for node, (x, y) in places.items()}
    following = _targets([pair for pair in drawn if max(pair) > start])
    return _Places(
        {node: spots[node] for node in order},
        {pair: [spots[bend] for bend in _bends(pair, following, start)] for pair in pairs},
    )


def _bends(pair: Pair, following: dict[int, list[int]], start: int) -> list[int]:
    """Return the dummy nodes through which the library leads a long line."""
    source, target = pair
    for first in following.get(source, ()):
        chain = [first] if first > start else []
        while chain and chain[-1] > start:
            chain.append(following[chain[-1]][0])
        if chain and chain[-1] == target:
            return chain[:-1]
    return []


def _drawn(
    nodes: list[Node], pairs: list[Pair], places: _Places, dropped: tuple[str, ...], note: str
) -> Graph:
    shown = [*places.spots.values(), *(spot for line in places.bends.values() for spot in line)]
    if not shown:
        return Graph(dropped=dropped, note=note)
    top = min(row for _, row in shown) - NODE_HEIGHT / 2 - MARGIN
    left = min(column for column, _ in shown)

    def corner(spot: Spot) -> tuple[float, float]:
        return MARGIN + (spot[0] - left) * COLUMN, round(spot[1] - top, 1)

    placed = []
    for number, (name, label, kind) in enumerate(nodes):
        x, middle = corner(places.spots[number])
        placed.append(PlacedNode(name, label, kind, x, round(middle - NODE_HEIGHT / 2, 1)))
    lines = []
    for a, b in pairs:
        spots = [places.spots[a], *places.bends.get((a, b), ()), places.spots[b]]
        lines.append(PlacedEdge(nodes[a][0], nodes[b][0], _path([corner(s) for s in spots])))
    return Graph(
        tuple(placed),
        tuple(lines),
        width=(max(column for column, _ in shown) - left) * COLUMN + NODE_WIDTH + 2 * MARGIN,
        height=round(max(row for _, row in shown) - top + NODE_HEIGHT / 2 + MARGIN, 1),
        dropped=dropped,
        note=note,
    )


def _path(points: list[tuple[float, float]]) -> str:
    """Return Bezier curves from right side to left side; a bend is passed straight."""
    x, y = points[0][0] + NODE_WIDTH, points[0][1]
    parts = [f"M{x:g} {y:g}"]
    for number, (left, row) in enumerate(points[1:], 2):
        half = (x + left) / 2
        parts.append(f"C{half:g} {y:g} {half:g} {row:g} {left:g} {row:g}")
        x, y = left, row
        if number < len(points):
            x = left + NODE_WIDTH
            parts.append(f"H{x:g}")
    return "".join(parts)
