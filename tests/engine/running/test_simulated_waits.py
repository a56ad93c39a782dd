"""What simulated people and events say, and how time passes around executions within."""

from datetime import datetime

import pytest

from pilot.engine.running.answers import MATCHED
from pilot.engine.waits import events, forms
from tests.engine import worker_process as wp
from tests.engine.running import test_simulation as simulations
from tests.engine.running.test_simulation import outputs

worker, simulate, agent = simulations.worker, simulations.simulate, simulations.agent
PAID = {"id": "paid", "type": "wait_for_event", "event": "order.paid", "timeout_s": 600}
ORDERED = wp.put("order", "{{steps.paid.output.payload.order}}")


def notes(superuser, execution, path):
    query = "SELECT notes FROM step_execution WHERE execution_id = %s AND path = %s"
    return superuser.execute(query, [execution, path]).fetchone()[0]


@pytest.mark.capability(251)
def test_what_people_and_events_said_is_said_again(simulate, agent, database, world, superuser):
    """Also what an event brings of which there is no schema: before, nothing was known of it."""
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    size = {"type": "object", "properties": {"size": {"type": "integer"}}}
    asked = {"id": "fill", "type": "form", "title": "Size?", "assignees": ["owner"]}
    made = agent([PAID, ORDERED, asked | {"fields": size, "dependencies": ["order"]}])
    first = simulate(made)
    assert "no 'order'" in wp.row(database, first)[2]["message"]
    assert "no schema. Add one" in notes(superuser, first, "paid")[0]
    events.send(events.Sent(name="order.paid", payload={"order": 5}), **who)
    real = wp.start(made, world.operator.id)
    simulate.poke()
    find = "SELECT id FROM approval"
    (form,) = wp.until(lambda: superuser.execute(find).fetchone())
    forms.submit(form, {"size": 42}, **who)
    simulate.poke()
    wp.wait_for(database, real)
    again = simulate(made)
    gave = outputs(database, again)
    assert (gave["order"], gave["fill"]["values"]) == (5, {"size": 42})
    assert f"in execution {real}" in notes(superuser, again, "fill")[0]
    assert wp.row(database, again)[0] == "completed"


ID = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}


MATCHING = [
    ("event.payload.id == 7", ID, {"id": 7}),
    (
        "event.payload.at.id == inputs.n and 'x' == event.payload.k",
        None,
        {"at": {"id": 3}, "k": "x"},
    ),
    ({"field": "event.payload.id", "operator": "equals", "value": 7}, ID, {"id": 7}),
    ("event.payload == 7", {"type": "integer"}, 7),
    ("event.payload.id == 'a'", ID, None),
    ("event.payload.id > 2000", ID, None),
]


def test_an_event_is_made_up_so_that_its_match_holds(simulate, agent, database, superuser):
    for match, schema, payload in MATCHING:
        step = PAID | {"match": match} | ({"schema": schema} if schema else {})
        execution = simulate(agent([step]), n=3)
        (note,) = notes(superuser, execution, "paid")
        gave = outputs(database, execution)["paid"]["payload"]
        if payload is None:
            assert "its match does not hold" in note
            assert isinstance(gave["id"], int)
        else:
            assert (gave, note) == (payload, MATCHED)


def test_what_is_made_up_passes_the_check_of_its_schema(simulate, agent, database):
    tags = {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True}
    score = {"type": "number", "minimum": 0.2, "maximum": 0.8}
    schema = {"type": "object", "required": ["note"], "properties": {"tags": tags, "score": score}}
    ask = {"id": "ask", "type": "form", "title": "How?", "assignees": ["role:approver"]}
    check = {"id": "check", "type": "validation", "input": "steps.ask.output.values"}
    steps = [ask | {"fields": schema | {"additionalProperties": True}}, check | {"schema": schema}]
    execution = simulate(agent([*steps, wp.put("end", "{{steps.ask.output.values.note}}")]))
    assert wp.wait_for(database, execution)[0] == "completed"


DATE = "{{format_date(now(), 'YYYY-MM-DD')}}"


def rest(name, days, **more):
    return {"id": name, "type": "delay", "for_s": days * 86_400} | more


def within(name, *steps, **more):
    return {"id": name, "type": "sub_workflow", "steps": [*steps]} | more


def days_of(database, execution, *names):
    """Return the days that steps saw, counted from the first."""
    found = outputs(database, execution)
    days = [datetime.fromisoformat(str(found[one])) for one in names]
    return [(one - days[0]).days for one in days]


@pytest.mark.capability(251)
def test_time_that_passes_within_passes_around_it_too(simulate, agent, database, superuser):
    nested = within("deep", rest("late", 2), wp.put("in", DATE, dependencies=["late"]))
    inner = [rest("first", 1), nested | {"dependencies": ["first"]}]
    steps = [
        wp.put("begin", DATE),
        rest("before", 10, dependencies=["begin"]),
        within("child", *inner, dependencies=["before"]),
        rest("after", 5, dependencies=["child"]),
        wp.put("end", DATE, dependencies=["after"]),
    ]
    execution = simulate(agent(steps))
    assert wp.row(database, execution)[0] == "completed"
    assert days_of(database, execution, "begin", "end") == [0, 18]
    query = "SELECT output FROM step_execution WHERE path = 'in'"
    (seen,) = superuser.execute(query).fetchone()
    start = datetime.fromisoformat(outputs(database, execution)["begin"])
    assert (datetime.fromisoformat(seen) - start).days == 13


def test_what_is_shorter_than_an_execution_within_comes_first(simulate, agent, database):
    """What is not waited for takes none of its parent's time; of several the longest counts."""
    branches = {
        "short": [rest("one", 1), wp.put("at_one", DATE, dependencies=["one"])],
        "long": [within("child", rest("three", 3)), wp.put("at_three", DATE)],
        "other": [within("longest", rest("four", 4))],
        "apart": [within("apart_", rest("nine", 9), wait=False)],
    }
    branches["long"][1]["dependencies"] = ["child"]
    steps = [
        wp.put("begin", DATE),
        {"id": "all", "type": "parallel_group", "branches": branches, "dependencies": ["begin"]},
        wp.put("end", DATE, dependencies=["all"]),
    ]
    execution = simulate(agent(steps, policies={"max_parallel": 9}))
    assert wp.row(database, execution)[0] == "completed"
    assert days_of(database, execution, "begin", "end") == [0, 4]


def test_an_execution_within_ends_at_the_deadline_of_the_one_around_it(simulate, agent, database):
    steps = [rest("before", 1), within("child", rest("in", 1), dependencies=["before"])]
    execution = simulate(agent(steps, policies={"deadline_s": 1.5 * 86_400}))
    assert wp.row(database, execution)[2]["class"] == "deadline"
