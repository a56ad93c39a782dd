"""What may start without a person: not a generated workflow that nobody has started yet."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot.engine.language import catalogue
from pilot.engine.validation.context import Context
from pilot.errors import Issue, Obstacle
from pilot.models.agent import WorkflowVersion
from pilot.models.execution import Execution

TRIGGERS = frozenset({"schedule", "webhook", "event", "on_failure"})


def obstacles(session: Session, version: WorkflowVersion | None, trigger: str) -> list[Issue]:
    """Return why a trigger may not start this version; a person may."""
    if trigger not in TRIGGERS or version is None or version.origin != "generated":
        return []
    if version.document is None or not has_effects(version.document):
        return []
    by_person = select(Execution.id).where(
        Execution.version_id == version.id, Execution.trigger.not_in(TRIGGERS | {"parent"})
    )
    if session.scalar(by_person.limit(1)) is not None:
        return []
    told = (
        f"Version {version.number} was generated and has effects: a person has to start it once "
        "before it may start by itself."
    )
    link = f"/agents/{version.agent_id}#start"
    return [Obstacle("E_FIRST_START", "", told, where="agent", link=link)]


def has_effects(document: dict[str, object]) -> bool:
    """Tell whether a step of a workflow may change something outside."""
    context = Context(document, catalogue.load())
    return any(context.has_effect(node) for node in context.nodes)
