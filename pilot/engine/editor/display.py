"""The plain step list of a workflow: one sentence per step. It is derived, never stored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pilot.engine import steps
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.validation.context import Context
from pilot.engine.workflow.outline import ON_ERROR, ON_TIMEOUT, Node, outline
from pilot.errors import type_json


@dataclass(frozen=True)
class Line:
    """One step in words."""

    id: str
    path: str  # JSON Pointer in the document
    type: str
    name: str  # as its author called it, else the id
    text: str  # a sentence
    branch: str  # when it runs, for the steps of a branch: "If so", "Otherwise"
    depth: int  # 1 at the top
    effect: bool  # it changes something outside


def lines(document: type_json, catalogue: Catalogue) -> list[Line]:
    """Return a line per step, in the order of the document; a draft may still be wrong."""
    if not isinstance(document, dict):
        return []
    context = Context(document, catalogue)
    return [_line(context, node) for node in outline(document)]


def place(lines: Sequence[Line], step_id: str) -> int | None:
    """Return at which place of the list a step stands, from 0; None: it is not there."""
    return next((number for number, line in enumerate(lines) if line.id == step_id), None)


def workflow_steps(document: type_json, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the same as JSON data, as the API gives it."""
    return [asdict(line) for line in lines(document, catalogue)]


def sentence(step: dict[str, Any], catalogue: Catalogue) -> str:
    """Return what one step does, such as: Wait 3 days."""
    kind = step.get("type")
    if not isinstance(kind, str) or kind not in steps.names():
        return "This step has no type that exists."
    text = str(steps.load(kind).describe(step, catalogue))
    condition = step.get("execute_if")
    if condition is not None:
        text = f"If {wording.condition(condition)}: {text[:1].lower()}{text[1:]}"
    return text if text.endswith((".", "…", "?")) else f"{text}."


def _line(context: Context, node: Node) -> Line:
    return Line(
        id=node.id,
        path=node.path,
        type=node.type,
        name=node.name,
        text=sentence(node.step, context.catalogue),
        branch=_branch(node),
        depth=node.depth,
        effect=context.has_effect(node),
    )


def _branch(node: Node) -> str:
    if node.segment == ON_ERROR and node.parent is not None:
        return f"If {node.parent.id} fails"
    if node.segment == ON_TIMEOUT and node.parent is not None:
        return f"If nothing comes to {node.parent.id} in time"
    if node.segment.startswith("case") and node.parent is not None:
        case = node.parent.step["cases"][int(node.segment.removeprefix("case"))]
        return f"If it is {wording.literal(case.get('when'))}"
    return {"then": "If so", "else": "Otherwise", "default": "Otherwise"}.get(node.segment, "")
