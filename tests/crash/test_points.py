"""Every commit point that an execution passes on a worker is in the matrix of kills."""

import ast
import re
from pathlib import Path

import pytest

from pilot import engine

ROOMS = ("running", "worker", "life", "acting")
NAMING = {"checkpoint", "transaction", "failpoint"}
SIDE = re.compile(r"(\.(before|after|before_commit|after_commit))?(:\S*)?$")
# One transaction each, pressed by a person or a chore: it is committed or it is not. The tests
# named here show what follows when the process dies beside it.
BULK = ("begin", "act", "between_items", "skip", "put_off", "finish")
BESIDE = {f"bulk.{name}": "engine/life/test_bulk.py" for name in BULK} | {
    "replay.begin": "engine/life/test_replays.py",
    "restore.settle": "services/test_backup.py",
    "restore.record": "services/test_backup.py",
}


def _texts(folder):
    for path in sorted(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def _points():
    """Return the names of the commit points in the rooms that run executions."""
    rooms = Path(engine.__file__).parent
    files = [file for room in ROOMS for file in (rooms / room).glob("*.py")]
    found = set()
    for _, node in _texts(files):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        name = node.args[0]
        if called in NAMING and isinstance(name, ast.Constant) and isinstance(name.value, str):
            found.add(SIDE.sub("", name.value))
    return found


def _killed():
    """Return the names that stand in the trials."""
    words = set()
    for path, node in _texts(Path(__file__).parent.glob("*.py")):
        if path != Path(__file__) and isinstance(node, ast.Constant):
            words |= {SIDE.sub("", word) for word in str(node.value).split()}
    return words


def test_every_named_commit_point_is_covered():
    points, killed = _points(), _killed()
    assert len(points) > 20
    assert points - killed == set(BESIDE)


@pytest.mark.parametrize("test", sorted(set(BESIDE.values())))
def test_what_stands_beside_the_matrix_is_tested(test):
    assert (Path(__file__).parents[1] / test).is_file()
