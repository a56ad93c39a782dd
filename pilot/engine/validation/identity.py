"""Ids and counts: every step has an id of its own, and there are not too many."""

import re
from collections.abc import Iterator
from typing import Any

from pilot.engine.language import pointers
from pilot.engine.language.step_fields import ID_PATTERN
from pilot.engine.validation.context import Context
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

_ID = re.compile(ID_PATTERN)
Patch = list[dict[str, Any]]


def check(context: Context, max_steps: int) -> Iterator[Issue]:
    """Yield E_STEP_COUNT, E_DUPLICATE_ID, E_BAD_ID, and E_SCHEMA for a missing id."""
    count = len(context.nodes)
    if count > max_steps:
        yield too_many(count, max_steps)
    taken = set(context.by_id)
    for number, node in enumerate(context.nodes, 1):
        found = node.step.get("id")
        if found is None:
            yield _missing(node, number, taken)
        elif isinstance(found, str) and not _ID.fullmatch(found):
            yield _bad(context, node, taken)
        elif isinstance(found, str) and context.by_id[found] is not node:
            yield _double(context, node, taken)


def too_many(count: int, max_steps: int) -> Issue:
    """Return E_STEP_COUNT."""
    message = f"The workflow has {count} steps; {max_steps} is the limit: split it."
    return Issue("E_STEP_COUNT", "/steps", message, expected=str(max_steps), got=str(count))


def _missing(node: Node, number: int, taken: set[str]) -> Issue:
    fix = [{"op": "add", "path": f"{node.path}/id", "value": free(f"step{number}", taken)}]
    return Issue(
        "E_SCHEMA", f"{node.path}/id", "A step needs an id: add it.", expected="id", fix=fix
    )


def _bad(context: Context, node: Node, taken: set[str]) -> Issue:
    """Replace the characters; references in dotted form cannot have read such an id."""
    message = (
        f"The id {node.id[:80]!r} is not allowed: letters, digits and _, no digit first, "
        "63 characters at most."
    )
    name = re.sub(r"[^A-Za-z0-9_]+", "_", node.id)[:60] or "step"
    name = free(f"_{name}" if name[0].isdigit() else name, taken)
    return Issue(
        "E_BAD_ID",
        f"{node.path}/id",
        message,
        expected="an id like read_tasks",
        got=node.id[:80],
        fix=_rename(context, node, name),
    )


def _double(context: Context, node: Node, taken: set[str]) -> Issue:
    """Number the later one, if nobody after it could mean either of the two."""
    first = context.by_id[node.id]
    message = f"The id {node.id} stands twice, first at {first.path}: give this step another."
    place = context.place[id(node)]
    readers = context.readers.get(node.id, [])
    later = any(use.node is None or context.place[id(use.node)] >= place for use in readers)
    declared = any(node.id in _listed(one) for one in context.nodes[place:])
    fix: Patch | None = None
    if not (later or declared):
        fix = [{"op": "replace", "path": f"{node.path}/id", "value": free(node.id, taken)}]
    return Issue("E_DUPLICATE_ID", f"{node.path}/id", message, got=node.id, fix=fix)


def _rename(context: Context, node: Node, name: str) -> Patch:
    fix: Patch = [{"op": "replace", "path": f"{node.path}/id", "value": name}]
    pattern = re.compile(
        rf"\bsteps(?:\.{re.escape(node.id)}(?![\w])|\[(['\"]){re.escape(node.id)}\1\])"
    )
    for path, text in pointers.texts(context.document):
        replaced = pattern.sub(f"steps.{name}", text)
        if replaced != text:
            fix.append({"op": "replace", "path": path, "value": replaced})
    for one in context.nodes:
        for key in ("dependencies", "guards"):
            listed = one.step.get(key)
            for number, other in enumerate(listed if isinstance(listed, list) else ()):
                if other == node.id:
                    path = f"{one.path}/{key}/{number}"
                    fix.append({"op": "replace", "path": path, "value": name})
    return fix


def free(name: str, taken: set[str]) -> str:
    """Return the name, numbered if it is taken, and take it."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name[:58]}_{number}"
    taken.add(found)
    return found


def _listed(node: Node) -> list[Any]:
    found = node.step.get("dependencies"), node.step.get("guards")
    return [one for listed in found if isinstance(listed, list) for one in listed]
