"""How executions end: the status is what their steps make of it, and every surface says it."""

import csv
import io
import random
import re

import pytest

from pilot.engine.life import executions
from pilot.engine.people import api_tokens
from pilot.engine.people.api_tokens import NewToken, Scope
from pilot.views.formats import look
from tests.api.conftest import Program
from tests.engine import worker_process as wp

SET = {"type": "transform", "operation": "set", "config": {"value": 1}}
BAD = SET | {"execute_if": "inputs.missing.part"}
KINDS = {
    "ok": SET,
    "skipped": SET | {"execute_if": "exists(inputs.go)"},
    "bad": BAD,
    "tolerated": BAD | {"on_error": "continue"},
    "recovered": BAD | {"on_error": {"branch": [SET]}},
    "waiting": {"type": "human_approval", "title": "Go on?", "approvers": ["owner"]},
}
WEIGHTS = [6, 1, 1, 1, 1, 1]
OPEN = {"type": "object", "additionalProperties": True}


@pytest.fixture
def worker(database, redis_url, config):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


def vector(seed):
    """Return a random document: its kinds of steps by id, and how its output is judged."""
    draw = random.Random(seed)
    kinds = draw.choices(list(KINDS), WEIGHTS, k=draw.randint(1, 4))
    steps = []
    for place, kind in enumerate(kinds):
        step = KINDS[kind] | {"id": f"{kind}_{place}"}
        if kind == "recovered":
            step["on_error"] = {"branch": [SET | {"id": f"instead_{place}"}]}
        steps.append(step)
    policies = {
        "on_error": draw.choice(["stop", "finish"]),
        "output": draw.choice(["fail", "warn"]),
    }
    output = draw.choice(["{{inputs.missing.part}}", "fine", "fine"])
    return {"steps": steps, "policies": policies, "output": output, "inputs": OPEN}


def expected(document, steps):
    """Return what the specification makes of the recorded steps of a document."""
    found = {step["path"]: step["status"] for step in steps if "/" not in step["path"]}
    failed = [path for path, status in found.items() if status == "failed"]
    refused = document["output"] != "fine"
    if "waiting" in found.values():
        return "waiting"
    if any(not path.startswith("tolerated") for path in failed):
        return "failed"
    if refused and document["policies"]["output"] == "fail":
        return "failed"
    return "completed_with_errors" if failed or refused else "completed"


@pytest.mark.capability(168, 270)
def test_random_executions_have_one_honest_status_on_every_surface(
    worker, database, world, browse, app
):
    documents = {}
    for seed in range(24):
        document = vector(seed)
        steps = document.pop("steps")
        agent = wp.make_agent(world.operator.id, steps, **document)
        documents[str(wp.start(agent, world.operator.id))] = document
    rows = {one: wp.wait_for(database, one, wp.END | {"waiting"})[0] for one in documents}
    operator = browse(world.operator)
    listed = operator.get("/executions.json?size=100").json["items"]
    lines = csv.DictReader(io.StringIO(operator.get("/executions.csv").text))
    twins = {one: operator.get(f"/executions/{one}.json").json for one in documents}

    assert {one["id"]: one["status"] for one in listed} == rows
    assert {line["id"]: line["status"] for line in lines} == rows
    assert {one: twin["status"] for one, twin in twins.items()} == rows
    wanted = {one: expected(documents[one], twin["steps"]) for one, twin in twins.items()}
    assert rows == wanted
    assert set(rows.values()) == {"completed", "completed_with_errors", "failed", "waiting"}
    list_page = operator.get("/executions?size=100").text
    for one, status in rows.items():
        assert one in operator.get(f"/executions?status={status}").text
        assert word_at(list_page, f"/executions/{one}") == look("execution", status).word
        assert word_at(operator.get(f"/executions/{one}").text, "<h1") == (
            look("execution", status).word
        )
    program = as_program(app, world.operator)
    listed = program.get("/executions?limit=200").json["items"]
    lines = csv.DictReader(io.StringIO(program.get("/executions.csv").text))
    assert {one["id"]: one["status"] for one in listed} == rows
    assert {line["id"]: line["status"] for line in lines} == rows
    for one, status in rows.items():
        assert set(told_by_api(program, one)) == {status}


def as_program(app, person):
    new = NewToken("test", [Scope.EXECUTIONS_READ])
    return Program(app, api_tokens.create(new, owner_id=person.id, by=person.actor).token)


def told_by_api(program, execution):
    """Yield the status of every operation that tells it; of events, what the newest says."""
    for part in ("", "/result", "/why"):
        yield program.get(f"/executions/{execution}{part}").json["status"]
    events = program.get(f"/executions/{execution}/events").json["items"]
    yield [
        one["data"]["status"]
        for one in events
        if one["kind"] == "execution" and "status" in one["data"]
    ][-1]


def word_at(page, place):
    """Return the first status that a page says after a place in it."""
    return re.search(r'class="badge [^"]*">(?:<svg.*?</svg>)?([^<]+)<', page.split(place, 1)[1])[1]


@pytest.mark.capability(168, 176)
@pytest.mark.parametrize(
    ("policy", "status"), [("fail", "failed"), ("warn", "completed_with_errors")]
)
def test_an_output_that_misfits_is_refused_or_warned_about(worker, database, world, policy, status):
    agent = wp.make_agent(
        world.operator.id,
        [SET | {"id": "a"}],
        output="{{steps.a.output}}",
        output_schema={"type": "string"},
        policies={"output": policy},
    )
    execution = wp.start(agent, world.operator.id)
    found, output, error, _ = wp.wait_for(database, execution)
    assert (found, output) == (status, 1)
    assert (error or {}).get("class") == ("schema" if policy == "fail" else None)


@pytest.mark.capability(176)
@pytest.mark.parametrize(
    ("output", "schema"),
    [
        ("{{steps.a.output}}", {"type": "integer", "minimum": 1}),
        (["{{steps.a.output}}"], {"type": "array", "items": {"type": "integer"}}),
        ({"n": "{{steps.a.output}}", "more": 1}, {"type": "object", "required": ["n"]}),
    ],
)
def test_an_output_of_any_kind_may_fit_its_schema(worker, database, world, output, schema):
    agent = wp.make_agent(
        world.operator.id, [SET | {"id": "a"}], output=output, output_schema=schema
    )
    execution = wp.start(agent, world.operator.id)
    assert wp.wait_for(database, execution)[0] == "completed"


@pytest.mark.capability(213)
def test_a_tolerated_failure_leaves_its_output_in_place(worker, database, world):
    steps = [
        BAD | {"id": "bad", "on_error": {"continue": {"output": [{"n": 0}]}}},
        SET | {"id": "next", "config": {"value": "{{steps.bad.output[0].n}}"}},
    ]
    agent = wp.make_agent(world.operator.id, steps, inputs=OPEN, output="{{steps.next.output}}")
    execution = wp.start(agent, world.operator.id)
    assert wp.wait_for(database, execution)[:2] == ("completed_with_errors", 0)


@pytest.mark.capability(213)
def test_an_error_branch_knows_the_error_and_takes_the_place_of_the_step(worker, database, world):
    told = "{{error.class}} in {{error.step}}, attempt {{error.attempt}}"
    branch = [SET | {"id": "instead", "config": {"value": told}}]
    steps = [
        BAD | {"id": "bad", "on_error": {"branch": branch}},
        SET | {"id": "next", "config": {"value": "{{steps.bad.output}}!"}},
    ]
    agent = wp.make_agent(world.operator.id, steps, inputs=OPEN, output="{{steps.next.output}}")
    execution = wp.start(agent, world.operator.id)
    assert wp.wait_for(database, execution)[:2] == ("completed", "reference in bad, attempt 1!")


def test_a_passed_deadline_ends_in_failed_and_keeps_the_outputs(worker, database, world, superuser):
    steps = [
        SET | {"id": "a"},
        {"id": "rest", "type": "delay", "for_s": 600, "dependencies": ["a"]},
    ]
    execution = wp.start(wp.make_agent(world.operator.id, steps), world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    superuser.execute("UPDATE execution SET deadline_at = pilot_now()")
    status, _, error, reason = wp.wait_for(database, execution)
    assert (status, error["class"], reason) == ("failed", "deadline", "deadline")
    found = [one[:3] for one in wp.attempts(database, execution)]
    assert found == [("a", 1, "completed"), ("rest", 1, "cancelled")]


@pytest.mark.capability(211)
def test_what_an_ended_execution_waited_for_is_closed(worker, database, world, superuser):
    execution = wp.start(
        wp.make_agent(world.operator.id, [KINDS["waiting"] | {"id": "ask"}]), world.operator.id
    )
    wp.wait_for(database, execution, {"waiting"})
    superuser.execute("UPDATE execution SET deadline_at = pilot_now()")
    assert wp.wait_for(database, execution)[0] == "failed"
    assert superuser.execute("SELECT decision FROM approval").fetchall() == [("cancelled",)]
    opened = "SELECT count(*) FROM wait WHERE consumed_at IS NULL"
    assert superuser.execute(opened).fetchone() == (0,)


@pytest.mark.capability(211)
@pytest.mark.parametrize("how", ["deadline", "cancel"])
def test_what_holds_unfinished_steps_does_not_run_on_in_an_ended_execution(
    worker, database, world, superuser, how
):
    rest = {"id": "rest", "type": "delay", "for_s": 600}
    each = {"id": "each", "type": "loop", "items": "[1]", "max_iterations": 1, "steps": [rest]}
    execution = wp.start(wp.make_agent(world.operator.id, [each]), world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    if how == "deadline":
        superuser.execute("UPDATE execution SET deadline_at = pilot_now()")
    else:
        executions.cancel(execution, by=world.operator.actor, user_id=world.operator.id)
    assert wp.wait_for(database, execution)[0] == {"deadline": "failed"}.get(how, "cancelled")
    assert wp.paths(database, execution) == {"each": "cancelled", "each[0]/rest": "cancelled"}
