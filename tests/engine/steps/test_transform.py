"""Transform steps."""

import pytest

from pilot.engine.steps import transform
from pilot.errors import StepError
from tests.engine.steps.surroundings import context, step


@pytest.mark.capability(44)
def test_operations_run_in_order_on_the_input():
    made = step(
        type="transform",
        input="inputs.rows",
        operations=[
            {"operation": "filter", "config": {"condition": "item.n > 1"}},
            {"operation": "count", "config": {}},
        ],
    )
    rows = [{"n": 1}, {"n": 2}, {"n": 3}]
    assert transform.run(made, context(inputs={"rows": rows})).output == 2


def test_null_as_input_is_an_error_that_names_the_operation():
    made = step(type="transform", input="inputs.rows", operation="count", config={})
    with pytest.raises(StepError, match="count"):
        transform.run(made, context(inputs={"rows": None}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"operation": "set", "config": {"value": "{{inputs.n}} pieces"}}, "Give [n] pieces"),
        ({"operation": "count", "input": "inputs.rows"}, "Take the input rows; count"),
        (
            {
                "operation": "sort",
                "config": {"by": [{"field": "Value", "direction": "desc"}, {"field": "Name"}]},
            },
            "Sort by Value descending, Name",
        ),
    ],
)
def test_it_is_told_in_words(fields, words):
    assert transform.describe({"type": "transform"} | fields, None) == words
