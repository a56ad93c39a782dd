"""Approvals that can be decided: enough people, and somebody left who may."""

from collections.abc import Iterator

from pilot.engine.outline import Node
from pilot.engine.validation.context import Context
from pilot.errors import Issue


def check(context: Context) -> Iterator[Issue]:
    """Yield E_APPROVERS."""
    for node in context.nodes:
        if node.type == "human_approval":
            yield from _approvers(node)


def _approvers(node: Node) -> Iterator[Issue]:
    listed = node.step.get("approvers")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        return  # the shape says it
    people = {one.lower() for one in listed}
    k = node.step.get("k")
    counted = not any(one.startswith("role:") for one in people)
    if counted and isinstance(k, int) and k > len(people):
        message = f"{k} approvals are wanted of {len(people)} people: add approvers or lower k."
        yield Issue(
            "E_APPROVERS", f"{node.path}/k", message, expected=f"at most {len(people)}", got=str(k)
        )
    if node.step.get("self_approval") is False and people == {"owner"}:
        message = (
            "Only the owner may approve, but with self_approval false who starts or wrote the "
            "workflow may not: name somebody else."
        )
        yield Issue("E_APPROVERS", f"{node.path}/approvers", message, got="owner")
