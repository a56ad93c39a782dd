"""What a workflow's policies say about other agents."""

from collections.abc import Iterator
from dataclasses import replace

from pilot.engine import payloads
from pilot.engine.validation.context import Context
from pilot.errors import Issue

ROOTS = frozenset({"inputs", "error", "execution"})  # of the execution that failed


def check(context: Context) -> Iterator[Issue]:
    """Yield what is wrong with the inputs that on_failure gives."""
    policies = context.document.get("policies")
    policy = policies.get("on_failure") if isinstance(policies, dict) else None
    if isinstance(policy, dict):
        for issue in payloads.check(None, policy.get("inputs"), roots=ROOTS):
            yield replace(issue, path=f"/policies/on_failure{issue.path}")
