"""The clause planner: drafts a workflow from a goal in English, without a model or a network.

All words of the goal are read over the real columns of the tables; what they leave open is asked.
"""

from collections.abc import Mapping

from pilot.engine.language.catalogue import Catalogue
from pilot.engine.planner.planning import plan_goal
from pilot.engine.workflow.draft import Clause, Draft, Question
from pilot.errors import type_json

__all__ = ["Clause", "Draft", "Question", "plan"]


def plan(
    goal: str,
    catalogue: Catalogue,
    *,
    answers: Mapping[str, type_json],
    zone: str,
    owner_email: str,
) -> Draft:
    """Return a document for a goal, or questions, or a refusal; never a guess.

    Args:
        goal: what the user typed.
        catalogue: the actions and the samples of the tables that the workflow may use.
        answers: by the ids of earlier questions.
        zone: the owner's IANA zone, in which days are counted.
        owner_email: who "me" is.
    """
    return plan_goal(goal, catalogue, dict(answers), zone=zone, owner_email=owner_email)
