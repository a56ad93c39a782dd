"""Conditional steps."""

import pytest

from pilot.engine.steps import conditional
from pilot.errors import ExpressionError
from tests.engine.steps.surroundings import context, step

BODY = [{"id": "inner", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.mark.capability(40, 44)
@pytest.mark.parametrize(("amount", "branch", "ids"), [(5, "then", ["inner"]), (1, "else", [])])
def test_the_condition_chooses_the_body(amount, branch, ids):
    made = step(type="conditional", condition="inputs.amount > 2", then=BODY)
    decided = conditional.run(made, context(inputs={"amount": amount})).decided
    assert decided["branch"] == branch
    assert [one.id for one in conditional.body(made, decided)] == ids
    assert conditional.leave(decided, 7) == decided | {"value": 7}


def test_a_condition_that_is_no_boolean_is_an_error():
    made = step(type="conditional", condition="inputs.amount")
    with pytest.raises(ExpressionError, match="true or false"):
        conditional.run(made, context(inputs={"amount": 3}))
