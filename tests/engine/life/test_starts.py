"""Starting: which document runs and why, with which inputs, once for each request."""

from itertools import product

import pytest

from pilot import settings
from pilot.engine.agents import agents
from pilot.engine.life import executions, starts
from pilot.engine.life.preflight import Choice, choose
from pilot.engine.life.starts import Start
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.models.execution import Execution
from tests.engine.together import at_once
from tests.engine.worker_process import BY

STEP = {"id": "a", "type": "transform", "operation": "set", "config": {"value": 1}}
INPUTS = {
    "type": "object",
    "required": ["table"],
    "properties": {
        "table": {"type": "string"},
        "days": {"type": "integer", "default": 10},
        "note": {"type": "string"},
    },
}
TABLE = {
    # enabled, has pilot steps, override: what runs, and why
    (True, True, False): Choice("pilot_steps", "pilot_steps"),
    (True, True, True): Choice("one_step", "override"),
    (True, False, False): Choice("one_step", "no_pilot_steps"),
    (True, False, True): Choice("one_step", "no_pilot_steps"),
    (False, True, False): Choice("one_step", "pilot_disabled"),
    (False, True, True): Choice("one_step", "override"),
    (False, False, False): Choice("one_step", "no_pilot_steps"),
    (False, False, True): Choice("one_step", "no_pilot_steps"),
}
WRITTEN_LATER = {  # or by the database itself
    *("status_reason", "fence", "worker_id", "wake_at", "admitted", "recovery_attempts"),
    *("cancel_requested_at", "pause_requested_at", "state_schema", "event_seq", "held_by_parent"),
    *("reserved_usd", "spent_usd", "reserved_tokens", "spent_tokens", "cost_usd", "tokens"),
    *("unpriced_calls", "wasted_calls", "recorded_calls", "name_key", "cost_key", "duration_key"),
    *("output", "output_blob", "error", "created_at", "started_at", "finished_at", "pruned_at"),
}
SHOW = (
    "SELECT runs, runs_reason, mode, status, inputs, prompt, document, version_number, worker_id,"
    " settings, session_id, started_by FROM execution WHERE id = %s"
)


@pytest.fixture
def begin(world, superuser):
    """Give `begin(agent, **asked)`: starts it as the operator and returns the row by column."""

    def start(agent, *, person=world.operator, **asked):
        found = starts.start(agent, Start(**asked), by=person.actor, user_id=person.id)
        cursor = superuser.execute(SHOW, [found])
        names = [column.name for column in cursor.description]
        return {"id": found} | dict(zip(names, cursor.fetchone(), strict=True))

    return start


@pytest.fixture
def agent(world):
    """Give `agent(steps=..., prompt=...)`: makes one of the operator and returns its id."""

    def make(*, steps=(STEP,), prompt="Do it.", owner=world.operator, **document):
        body = {"format": 1, "steps": list(steps)} | document if steps else None
        new = agents.NewAgent("Test", prompt=prompt)
        return agents.create(new, body, owner_id=owner.id, by=BY).agent_id

    return make


def switch(on):
    settings.change("pilot_enabled", on, by=BY)


def count(superuser, table, where="true"):
    return superuser.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]  # noqa: S608


@pytest.mark.capability(3)
@pytest.mark.parametrize("case", list(product([True, False], repeat=3)))
def test_pilot_steps_run_if_enabled_present_and_not_overridden(case):
    enabled, has_steps, override = case
    found = choose(enabled=enabled, has_pilot_steps=has_steps, override=override)
    assert found == TABLE[case]
    assert (found.runs == "pilot_steps") is (enabled and has_steps and not override)


@pytest.mark.capability(1, 3, 4, 166)
def test_the_document_that_runs_and_the_reason_are_recorded(begin, agent, superuser):
    with_steps, without = agent(), agent(steps=())
    for case, wanted in TABLE.items():
        enabled, has_steps, override = case
        switch(enabled)
        row = begin(with_steps if has_steps else without, simple=override)
        assert (row["runs"], row["runs_reason"]) == (wanted.runs, wanted.reason), case
        one_step = row["document"] and [one["type"] for one in row["document"]["steps"]]
        assert one_step == (None if wanted.runs == "pilot_steps" else ["llm_decision"])
        disabled = f"event = 'PILOT_DISABLED' AND chain = '{row['id']}'"
        assert count(superuser, "audit", disabled) == (wanted.reason == "pilot_disabled")
        assert row["settings"]["pilot_enabled"] is enabled


@pytest.mark.capability(1)
def test_the_master_switch_is_off_at_first(begin, agent):
    assert begin(agent())["runs_reason"] == "pilot_disabled"


@pytest.mark.capability(1)
def test_without_a_prompt_there_is_nothing_to_run_when_switched_off(begin, agent, superuser):
    silent, empty = agent(prompt="  "), agent(steps=(), prompt="")
    with pytest.raises(ConflictError, match=r"Pilot is switched off.*no prompt.*System config"):
        begin(silent)
    with pytest.raises(ConflictError, match="neither pilot steps nor a prompt"):
        begin(empty)
    assert count(superuser, "execution") == 0
    assert begin(silent, prompt="Now this.")["runs_reason"] == "pilot_disabled"
    switch(True)
    assert begin(silent)["runs"] == "pilot_steps"
    with pytest.raises(ConflictError, match="neither pilot steps nor a prompt"):
        begin(silent, simple=True)


@pytest.mark.capability(5)
def test_another_prompt_holds_for_one_execution_only(begin, agent, superuser):
    switch(True)
    one = agent(steps=())
    prompts = [
        begin(one, **asked)["document"]["steps"][0]["prompt"]
        for asked in ({"prompt": "Only today."}, {})
    ]
    assert "Only today." in prompts[0]
    assert "Only today." not in prompts[1]
    assert "Do it." in prompts[1]
    assert superuser.execute("SELECT prompt FROM agent").fetchone() == ("Do it.",)


@pytest.mark.capability(6)
def test_a_test_takes_the_inputs_of_the_request_and_saves_none(begin, agent, world, superuser):
    switch(True)
    one = agent(inputs=INPUTS)
    agents.save_inputs(one, {"table": "saved.csv", "note": "n"}, user_id=world.operator.id)
    row = begin(one, mode="test", inputs={"table": "other.csv"})
    assert row["mode"] == "test"
    assert row["inputs"] == {"table": "other.csv", "days": 10}
    assert count(superuser, "agent_configuration") == 1
    with pytest.raises(InvalidError):
        begin(one, mode="test")


@pytest.mark.capability(7)
def test_a_run_takes_the_newest_saved_inputs_below_those_given(begin, agent, world):
    switch(True)
    one = agent(inputs=INPUTS)
    for saved in ({"table": "old.csv", "note": "old"}, {"table": "new.csv", "days": 3}):
        agents.save_inputs(one, saved, user_id=world.operator.id)
    assert begin(one)["inputs"] == {"table": "new.csv", "days": 3}
    assert begin(one, inputs={"days": 5})["inputs"] == {"table": "new.csv", "days": 5}


@pytest.mark.capability(7)
def test_without_saved_inputs_a_run_has_none(begin, agent):
    switch(True)
    assert begin(agent())["inputs"] == {}


@pytest.mark.capability(7)
def test_what_somebody_else_saved_is_not_taken(begin, agent, superuser, world):
    switch(True)
    one = agent(inputs=INPUTS)
    agents.save_inputs(one, {"table": "mine.csv"}, user_id=world.operator.id)
    superuser.execute("UPDATE agent_configuration SET user_id = %s", [world.viewer.id])
    with pytest.raises(InvalidError):
        begin(one)


@pytest.mark.capability(8)
@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({}, "E_INPUT_MISSING", "/table"),
        ({"table": "a.csv", "more": 1}, "E_INPUT_UNKNOWN", "/more"),
        ({"table": 5}, "E_INPUT_TYPE", "/table"),
    ],
)
def test_inputs_that_misfit_refuse_the_start_by_name(begin, agent, superuser, given, code, path):
    switch(True)
    one = agent(inputs=INPUTS)
    with pytest.raises(InvalidError) as caught:
        begin(one, inputs=given)
    assert caught.value.status == 422
    assert [(issue.code, issue.path) for issue in caught.value.issues] == [(code, path)]
    assert path[1:] in caught.value.message
    assert count(superuser, "execution") == 0


@pytest.mark.capability(8)
def test_the_schema_of_the_saved_inputs_holds_where_the_document_has_none(
    begin, agent, superuser, world
):
    one = agent(steps=())
    agents.save_inputs(one, {"note": "n"}, user_id=world.operator.id)
    superuser.execute(
        "UPDATE agent_configuration SET inputs_schema = %s::json",
        ['{"type":"object","required":["table"],"properties":{"note":{"type":"string"}}}'],
    )
    with pytest.raises(InvalidError, match="table"):
        begin(one)


def test_inputs_have_at_most_a_megabyte(begin, agent, superuser):
    switch(True)
    one = agent(inputs=INPUTS)
    for text in ("x" * 1024 * 1024, "ü" * 600_000):
        with pytest.raises(InvalidError, match="larger than 1 MiB") as caught:
            begin(one, inputs={"table": text})
        assert caught.value.issues[0].code == "E_LIMIT"
    assert count(superuser, "execution") == 0
    assert begin(one, inputs={"table": "x" * 1_000_000})["status"] == "queued"


def test_an_unknown_mode_is_refused(begin, agent):
    switch(True)
    with pytest.raises(InvalidError, match="run, test, simulate"):
        begin(agent(), mode="simulated")


@pytest.mark.capability(165)
def test_the_row_is_there_before_anything_runs(begin, agent, superuser, world):
    switch(True)
    row = begin(agent(inputs=INPUTS), inputs={"table": "a.csv"})
    assert row["status"] == "queued"
    assert row["worker_id"] is None
    assert row["version_number"] == 1
    assert row["inputs"] == {"table": "a.csv", "days": 10}
    assert row["started_by"] == world.operator.id
    assert count(superuser, "step_execution") == 0
    facts = superuser.execute("SELECT seq, kind, data FROM event").fetchall()
    assert [(seq, kind, data["status"]) for seq, kind, data in facts] == [
        (1, "execution", "queued")
    ]
    assert facts[0][2]["session"] == str(row["session_id"])


def test_all_that_a_new_execution_may_have_is_stored(database, superuser):
    query = "SELECT pg_get_functiondef('begin_execution(json,json,json,text[])'::regprocedure)"
    (written,) = superuser.execute(query).fetchone()
    names = {column.name for column in Execution.__table__.columns}
    left_out = {name for name in names if f"x.{name}" not in written}
    assert left_out - {"inputs"} == WRITTEN_LATER


def test_each_execution_has_a_session_of_its_own(begin, agent):
    switch(True)
    one = agent()
    assert len({begin(one)["session_id"] for _ in range(3)}) == 3


@pytest.mark.capability(166)
def test_a_change_of_the_switch_holds_for_the_next_start_without_restart(begin, agent):
    one, found = agent(), []
    for on in (True, False, True):
        switch(on)
        found.append(begin(one)["runs"])
    assert found == ["pilot_steps", "one_step", "pilot_steps"]


@pytest.fixture
def keyed(agent, world):
    """Give a function that starts the same agent under a key."""
    switch(True)
    one = agent(inputs=INPUTS | {"required": []})

    def start(key="k1", **inputs):
        asked = Start(key=key, inputs=inputs)
        return starts.start(one, asked, by=world.operator.actor, user_id=world.operator.id)

    return start


@pytest.mark.capability(214)
def test_fifty_equal_requests_at_once_start_one_execution(keyed, superuser):
    found = at_once(*[keyed] * 50)
    assert len(set(found)) == 1
    assert count(superuser, "execution") == 1
    assert count(superuser, "audit", "event = 'PILOT_EXECUTION_STARTED'") == 1
    assert count(superuser, "event") == 1


@pytest.mark.capability(214)
def test_a_key_belongs_to_one_body_for_a_day(keyed, superuser):
    first = keyed(days=1)
    assert keyed(days=1) == first
    with pytest.raises(InvalidError, match="used for another request"):
        keyed(days=2)
    assert keyed("k2", days=2) != first
    assert keyed(None, days=1) != first
    superuser.execute("UPDATE request_key SET created_at = pilot_now() - interval '25 hours'")
    assert keyed(days=2) != first
    assert count(superuser, "execution") == 4


def test_a_refused_start_leaves_its_key_free(keyed, superuser):
    with pytest.raises(InvalidError):
        keyed(days="many")
    assert count(superuser, "request_key") == 0
    assert keyed(days=1)


def test_an_agent_that_is_off_absent_or_not_mine_is_not_started(begin, agent, world, superuser):
    switch(True)
    mine, theirs, gone = agent(), agent(owner=world.stranger), agent()
    agents.set_active(mine, False, by=BY, user_id=world.operator.id)
    with pytest.raises(ConflictError, match="Test is switched off"):
        begin(mine)
    with pytest.raises(NotFoundError):
        begin(theirs)
    superuser.execute("UPDATE agent SET deleted_at = pilot_now() WHERE id = %s", [gone])
    with pytest.raises(NotFoundError):
        begin(gone)
    assert count(superuser, "execution") == 0


@pytest.mark.capability(28)
def test_an_execution_of_a_deleted_agent_stays_readable_but_does_not_go_on(
    begin, agent, world, superuser
):
    switch(True)
    row = begin(agent())
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    executions.pause(row["id"], **who)
    superuser.execute("UPDATE agent SET deleted_at = pilot_now()")
    with pytest.raises(NotFoundError, match="The agent Test was deleted"):
        executions.resume(row["id"], **who)
    assert superuser.execute(SHOW, [row["id"]]).fetchone()[3] == "paused"
