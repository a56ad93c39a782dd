"""The rules of actions over their resolved parameters: refuse, ask a person, warn, limit."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db
from pilot.engine.acting.outcomes import StepContext
from pilot.engine.expressions import Scope, compile_expression
from pilot.errors import ErrorClass, ExpressionError, StepError
from pilot.plugins import Action, Block, Confirm, Limit, Warn

ROOTS = frozenset({"params", "agent", "execution"})
PERIODS = {
    "execution": ("execution_id = :execution", "in one execution"),
    "hour": ("at > pilot_now() - interval '1 hour'", "an hour"),
    "day": ("at > pilot_now() - interval '1 day'", "a day"),
}
# One counter at a time for an owner's use of an action: two attempts never share the last place.
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:owner || :action, 0))")
USED = """
SELECT coalesce(sum(amount), 0)::int8 FROM action_use
 WHERE owner_id = :owner AND action = :action AND rule = :rule AND key <> :key AND {period}
"""
USE = text("""
INSERT INTO action_use (owner_id, key, rule, action, execution_id, amount)
VALUES (:owner, :key, :rule, :action, :execution, :amount) ON CONFLICT DO NOTHING
""")


def refuse(action: Action, given: dict[str, Any], context: StepContext) -> None:
    """Refuse parameters that a rule blocks.

    Raises:
        StepError: the rule's message (class input).
    """
    messages = _messages(Block, action, given, context)
    if messages:
        raise StepError(ErrorClass.INPUT, messages[0])


def questions(action: Action, given: dict[str, Any], context: StepContext) -> list[str]:
    """Return what a person has to be asked before this call."""
    return _messages(Confirm, action, given, context)


def warnings(action: Action, given: dict[str, Any], context: StepContext) -> list[str]:
    """Return what has to be noted about this call."""
    return _messages(Warn, action, given, context)


def count(action: Action, given: dict[str, Any], key: UUID, context: StepContext) -> None:
    """Count one call against the limits of the action; the same key counts once.

    Raises:
        StepError: a limit is reached (class limit); nothing was counted.
    """
    limits = [(place, one) for place, one in enumerate(action.rules) if isinstance(one, Limit)]
    if not limits:
        return
    facts = {"owner": context.owner_id, "action": action.name, "key": key}
    facts["execution"] = context.scope.roots["execution"]["id"]
    with db.transaction("action.count", context.owner_id) as session:
        session.execute(LOCK, {"owner": str(context.owner_id), "action": action.name})
        for place, limit in limits:
            amount = 1 if limit.count is None else _value(action, limit.count, given, context)
            _count_one(session, limit, facts | {"rule": place, "amount": int(amount)})


def _count_one(session: Session, limit: Limit, facts: dict[str, Any]) -> None:
    period, words = PERIODS[limit.per]
    used = session.scalar(text(USED.format(period=period)), facts) or 0
    if used + facts["amount"] > limit.maximum:
        message = (
            f"{facts['action']} may be used {limit.maximum:,} times {words}, and {used:,} of them "
            "are used: wait, or do less at once."
        )
        raise StepError(ErrorClass.LIMIT, message, sent=False)
    session.execute(USE, facts)


def _messages(
    kind: type[Block | Confirm | Warn],
    action: Action,
    given: dict[str, Any],
    context: StepContext,
) -> list[str]:
    found = [rule for rule in action.rules if isinstance(rule, kind)]
    return [rule.message for rule in found if _value(action, rule.when, given, context)]


def _value(action: Action, expression: str, given: dict[str, Any], context: StepContext) -> Any:
    roots = {"params": action.complete(given), "agent": {}, "execution": {}}
    scope = Scope(roots=roots, now=context.scope.now, zone=context.scope.zone)
    try:
        return compile_expression(expression, roots=ROOTS).evaluate(scope)
    except ExpressionError as error:
        raise StepError(ErrorClass.CONFIG, f"A rule of {action.name}: {error}") from error
