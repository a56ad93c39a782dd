"""The simple loop: one model step, which an agent without pilot steps runs as."""

from typing import Any

SIMPLE = frozenset({"id", "name", "type", "prompt", "actions"})  # what the simple loop keeps
SAYS_MORE = ("inputs", "output", "output_schema", "policies", "defaults")


def is_enough(workflow: Any | None) -> bool:
    """Whether a document needs no pilot steps: decided by step types, never by words.

    A step with an input, a schema or choices says more than an agent's prompt can, and so does a
    document with a budget or another policy: they stay.
    """
    if workflow is None:
        return True
    found = workflow.get("steps", [])
    if len(found) != 1 or found[0].get("type") not in {"ai_processing", "llm_decision"}:
        return False
    return found[0].keys() <= SIMPLE and not any(workflow.get(name) for name in SAYS_MORE)


def prompt_of(workflow: Any | None) -> str:
    """Return the prompt of a document that is stored as none, else nothing."""
    if workflow is None or not is_enough(workflow):
        return ""
    return str(workflow["steps"][0].get("prompt", ""))


def of(prompt: str, grants: list[str]) -> dict[str, Any]:
    """Return the document of an agent without pilot steps: a model that may call its actions."""
    step = {"id": "decide", "type": "llm_decision", "prompt": prompt or "-", "actions": grants}
    return {"format": 1, "name": "Simple loop", "steps": [step]}
