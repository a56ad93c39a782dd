"""Where a goal is divided into clauses, and where not."""

import pytest

from pilot.engine.clause_planner import literals, splitting


@pytest.mark.parametrize(
    ("goal", "clauses"),
    [
        ("Find a bus and book a ticket", ["Find a bus", "book a ticket"]),
        ("Convert it, encrypt it, and finally send it", ["Convert it", "encrypt it", "send it"]),
        ("Find apples and pears", ["Find apples and pears"]),
        ("Say 'find it, then send it' to Bob", ["Say 'find it, then send it' to Bob"]),
        ("Find Apple Inc. Between us, fast", ["Find Apple Inc. Between us, fast"]),
        ("Add Ann. Her number is 5551234.", ["Add Ann. Her number is 5551234."]),
        ("Find rooms for the next 3 days", ["Find rooms for the next 3 days"]),
        ("Save the name 'A', email 'b@c.example'", ["Save the name 'A', email 'b@c.example'"]),
    ],
)
def test_clauses_end_where_a_new_verb_begins(goal, clauses):
    assert [one.text for one in splitting.split(goal)] == clauses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from October 5, 2024 to 2024-10-15", ["2024-10-05", "2024-10-15"]),
        ("at 10:30 am for $1,200.50", ["10:30 am", 1200.5]),
        ("mail ann@example.com about #sales", ["ann@example.com", "sales"]),
        ("open https://example.com/a?b=1.", ["https://example.com/a?b=1"]),
        ("with 'Ann', 'Bob', and 'Cy'", [["Ann", "Bob", "Cy"]]),
        ("use [1, 2, 3]", [[1, 2, 3]]),
        ("run /usr/bin/tool in New York", ["/usr/bin/tool", "New York"]),
        ("February 30, 2026", ["February 30, 2026"]),
        ("say '{{secret:key}}'", []),
    ],
)
def test_values_are_read_by_their_kind(text, found):
    values = [one.value for one in literals.values(text)]
    assert [one.lstrip("#") if isinstance(one, str) else one for one in values] == found
