import os
import random
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise

import pytest

from pilot.views import graph_layout
from pilot.views.graph_layout import NODE_HEIGHT, layout
from tests.patience import LONG_S


def names(*texts):
    return [(text, text.title(), "transform") for text in texts]


@pytest.fixture(params=["library", "columns"])
def either(request, monkeypatch):
    """Lay out with the library, then as where it cannot be imported."""
    graph_layout._layout.cache_clear()
    if request.param == "columns":
        monkeypatch.setattr(graph_layout, "from_edges", None)
    yield
    graph_layout._layout.cache_clear()


def check(graph, size):
    """No node is lost, none overlap, every line leads to the right."""
    places = {node.id: node for node in graph.nodes}
    assert len(places) == size
    rows = defaultdict(list)
    for node in graph.nodes:
        assert node.x >= 0
        assert 0 <= node.y <= graph.height - NODE_HEIGHT
        rows[node.x].append(node.y)
    for found in rows.values():
        found.sort()
        assert all(b - a >= NODE_HEIGHT for a, b in pairwise(found))
    assert all(places[edge.source].x < places[edge.target].x for edge in graph.edges)


def random_graph(seed):
    chance = random.Random(seed)
    size = chance.randint(0, 40)
    edges = [
        (str(chance.randrange(size)), str(chance.randrange(size + 1)))
        for _ in range(chance.randint(0, size * 2))
        if size
    ]
    return names(*map(str, range(size))), edges


def test_2000_random_graphs_with_circles_end_the_process_well():
    code = (
        "from tests.views.test_graph_layout import check, layout, random_graph\n"
        "for seed in range(2000):\n"
        "    nodes, edges = random_graph(seed)\n"
        "    check(layout(nodes, edges), len(nodes))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=LONG_S
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.usefixtures("either")
def test_every_node_has_its_place_and_lines_lead_right():
    for seed in range(40):
        nodes, edges = random_graph(seed)
        check(layout(nodes, edges), len(nodes))


@pytest.mark.usefixtures("either")
def test_loops_circles_and_unknown_steps_are_left_out_and_named():
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "b"), ("a", "ghost")]
    graph = layout(names("a", "b", "c"), edges)
    assert [(edge.source, edge.target) for edge in graph.edges] == [("a", "b"), ("b", "c")]
    assert graph.dropped == (
        "b points to itself",
        "a to ghost names a step that is not there",
        "c to a closes a circle",
    )


@pytest.mark.usefixtures("either")
def test_parts_without_a_connection_stay_on_one_picture():
    graph = layout(names("a", "b", "alone"), [("a", "b")])
    check(graph, 3)
    assert graph.nodes[2].label == "Alone"


def test_a_long_line_bends_round_the_nodes_between():
    nodes = names("a", "b", "c")
    graph = layout(nodes, [("a", "b"), ("b", "c"), ("a", "c")])
    path = next(edge.path for edge in graph.edges if edge.target == "c" and edge.source == "a")
    assert path.count("C") == 2


def test_the_same_graph_has_the_same_picture_under_any_hash_seed():
    code = (
        "from tests.views.test_graph_layout import layout, random_graph\n"
        "print(layout(*random_graph(7)))"
    )
    pictures = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(pictures) == 1


def test_over_200_nodes_only_the_list_helps():
    graph = layout(names(*map(str, range(201))), [("0", "1")])
    assert not graph.nodes
    assert "201 steps" in graph.note


def test_a_thicket_is_thinned_to_the_lines_that_matter():
    size = 30
    ids = [str(number) for number in range(size)]
    edges = [(a, b) for a in ids for b in ids if int(a) < int(b)]
    graph = layout(names(*ids), edges)
    assert len(graph.edges) == size - 1
    assert "imply" in graph.note


def test_what_cannot_be_thinned_is_a_list():
    chain = [str(number) for number in range(80)]
    others = [f"x{number}" for number in range(40)]
    edges = list(pairwise(chain))
    edges += [pair for other in others for pair in ((chain[0], other), (other, chain[-1]))]
    graph = layout(names(*chain, *others), edges)
    assert not graph.nodes
    assert "Too many connections" in graph.note


def test_no_nodes_are_no_picture():
    assert layout([], [("a", "b")]).nodes == ()
