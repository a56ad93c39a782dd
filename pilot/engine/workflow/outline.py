"""The steps of a document that may still be wrong: where each stands, and what stands around it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pilot.engine import steps

MAX_NESTING = 6
ON_ERROR = "on_error"  # segment of the steps that run after a failure
ON_TIMEOUT = "on_timeout"  # of those that run when nothing came in time
UNDO = "undo"  # of what undoes a finished step
AFTER = (ON_ERROR, ON_TIMEOUT)


@dataclass(eq=False)
class Node:
    """One step as it is written."""

    step: dict[str, Any]
    path: str  # JSON Pointer
    parent: "Node | None"
    segment: str  # list of the parent that it stands in: then, else, case0 .., on_error, on_timeout
    depth: int  # 1 at the top
    siblings: "list[Node]" = field(repr=False)
    id: str = field(init=False)  # an empty text where there is none
    type: str = field(init=False)  # an empty text where there is none that exists

    def __post_init__(self) -> None:
        """Read what every check asks for."""
        name, kind = self.step.get("id"), self.step.get("type")
        self.id = name if isinstance(name, str) else ""
        self.type = kind if isinstance(kind, str) and kind in steps.names() else ""

    @property
    def name(self) -> str:
        """What people call it: its name, or its id where it has none."""
        name = self.step.get("name")
        return name if isinstance(name, str) and name else self.id

    @property
    def containers(self) -> "Iterator[Node]":
        """The steps around this one, the innermost first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


def outline(document: Any) -> list[Node]:
    """Return every step that is an object, in the order of the document, outer before inner.

    Steps nested deeper than one level beyond the limit are left out.
    """
    found: list[Node] = []
    if isinstance(document, dict):
        _add(document.get("steps"), "/steps", None, "", found)
    return found


def entries(body: Any, depth: int = 1) -> int:
    """Return how many entries the lists of steps have, whether they are steps or not."""
    if not isinstance(body, list) or depth > MAX_NESTING + 1:
        return 0
    objects = (step for step in body if isinstance(step, dict))
    inner = (entries(found, depth + 1) for step in objects for _, _, found in bodies(step))
    return len(body) + sum(inner)


def documents(document: Any) -> Iterator[Any]:
    """Yield a document and every one that stands whole within one of its steps."""
    yield document
    for node in outline(document):
        if node.type == "sub_workflow" and isinstance(node.step.get("steps"), list):
            yield from documents({"steps": node.step["steps"]})


def recorded_path(node: Node) -> str:
    """Return the path under which the engine records a step."""
    if node.parent is None:
        return node.id
    branch = f"{node.segment}/" if node.segment in AFTER else ""
    return f"{recorded_path(node.parent)}/{branch}{node.id}"


def bodies(step: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield segment, JSON Pointer within the step, and value of each list of inner steps."""
    kind = step.get("type")
    if isinstance(kind, str) and kind in steps.names():
        for segment, pattern in getattr(steps.load(kind), "BODIES", {}).items():
            yield from _matches(step, segment, pattern)
    for segment in AFTER:
        answer = step.get(segment)
        if isinstance(answer, dict) and "branch" in answer:
            yield segment, f"/{segment}/branch", answer["branch"]


def _matches(value: Any, segment: str, pattern: str) -> Iterator[tuple[str, str, Any]]:
    """Follow a pattern like /cases/{}/steps, where {} is each index of a list or key of an object.

    What matches it takes the place of the braces in the segment as well.
    """
    for names, found in _followed(value, pattern.split("/")[1:]):
        yield segment.format(*names), pattern.format(*names), found


def _followed(value: Any, keys: list[str]) -> Iterator[tuple[list[str], Any]]:
    if not keys:
        yield [], value
    elif keys[0] == "{}":
        inner = enumerate(value) if isinstance(value, list) else ()
        for name, one in value.items() if isinstance(value, dict) else inner:
            for names, found in _followed(one, keys[1:]):
                yield [str(name), *names], found
    elif isinstance(value, dict) and keys[0] in value:
        yield from _followed(value[keys[0]], keys[1:])


def _add(body: Any, path: str, parent: Node | None, segment: str, found: list[Node]) -> None:
    depth = parent.depth + 1 if parent else 1
    if not isinstance(body, list) or depth > MAX_NESTING + 1:
        return
    siblings: list[Node] = []
    for number, step in enumerate(body):
        if not isinstance(step, dict):
            continue
        node = Node(step, f"{path}/{number}", parent, segment, depth, siblings)
        siblings.append(node)
        found.append(node)
        for inner_segment, inner_path, inner in bodies(step):
            _add(inner, node.path + inner_path, node, inner_segment, found)
