"""What a price would have changed: the same price changes nothing, and what is unknown is apart."""

from decimal import Decimal

from pilot import db
from pilot.reports import prices
from pilot.reports.prices import Compared
from tests.reports.ledger_rows import FAILED, book

NOW = {"input": "0.10", "output": "0.50", "cache_read": "0.01"}
NOW |= {"cache_write": "0.125", "cache_write_long": "0.20"}


def test_the_price_of_now_changes_nothing(world, superuser):
    took = {"model_asked": "cheap", "input_tokens": 1_000, "output_tokens": 100}
    book(superuser, world.operator.id, cost=Decimal("0.00015"), **took)
    book(superuser, world.operator.id, cost=None, **took)
    nobody = {"input_tokens": 0, "output_tokens": 0, "flags": '["cost_estimated"]', "state": "lost"}
    book(superuser, world.operator.id, cost=Decimal("0.5"), **FAILED | took | nobody)
    numbers = {name: Decimal(value) for name, value in NOW.items()}
    with db.reading(world.admin.id, sees_all=True) as session:
        found = prices.effect(session, "cheap", numbers)
    once = Decimal("0.00015")
    assert found.counted == Compared(1, once, once)
    assert found.unpriced == Compared(1, Decimal(0), once)
    assert (found.estimated.calls, found.estimated.cost) == (1, Decimal("0.5"))
