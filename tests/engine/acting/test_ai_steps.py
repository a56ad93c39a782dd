"""AI steps on a real worker, with recorded answers: results, the ledger, failures."""

from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text

from pilot import db, strictjson
from pilot.engine.life import executions
from pilot.llm.providers.scripted import LABEL
from tests.engine import worker_process as wp

KIND = {
    "type": "object",
    "properties": {"kind": {"enum": ["order", "other"]}},
    "required": ["kind"],
}
CLASSIFY = {
    "id": "classify",
    "type": "ai_processing",
    "prompt": "Which kind of mail is this?",
    "input": "inputs.mail",
    "intent": "extract",
    "output_schema": KIND,
}
# A document of one model step alone would run as the simple loop.
THEN = {"id": "then", "type": "transform", "operation": "set", "config": {"value": 1}}
INPUTS = {"type": "object", "properties": {"mail": {"type": "string"}}}


@contextmanager
def answering(database, redis_url, folder, *rules):
    """Run a worker whose models are these recorded answers."""
    script = folder / "answers.json"
    script.write_text(strictjson.dumps({"rules": list(rules)}))
    wp.switch_on()
    with wp.working(replace(wp.config(database, redis_url, folder), script=script)) as resident:
        yield resident


@pytest.fixture
def worker_without_model(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


@pytest.fixture
def answers(database, redis_url, world, tmp_path):
    return lambda *rules: answering(database, redis_url, tmp_path, *rules)


def make(owner, step=CLASSIFY):
    steps = [step, THEN | {"dependencies": ["classify"]}]
    return wp.make_agent(owner, steps, inputs=INPUTS, output="{{steps.classify.output}}")


def calls(database, execution_id):
    with psycopg.connect(db.dsn(database), options="-c role=pilot_app") as connection:
        connection.execute("SELECT set_config('app.sees_all', 'on', true)")
        cursor = connection.cursor(row_factory=dict_row)
        query = "SELECT * FROM call WHERE execution_id = %s ORDER BY at, path, attempt, number"
        return cursor.execute(query, (execution_id,)).fetchall()


@pytest.mark.capability(76, 77, 162)
def test_an_answer_is_the_output_and_its_cost_is_a_row(answers, database, world):
    owner = world.operator.id
    rule = {"answer": {"kind": "order"}, "usage": {"input": 90, "cache_read": 10, "output": 7}}
    with answers(rule):
        agent = make(owner)
        execution = wp.start(agent, owner, mail="I want two")
        status, output, error, _ = wp.wait_for(database, execution)
    assert (status, output, error) == ("completed", {"kind": "order"}, None)
    (row,) = calls(database, execution)
    assert (row["path"], row["attempt"], row["number"], row["role"]) == ("classify", 1, 1, "step")
    assert (row["state"], row["outcome"], row["wasted"]) == ("settled", "ok", False)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (90, 10, 7)
    assert (row["provider"], row["model_billed"], row["intent"]) == ("scripted", LABEL, "extract")
    assert (row["cost"], row["owner_id"], row["agent_id"]) == (0, owner, agent)


def test_an_answer_that_misfits_fails_the_step_and_both_attempts_are_wasted_rows(
    answers, database, world
):
    with answers({"answer": "Order, I think"}):
        agent = make(world.operator.id)
        execution = wp.start(agent, world.operator.id, mail="I want two")
        status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"], error["step"]) == ("failed", "schema", "classify")
    rows = calls(database, execution)
    assert [(one["role"], one["reason"], one["wasted"]) for one in rows] == [
        ("step", "schema", True),
        ("repair", "schema", True),
    ]
    assert {one["state"] for one in rows} == {"settled"}


def test_without_a_model_the_step_says_so_and_nothing_is_booked(
    worker_without_model, database, world
):
    agent = make(world.operator.id)
    execution = wp.start(agent, world.operator.id, mail="I want two")
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "config")
    assert error["message"].startswith("No model can be asked")
    assert calls(database, execution) == []


@pytest.mark.capability(284)
def test_an_empty_input_makes_no_call_and_no_row(answers, database, world):
    with answers({"answer": {"kind": "order"}}):
        agent = make(world.operator.id)
        execution = wp.start(agent, world.operator.id, mail="")
        status, output, _, _ = wp.wait_for(database, execution)
    assert (status, output) == ("completed", None)
    assert calls(database, execution) == []


def test_a_cancel_does_not_wait_for_the_model(answers, database, world):
    user = world.operator
    with answers({"answer": "late", "latency_s": 5}):
        agent = make(user.id)
        execution = wp.start(agent, user.id, mail="I want two")
        wp.until(lambda: calls(database, execution))
        executions.cancel(execution, by=user.actor, user_id=user.id)
        wp.wait_for(database, execution, {"cancelled"}, seconds=3)
        (row,) = calls(database, execution)
    assert (row["state"], row["wasted"], row["flags"]) == ("lost", True, ["cost_estimated"])


def test_a_pause_that_comes_with_the_last_step_takes_no_output_away(answers, database, world):
    user = world.operator
    with answers({"answer": {"kind": "order"}, "latency_s": 0.4}):
        agent = wp.make_agent(
            user.id, [CLASSIFY], inputs=INPUTS, output="{{steps.classify.output.kind}}"
        )
        execution = wp.start(agent, user.id, mail="I want two")
        wp.until(lambda: calls(database, execution))
        executions.pause(execution, by=user.actor, user_id=user.id)
        found = wp.wait_for(database, execution, {"completed", "paused"})
    assert found[:2] == ("completed", "order")


def test_a_call_whose_step_ran_out_of_time_is_lost_at_its_worst(answers, database, world):
    with answers({"answer": "late", "latency_s": 5}):
        step = CLASSIFY | {"timeout_s": 0.2, "retry": {"max_attempts": 1}}
        agent = make(world.operator.id, step)
        execution = wp.start(agent, world.operator.id, mail="I want two")
        status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "timeout")
    (row,) = calls(database, execution)
    assert row["state"] in {"settled", "lost"}
    assert row["wasted"]


def test_a_settled_row_stays_as_it_is(answers, database, world):
    with answers({"answer": {"kind": "order"}}):
        agent = make(world.operator.id)
        execution = wp.start(agent, world.operator.id, mail="I want two")
        wp.wait_for(database, execution)
    before = calls(database, execution)
    with (
        psycopg.connect(db.dsn(database), options="-c role=pilot_app") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("UPDATE call SET cost = 1")
    assert calls(database, execution) == before


def test_others_do_not_see_what_was_spent(answers, database, world):
    with answers({"answer": {"kind": "order"}}):
        agent = make(world.operator.id)
        wp.wait_for(database, wp.start(agent, world.operator.id, mail="I want two"))
    count = text("SELECT count(*) FROM call")
    with db.reading(world.stranger.id) as session:
        assert session.scalar(count) == 0
    with db.reading(world.operator.id) as session:
        assert session.scalar(count) == 1


@pytest.mark.capability(310)
def test_a_model_gets_a_digest_of_large_data_and_no_prompt_of_their_size(
    answers, database, world, superuser
):
    rows = {"id": "rows", "type": "transform", "operation": "set"}
    rows |= {"config": {"value": ["{{inputs.mail}}"] * 30}}
    large = CLASSIFY | {"input": "steps.rows.output"}
    pasted = CLASSIFY | {"id": "pasted", "prompt": "Sort {{steps.rows.output}}", "input": None}
    pasted |= {"on_error": "continue"}
    with answers({"answer": {"kind": "order"}}):
        agent = wp.make_agent(world.operator.id, [rows, large, pasted], inputs=INPUTS)
        execution = wp.start(agent, world.operator.id, mail="x" * 10_000)
        assert wp.wait_for(database, execution)[0] == "completed_with_errors"
    assert len(calls(database, execution)) == 1
    facts = "SELECT path, input, error ->> 'message' FROM step_execution WHERE path <> 'rows'"
    found = {path: more for path, *more in superuser.execute(facts).fetchall()}
    sent = found["classify"][0]["input"]
    assert (sent["type"], sent["length"], sent["size_bytes"]) == ("array", 30, 300_091)
    assert sent["first"] == ["x" * 100 + "..."] * 3
    assert "300,0" in found["pasted"][1]
    assert "Name large data in input" in found["pasted"][1]
