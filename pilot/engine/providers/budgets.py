"""The budget of an execution: what its calls to models may take, and what happens at the limit.

The database keeps it (`keep_budget`, migration 0014): a call that could take more than is left is
refused in the transaction that would have booked it.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, cast
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db, money, strictjson
from pilot.engine import outages
from pilot.engine.language.policies import USD_TEXT, Budget
from pilot.engine.providers import model_catalogue
from pilot.engine.providers.model_catalogue import Chain
from pilot.errors import BudgetError, ErrorClass, InvalidError, Issue, StepError
from pilot.llm.messages import Model

OnLimit = Literal["pause", "downgrade", "fail"]
REFUSED, UNPRICED = "PB001", "PB002"  # as the database says it
SHORTEST_LOOK_S, LONGEST_LOOK_S = 0.05, 1.0  # at a budget of which others have reserved
# Whether a call would not fit now, but might once what is reserved is settled.
OPEN_STILL = text("""
SELECT (spent_usd + reserved_usd + :usd > budget_usd
        OR spent_tokens + reserved_tokens + :tokens > budget_tokens) IS TRUE
   AND (spent_usd + :usd > budget_usd OR spent_tokens + :tokens > budget_tokens) IS NOT TRUE
  FROM execution WHERE id = :payer""")
MOST_USD = Decimal("9999999.999999")  # as in a workflow


@dataclass(frozen=True)
class Limits:
    """What one execution may take; None: no limit."""

    usd: Decimal | None
    tokens: int | None


def limits(policy: Budget, asked_usd: Decimal | None, settings: Mapping[str, Any]) -> Limits:
    """Return the limits of a new execution: what was asked, else its workflow's, else the setting.

    Raises:
        InvalidError: what was asked is no amount.
    """
    if asked_usd is not None:
        return Limits(amount(asked_usd), policy.tokens)
    text = policy.cost_usd or settings["budget_execution_usd"]
    return Limits(Decimal(text), policy.tokens)


def amount(usd: Decimal) -> Decimal:
    """Return an amount that can be a limit.

    Raises:
        InvalidError: it is not above 0, not below ten million, or finer than a millionth.
    """
    if not usd.is_finite() or not 0 < usd <= MOST_USD or usd != round(usd, 6):
        expected = "above 0, below 10,000,000, with at most six decimals"
        text = f"A budget is an amount in USD {expected}."
        raise InvalidError([Issue("E_BUDGET", "/budget_usd", text, expected, str(usd)[:40])])
    return usd


def read(usd: str, tokens: str) -> Limits:
    """Return limits that were typed; an empty text is no limit of its kind.

    Raises:
        InvalidError: a text that is no number.
    """
    issues = []
    number = money.ungrouped(usd.strip().removeprefix("$"))
    if number and not USD_TEXT.fullmatch(number):
        text = "Give the budget as an amount in USD, such as 2.50."
        issues.append(Issue("E_BUDGET", "/budget_usd", text, "such as 2.50", usd[:40]))
    count = money.ungrouped(tokens.strip())
    if count and not (count.isascii() and count.isdigit() and len(count) < 16):
        text = "Give the budget as a whole number of tokens, such as 50000."
        issues.append(Issue("E_BUDGET", "/budget_tokens", text, "such as 50000", tokens[:40]))
    if issues:
        raise InvalidError(issues)
    return Limits(Decimal(number) if number else None, int(count) if count else None)


def raised(before: Limits, asked: Limits) -> Limits:
    """Return the limits after a raise.

    Raises:
        InvalidError: nothing is asked, it is no amount, or not above what holds now.
    """
    issues = []
    if asked.usd is not None and before.usd is not None and amount(asked.usd) <= before.usd:
        text = f"The budget is {money.usd(before.usd)} now: give a higher one."
        expected = f"above {money.usd(before.usd)}"
        issues.append(Issue("E_BUDGET", "/budget_usd", text, expected, str(asked.usd)[:40]))
    if asked.tokens is not None and before.tokens is not None and asked.tokens <= before.tokens:
        text = f"The budget is {before.tokens:,} tokens now: give a higher one."
        expected = f"above {before.tokens:,}"
        issues.append(Issue("E_BUDGET", "/budget_tokens", text, expected, str(asked.tokens)[:40]))
    usd = before.usd if asked.usd is None or before.usd is None else asked.usd
    tokens = before.tokens if asked.tokens is None or before.tokens is None else asked.tokens
    if not issues and (usd, tokens) == (before.usd, before.tokens):
        text = "Say how much it may take: there is no limit of this kind to raise."
        issues.append(Issue("E_BUDGET", "/budget_usd", text, "an amount in USD"))
    if issues:
        raise InvalidError(issues)
    return Limits(usd, tokens)


def facts(limits: Limits) -> dict[str, Any]:
    """Return limits as events and records name them."""
    return {"usd": None if limits.usd is None else str(limits.usd), "tokens": limits.tokens}


def on_limit(policy: Budget, settings: Mapping[str, Any]) -> OnLimit:
    """Return what happens when the next call could take more than is left."""
    return policy.on_limit or cast("OnLimit", settings["budget_on_limit"])


def refusal(error: psycopg.Error) -> StepError | None:
    """Return why the database did not book a call, if that is what went wrong."""
    if error.sqlstate == UNPRICED:
        text = (
            f"{error.diag.message_detail} has no price, and this execution has a limit in USD: "
            "give the model a price (Prices), or allow models without one (System config)."
        )
        return StepError(ErrorClass.CONFIG, text, code="unpriced", sent=False)
    if error.sqlstate != REFUSED:
        return None
    facts = strictjson.loads(error.diag.message_detail or "{}")
    return BudgetError(_in_words(facts), facts)


def _in_words(facts: Mapping[str, Any]) -> str:
    needs, left = Decimal(facts["needs_usd"]), facts["left_usd"]
    if left is not None and (needs > Decimal(left) or facts["limit_tokens"] is None):
        could, has = money.usd(needs), f"{money.usd(max(Decimal(left), Decimal(0)))} is left"
        limit = money.usd(Decimal(facts["limit_usd"]))
    else:
        could, has = (
            f"{facts['needs_tokens']:,} tokens",
            f"{max(facts['left_tokens'], 0):,} are left",
        )
        limit = f"{facts['limit_tokens']:,} tokens"
    if facts["reserved_tokens"]:  # calls under way, which will cost some of it
        has = f"at most {has}"
    payer = facts.get("payer")
    whose = (
        f"the budget of execution {payer}, which pays it," if payer else "this execution's budget"
    )
    return (
        f"The next call, to {facts['model']}, could take {could}; {has} of {whose} of {limit}. "
        "Nothing was sent."
    )


def await_room(
    error: BudgetError, execution_id: UUID, owner_id: UUID, over: Callable[[], bool]
) -> None:
    """Wait while the calls under way may leave enough for a refused one, or until it is over."""
    given = {
        "payer": error.facts["payer"] or execution_id,
        "usd": Decimal(error.facts["needs_usd"]),
        "tokens": error.facts["needs_tokens"],
    }
    pause_s, open_still = SHORTEST_LOOK_S, True
    while open_still and not over():
        threading.Event().wait(pause_s)
        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
        with outages.held(), db.reading(owner_id) as session:
            open_still = bool(session.scalar(OPEN_STILL, given))


def cheaper(session: Session, values: Mapping[str, Any], chain: Chain) -> list[Model]:
    """Return what may stand in for a model that the budget refuses: the chain and the tiers'."""
    tiers = [values[f"orchestration_routing_model_{tier}"] for tier in ("balanced", "fast")]
    ids = [one.id for one in chain.models] + tiers
    return [one for one in model_catalogue.chain(session, ids).models if one.price is not None]
