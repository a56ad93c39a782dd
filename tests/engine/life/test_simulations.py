"""Every way through a workflow once, why one is not taken, and what it takes at worst."""

from decimal import Decimal

import pytest

from pilot import db
from pilot.engine.agents import agents
from pilot.engine.language import catalogue as catalogues
from pilot.engine.language.json_schemas import check_value
from pilot.engine.life import simulations, worst_case
from pilot.engine.life.forecast import Known
from pilot.engine.running import made_up
from pilot.engine.workflow import document, ways
from pilot.errors import InvalidError, NotFoundError
from pilot.llm.messages import Price
from pilot.reports import simulations as report
from tests.engine import worker_process as wp
from tests.engine.running.test_simulation import OPEN, SWITCH, send

ASK = {"id": "ask", "type": "ai_processing", "prompt": "Sum up.", "input": "inputs"}
CHILD = {"id": "child", "type": "sub_workflow", "inputs": {}}
NESTED = [
    SWITCH | {"default": []},
    {
        "id": "large",
        "type": "conditional",
        "condition": "inputs.n > 1",
        "then": [send("tell", on_error={"branch": [wp.put("sorry", 1)]})],
    },
    {
        "id": "each",
        "type": "loop",
        "items": "inputs.list",
        "steps": [
            {
                "id": "odd",
                "type": "conditional",
                "condition": "item % 2 == 1",
                "then": [wp.put("o", 1)],
                "else": [wp.put("e", 0)],
            }
        ],
    },
]


def steps_of(steps, **more):
    return document.parse({"format": 1, "name": "Test", "inputs": OPEN, "steps": steps} | more)


@pytest.mark.capability(251)
def test_the_fewest_simulations_take_every_way_once():
    body = steps_of(NESTED).steps
    found = ways.covering(body)
    taken = {pair for one in found for pair in one.items()}
    assert taken == {(way.step.id, way.name) for way in ways.all_of(body)}
    assert len(found) == 4  # the switch has four ways; all others fit beside them


@pytest.mark.parametrize(
    ("steps", "number"),
    [([wp.put("one", 1)], 1), ([NESTED[1]], 3), ([NESTED[2]], 2), ([NESTED[1], NESTED[2]], 3)],
)
def test_steps_side_by_side_share_simulations(steps, number):
    assert len(ways.covering(steps_of(steps).steps)) == number


WITHIN = [
    NESTED[1],
    CHILD
    | {
        "inputs": {"n": 1},
        "steps": [
            NESTED[1] | {"then": [CHILD | {"inputs": {"n": 1}, "steps": [SWITCH]}]},
            NESTED[2] | {"items": "[1]"},
        ],
    },
]


@pytest.mark.capability(251)
def test_ways_within_a_sub_workflow_are_taken_too(simulated):
    shown = simulated(WITHIN, inputs={"n": 2}, each=True)
    found = lines(shown)
    assert shown.taken == len(shown.coverage) == 11
    assert found["child/large", "then"].path == "child/large"
    assert found["child/child/pick", "case2"].path == "child/large/child/pick"
    assert all(line.forced for line in shown.coverage)
    assert [one["status"] for one in shown.executions] == ["completed"] * 5


@pytest.mark.capability(251)
def test_ways_within_a_sub_workflow_say_why_they_are_not_taken(simulated):
    shown = simulated(WITHIN, inputs={"n": 2})
    found = lines(shown)
    assert (found["child/large", "else"].taken, found["child/large", "then"].taken) == (True, False)
    assert found["child/child/pick", "case0"].why == "Never reached: child/large took else."
    assert shown.here.most < shown.most.most
    forced = simulated(WITHIN, inputs={"n": 2}, force={"child/large": "then"})
    assert lines(forced)["child/child/pick", "case0"].taken
    with pytest.raises(InvalidError, match="child/odd has no way 'case1': it has then, else"):
        simulated(WITHIN, inputs={"n": 2}, force={"child/odd": "case1"})


def ask(name, **more):
    step = {"id": name, "type": "human_approval", "title": "?", "approvers": ["owner"]}
    return step | more


PAID = {"id": "paid", "type": "wait_for_event", "event": "paid", "on_timeout": "continue"}
FORM = {"id": "form", "type": "form", "title": "?", "assignees": ["owner"], "fields": OPEN}
ANSWERED = [
    ask("first"),
    PAID | {"dependencies": ["first"]},
    NESTED[1] | {"then": [ask("inner", on_error="continue")], "dependencies": ["paid"]},
    FORM | {"on_timeout": "continue", "dependencies": ["large"]},
    CHILD | {"steps": [ask("deep", on_timeout="approve")], "dependencies": ["form"]},
]


@pytest.mark.capability(251)
def test_refusals_and_that_nothing_came_in_time_are_ways(simulated):
    shown = simulated(ANSWERED, inputs={"n": 2}, each=True)
    found = lines(shown)
    assert list(found) == [
        ("first", "rejected"),
        ("paid", "on_timeout"),
        ("large", "then"),
        ("large", "else"),
        ("inner", "rejected"),
        ("form", "on_timeout"),
        ("child/deep", "on_timeout"),
        ("child/deep", "rejected"),
    ]
    assert all(line.taken and line.forced for line in shown.coverage)
    ended = [one for one in shown.executions if one["status"] == "failed"]
    assert [one["ways"] for one in ended] == [{"first": "rejected"}, {"child/deep": "rejected"}]
    assert {one["error"]["class"] for one in ended} == {"rejected"}
    plain = lines(simulated(ANSWERED[:2]))
    assert plain["first", "rejected"].why == "Nobody refused here."
    assert plain["paid", "on_timeout"].why == "Nothing came late here."


def test_too_many_ways_are_refused():
    cases = [{"when": n, "steps": []} for n in range(60)]
    with pytest.raises(InvalidError, match="61 simulations, 50 at most"):
        ways.covering(steps_of([SWITCH | {"cases": cases}]).steps)


def test_a_way_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(InvalidError) as caught:
        ways.check(steps_of(NESTED).steps, {"pick": "case7", "none": "then"})
    first, second = caught.value.issues
    assert "case0, case1, case2, default" in first.message
    assert (second.path, "no choice" in second.message) == ("/force/none", True)


@pytest.fixture
def simulated(database, redis_url, world, tmp_path):
    """Give `simulated(steps, **asked)`: what simulations of these steps show at their end."""
    wp.switch_on()
    who = {"by": world.operator.actor, "user_id": world.operator.id}

    def simulated(steps, **asked):
        made = wp.make_agent(world.operator.id, steps, inputs=OPEN)
        one = simulations.begin(made, simulations.Asked(**asked), **who)
        resident.poke()
        with db.reading(world.operator.id) as session:
            started = report.shown(session, one).executions
        for each in started:
            wp.wait_for(database, each["id"])
        with db.reading(world.operator.id) as session:
            return report.shown(session, one)

    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield simulated


def lines(shown):
    return {(line.step, line.way): line for line in shown.coverage}


@pytest.mark.capability(251)
def test_each_branch_case_and_error_branch_is_taken_once(simulated):
    shown = simulated(NESTED, inputs={"n": 1, "list": [1, 2]}, each=True)
    assert shown.final
    assert [one["status"] for one in shown.executions] == ["completed"] * 4
    assert shown.taken == len(shown.coverage) == 9
    assert all(line.forced for line in shown.coverage)


@pytest.mark.capability(251)
def test_what_is_not_taken_says_why(simulated):
    shown = simulated(NESTED, inputs={"n": 1, "list": []})
    found = lines(shown)
    assert found["pick", "case0"].taken
    assert not found["pick", "case0"].forced
    assert "took case0" in found["pick", "case2"].why
    assert found["tell", "on_error"].why == "Never reached: large took else."
    assert found["odd", "then"].why == "Never reached: each had no items."
    after = NESTED[0] | {"dependencies": ["first"]}
    broken = simulated([wp.put("first", "{{inputs.none}}"), after], inputs={"n": 1})
    assert "first failed before" in lines(broken)["pick", "case1"].why


def test_an_output_says_where_it_comes_from_and_nobody_else_sees_it(simulated, world):
    shown = simulated([send("tell"), wp.put("one", 1)], inputs={})
    assert [(one.path, one.words[:7]) for one in shown.sources] == [("tell", "Made up")]
    with db.reading(world.stranger.id) as session, pytest.raises(NotFoundError):
        report.shown(session, shown.id)


PRICE = Price.flat(Decimal(1), Decimal(2))


@pytest.mark.capability(251)
@pytest.mark.parametrize(
    ("steps", "items", "least", "most", "attempts"),
    [
        ([wp.put("one", 1)], None, 1, 1, 1),
        ([send("tell")], None, 1, 1, 3),
        ([send("tell", retry={"max_attempts": 5}, execute_if="inputs.n")], None, 0, 1, 5),
        (NESTED[:1], None, 1, 2, 2),
        (NESTED[1:2], None, 1, 3, 5),
        (NESTED[2:], {"each": 4}, 9, 9, 9),
        (NESTED[2:], None, 1, 201, 201),
    ],
)
def test_the_worst_case_counts_the_longest_branch_all_items_and_attempts(
    steps, items, least, most, attempts
):
    bounds = worst_case.of(steps_of(steps), Known({}, {}, PRICE, "m"), items)
    assert (bounds.least, bounds.most, bounds.attempts) == (least, most, attempts)


def test_the_worst_cost_is_that_of_all_attempts_and_an_unknown_price_is_named():
    once = worst_case.of(steps_of([ASK | {"retry": {"max_attempts": 1}}]), KNOWN)
    thrice = worst_case.of(steps_of([ASK]), KNOWN)
    assert (once.asks, thrice.asks) == (1, 3)
    assert 0 < once.usd * 3 == thrice.usd
    assert worst_case.of(steps_of([ASK]), Known({}, {}, None, None)).unpriced == 3


KNOWN = Known({}, {}, PRICE, "m")
UNDO = {key: send("x")[key] for key in ("plugin", "action", "params")}
INSIDE = CHILD | {"steps": [NESTED[2], ASK | {"retry": {"max_attempts": 2}}]}
AROUND = {"id": "around", "type": "loop", "items": "inputs.all", "steps": [INSIDE]}
WIDE = {
    "id": "wide",
    "type": "scatter_gather",
    "items": "[1, 2]",
    "steps": [send("tell", compensate=UNDO)],
}


@pytest.mark.capability(251)
@pytest.mark.parametrize(
    ("steps", "items", "most", "attempts", "asks"),
    [
        ([INSIDE], None, 203, 204, 2),
        ([INSIDE], {"child/each": 4, "each": 9}, 11, 12, 2),
        ([AROUND], {"around": 5, "around/child/each": 3}, 46, 51, 10),
        ([AROUND], None, 1 + 100 * 203, 1 + 100 * 204, 200),
        ([CHILD | {"id": "outer", "steps": [INSIDE]}], None, 204, 205, 2),
        ([WIDE], {"wide": 2}, 5, 13, 0),
        ([CHILD | {"steps": [send("tell", compensate=UNDO)]}], None, 3, 7, 0),
    ],
)
def test_the_worst_case_counts_workflows_within_and_what_is_undone(
    steps, items, most, attempts, asks
):
    bounds = worst_case.of(steps_of(steps), KNOWN, items)
    assert (bounds.most, bounds.attempts, bounds.asks) == (most, attempts, asks)
    assert bounds.usd == asks * worst_case.of(steps_of([ASK]), KNOWN).usd / 3


def test_what_is_never_undone_does_not_count():
    bounds = worst_case.of(
        steps_of([send("tell", compensate=UNDO)], policies={"compensate": False}), KNOWN
    )
    assert (bounds.most, bounds.attempts) == (1, 3)


@pytest.mark.capability(251)
def test_the_worst_case_counts_agents_in_the_version_that_would_be_started(simulated, world):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    inner = wp.make_agent(world.operator.id, [ASK])
    newer = {"format": 1, "name": "Test", "steps": [wp.put("one", 1), ASK, ASK | {"id": "more"}]}
    agents.save_version(inner, newer, base=1, reason="test", **who)
    newest = CHILD | {"agent": str(inner)}
    first = newest | {"id": "first", "version": 1}
    shown = simulated([newest | {"dependencies": ["first"]}, first][::-1])
    assert (shown.most.most, shown.most.asks) == (2 + 3 + 1, 9)
    assert shown.here == shown.most


def test_agents_that_run_each_other_often_are_counted_at_once():
    many = [{"id": f"c{n}", "type": "sub_workflow", "agent": "a"} for n in range(50)]
    flow = steps_of(many)
    bounds = worst_case.of(flow, KNOWN, find=lambda _agent, _version: (flow, KNOWN))
    assert bounds.most == sum(50**depth for depth in range(1, 12))


def test_what_is_made_up_has_every_field_and_is_always_the_same():
    for name, action in catalogues.load().actions.items():
        made = made_up.value(action.output_schema, name)
        assert set(made) == set(action.output_schema["properties"])
        assert made == made_up.value(action.output_schema, name)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0.56, "maximum": 2},
        {"type": "number", "multipleOf": 0.1, "minimum": -0.35, "exclusiveMaximum": 0.2},
        {"type": "integer", "multipleOf": 7, "maximum": -20},
        {"type": "array", "items": {"type": "integer", "minimum": 5, "maximum": 6}},
        {"type": "array", "minItems": 3, "items": {"enum": ["b", "a"]}},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "email", "minLength": 3},
        {"type": "string", "maxLength": 4},
        {"type": "string", "minLength": 60},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.25},
        {"anyOf": [{"type": "null"}, {"type": "string", "format": "date-time"}]},
        {"allOf": [{"type": "object"}, {"properties": {"a": {"type": "boolean"}}}]},
        {"type": "number", "minimum": 0.2, "maximum": 0.8},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
        {"type": "number", "minimum": 1, "exclusiveMinimum": 3, "maximum": 4},
        {"type": "integer", "multipleOf": 2.5},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True},
        {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
        {"type": "array", "items": {"const": 1}, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "null"}, {"const": None}], "items": False},
        {"type": "array", "format": "table"},
        {"required": ["a"], "type": "object", "additionalProperties": {"type": "integer"}},
    ],
)
def test_what_is_made_up_keeps_formats_and_bounds(schema):
    assert check_value(schema, made_up.value(schema, "x")) == []
