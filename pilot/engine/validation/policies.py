"""What a workflow's policies compute: inputs of other agents, the concurrency key."""

from collections.abc import Iterator
from dataclasses import replace

from pilot.engine.language import concurrency
from pilot.engine.validation.context import Context
from pilot.engine.workflow import payloads
from pilot.errors import Issue

ROOTS = frozenset({"inputs", "error", "execution"})  # of the execution that failed


def check(context: Context) -> Iterator[Issue]:
    """Yield what is wrong with the inputs that on_failure gives, and with the concurrency key."""
    policies = context.document.get("policies")
    if not isinstance(policies, dict):
        return
    policy = policies.get("on_failure")
    if isinstance(policy, dict):
        for issue in payloads.check(None, policy.get("inputs"), roots=ROOTS):
            yield replace(issue, path=f"/policies/on_failure{issue.path}")
    policy = policies.get("concurrency")
    if isinstance(policy, dict):
        for issue in payloads.check(None, policy.get("key"), roots=concurrency.ROOTS):
            yield replace(issue, path="/policies/concurrency/key")
