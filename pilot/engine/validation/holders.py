"""Fields that repeat or end a single attempt, on steps that only hold others, or rest."""

from collections.abc import Iterator

from pilot.engine import steps
from pilot.engine.validation.context import Context
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

INSTEAD = {
    "retry": "set retry on the steps inside, which are repeated one by one",
    "timeout_s": "set timeout_s on the steps inside, or deadline_s in policies for all together",
}


def check(context: Context) -> Iterator[Issue]:
    """Yield E_SCHEMA for each retry and timeout_s that would change nothing."""
    for node in context.nodes:
        for name, instead in INSTEAD.items():
            if node.step.get(name) is not None and _holds(node):
                message = f"A {node.type} makes no attempts itself: {instead}."
                yield Issue("E_SCHEMA", f"{node.path}/{name}", message, got=name)
        if node.type == "delay" and node.step.get("timeout_s") is not None:
            message = "A delay has an end of its own: shorten for_s, or set deadline_s in policies."
            yield Issue("E_SCHEMA", f"{node.path}/timeout_s", message, got="timeout_s")


def _holds(node: Node) -> bool:
    return node.type == "sub_workflow" or (
        bool(node.type) and hasattr(steps.load(node.type), "BODIES")
    )
