"""Which actions an agent may call: those of what was saved for it."""

from typing import Any

from pilot.engine.workflow import document, outline
from pilot.errors import InvalidError
from pilot.models.agent import Agent, WorkflowVersion


def actions_of(workflow: Any | None) -> set[str]:
    """Return the names of all actions that a document calls."""
    found: set[str] = set()
    for one in outline.documents(workflow) if workflow is not None else ():
        for step in document.walk(document.parse(one).steps):
            name = getattr(step, "action_name", None)
            undone = [step.compensate.action_name] if step.compensate else []
            found.update([name] if name else getattr(step, "actions", None) or [], undone)
    return found


def granted(agent: Agent, version: WorkflowVersion | None) -> list[str]:
    """Return the actions that an agent may call in a version.

    Older builders knew no grants: who stored what they wrote granted its actions.
    """
    if version is None or version.conversion is None:
        return agent.grants
    try:
        return sorted({*agent.grants, *actions_of(version.conversion.document)})
    except InvalidError:  # the preflight says why it cannot run
        return agent.grants


def grant(agent: Agent, version: WorkflowVersion | None) -> None:
    """Keep with an agent what it was granted by a version that is about to run."""
    wanted = granted(agent, version)
    if wanted != agent.grants:
        agent.grants = wanted
