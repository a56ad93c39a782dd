"""Workflows that stand whole within a step: checked as documents of their own."""

from collections.abc import Callable, Iterator
from typing import Any

from pilot.engine import steps
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.validation import required_approvals
from pilot.engine.validation.context import Context, moved
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

Validate = Callable[[Any, Catalogue], list[Issue]]
MAX_DEPTH = 10  # of executions too


def check(context: Context, validate: Validate, depth: int) -> Iterator[Issue]:
    """Yield every issue of the steps of each sub_workflow, at its place in the whole document."""
    for node in context.nodes:
        if node.type != "sub_workflow" or not isinstance(node.step.get("steps"), list):
            continue
        if depth >= MAX_DEPTH:
            message = f"Workflows within workflows are {MAX_DEPTH} deep at most."
            yield Issue("E_RECURSION", node.path, message, expected=str(MAX_DEPTH))
            continue
        document = {"inputs": _given(node)} | steps.load("sub_workflow").document(node.step)
        for issue in validate(document, required_approvals.within(context, node)):
            yield moved(issue, lambda path: _place(node, path))  # noqa: B023 -- called at once


def _given(node: Node) -> dict[str, Any]:
    """Return the schema of what the steps are given, where none is written: each by its name."""
    given = node.step.get("inputs", {})
    if not isinstance(given, dict):  # an expression: nobody knows which names it has
        return {"type": "object", "additionalProperties": True}
    return {"type": "object", "properties": {name: {} for name in given}}


def _place(node: Node, path: str) -> str:
    """Return where a place of the inner document stands in the outer one."""
    if path.startswith("/inputs"):
        return f"{node.path}/inputs_schema{path.removeprefix('/inputs')}"
    return node.path + path
