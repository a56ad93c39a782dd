"""Which stated value a parameter gets: by its own words, small words, units; else it is asked."""

import pytest

from pilot.engine.clause_planner import fitting, literals
from pilot.engine.clause_planner.described import Parameter, split_name

LOAN = "a loan of $10,000 with a 5% interest rate and a term of 36 months"
TRIP = "from Rome to Oslo, departing on 2026-08-01 and returning on 2026-08-06"


def parameter(name, kind="string", about=()):
    return Parameter(
        name=name,
        words=split_name(name),
        about=frozenset(about),
        schema={"type": kind},
        required=True,
        choices=(),
        is_key=False,
        is_search=False,
    )


def best(one, text):
    rated = [(fitting.fit(one, value, text), value.value) for value in literals.values(text)]
    score, value = max(rated, key=lambda pair: pair[0])
    return value if score >= 1 else None


@pytest.mark.parametrize(
    ("name", "value"),
    [("principal_amount", 10000), ("interest_rate", 5), ("loan_term", 36)],
)
def test_a_number_goes_where_its_unit_is_measured(name, value):
    assert best(parameter(name, "number"), LOAN) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("origin", "Rome"),
        ("destinationCity", "Oslo"),
        ("departure_date", "2026-08-01"),
        ("return_date", "2026-08-06"),
    ],
)
def test_small_words_tell_the_way(name, value):
    assert best(parameter(name), TRIP) == value


@pytest.mark.parametrize("about", [("second",), ("hour", "tim")])
def test_a_number_in_another_unit_is_not_taken(about):
    text = "record for 5 minutes"
    assert best(parameter("duration", "integer", about), text) is None
    assert best(parameter("duration", "integer", ("minut",)), text) == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("email", "write to 'the whole team'"),
        ("source_language", "translate 'good morning'"),
        ("date", "in New York"),
        ("city", "on 2026-08-01"),
    ],
)
def test_a_value_of_another_kind_is_not_taken(name, text):
    assert best(parameter(name), text) is None
