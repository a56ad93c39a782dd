"""Preflight: every obstacle is found before a start, and nothing is started."""

import re
import time

import pytest

from pilot import db
from pilot.engine.agents import agents
from pilot.engine.life import preflight
from pilot.errors import InvalidError
from tests.engine import worker_process as wp

READ = {
    "id": "read",
    "type": "action",
    "plugin": "tables",
    "action": "read_range",
    "params": {"table": "{{inputs.table}}"},
}
SCHEMA = {"type": "object", "required": ["table"], "properties": {"table": {"type": "string"}}}


def examine(agent_id, world, tmp_path):
    with db.reading(world.operator.id) as session:
        agent = agents.load(session, agent_id)
        version = agents.newest(session, agent)
        asked = preflight.Asked(world.operator.id)
        return preflight.examine(session, agent, version, asked, preflight.Setup(tmp_path))


@pytest.mark.capability(174)
def test_a_missing_input_is_named_before_anything_runs(world, tmp_path):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [READ], inputs=SCHEMA)
    found = examine(agent, world, tmp_path)
    assert ("inputs", "/table") in {(one.where, one.field) for one in found.items}
    agents.save_inputs(agent, {"table": "x.csv"}, user_id=world.operator.id)
    assert "inputs" not in {one.where for one in examine(agent, world, tmp_path).items}


@pytest.mark.capability(174)
def test_an_action_that_was_taken_away_blocks_and_names_its_step(world, tmp_path, superuser):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [READ], inputs=SCHEMA)
    superuser.execute("UPDATE agent SET grants = '{}'")
    found = examine(agent, world, tmp_path)
    assert found.blocked
    assert "read" in {one.step for one in found.items if one.blocks}


@pytest.mark.capability(174)
@pytest.mark.parametrize(
    ("fields", "blocks"),
    [
        ({"approvers": ["user:nobody@example.com"]}, [True]),
        ({"approvers": ["user:{viewer}"]}, [True]),
        ({"approvers": ["owner", "user:nobody@example.com"]}, [False]),
        ({"approvers": ["user:{APPROVER}"]}, []),
        ({"approvers": ["user:{viewer}", "role:admin"]}, [False]),
        ({"approvers": ["user:{approver}", "role:approver", "user:{{{{inputs.boss}}}}"]}, []),
        ({"type": "form", "fields": {"type": "object"}, "assignees": ["user:x@example.com"]},
         [True]),
        ({"approvers": ["owner"], "on_timeout": "escalate",
          "escalation": [{"approvers": ["user:x@example.com", "user:y@example.com"]}]},
         [False, False]),
    ],
)  # fmt: skip
def test_people_who_cannot_answer_are_named_before_anything_runs(world, tmp_path, fields, blocks):
    wp.switch_on()
    emails = {"viewer": world.viewer.email, "approver": world.approver.email}
    emails["APPROVER"] = world.approver.email.upper()
    for key in fields.keys() & {"approvers"}:
        fields = fields | {key: [one.format(**emails) for one in fields[key]]}
    ask = {"id": "ask", "type": "human_approval", "title": "Go?", **fields}
    inputs = {"type": "object", "properties": {"boss": {"type": "string"}}}
    agent = wp.make_agent(world.operator.id, [ask], inputs=inputs)
    found = [one for one in examine(agent, world, tmp_path).items if one.code == "E_APPROVERS"]
    assert [(one.blocks, one.step) for one in found] == [(one, "ask") for one in blocks]
    assert all("invite " in one.problem for one in found)
    if True in blocks:
        with pytest.raises(InvalidError, match="invite "):
            wp.start(agent, world.operator.id)


@pytest.mark.capability(237, 266)
@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"rule": "quorum", "k": 2, "approvers": ["role:approver"]}, "2 .* but only 1 of those"),
        (
            {"rule": "quorum", "k": 2, "approvers": ["role:approver", "owner"]}
            | {"self_approval": False},
            "2 .* but only 1 of those",
        ),
        (
            {"approvers": ["user:operator@pilot.test"], "self_approval": False},
            "nobody else is asked",
        ),
        ({"rule": "quorum", "k": 2, "approvers": ["role:approver", "owner"]}, None),
        ({"approvers": ["role:approver", "owner"], "self_approval": False}, None),
        (
            {"rule": "quorum", "k": 2, "approvers": ["owner", "user:{{inputs.boss}}"]},
            None,  # known when it runs
        ),
    ],
)
def test_too_few_who_may_decide_are_told_before_anything_runs(world, tmp_path, fields, problem):
    wp.switch_on()
    ask = {"id": "ask", "type": "human_approval", "title": "Go?", **fields}
    inputs = {"type": "object", "properties": {"boss": {"type": "string"}}}
    agent = wp.make_agent(world.operator.id, [ask], inputs=inputs)
    found = [one for one in examine(agent, world, tmp_path).items if one.code == "E_APPROVERS"]
    if problem is None:
        assert found == []
        return
    (item,) = found
    assert (item.blocks, item.field) == (True, "/steps/0/approvers")
    assert re.search(problem, item.problem)
    with pytest.raises(InvalidError, match=problem):
        wp.start(agent, world.operator.id)


@pytest.mark.capability(266)
def test_three_missing_inputs_and_a_lost_grant_are_four_items_in_half_a_second(
    world, tmp_path, superuser
):
    wp.switch_on()
    names = ["table", "b", "c"]
    schema = {
        "type": "object",
        "required": names,
        "properties": {name: {"type": "string"} for name in names},
    }
    plain = [{"id": f"s{n}", "type": "delay", "for_s": 1} for n in range(40)]
    agent = wp.make_agent(world.operator.id, [READ, *plain], inputs=schema)
    superuser.execute("UPDATE agent SET grants = '{}'")
    begun = time.thread_time()
    found = examine(agent, world, tmp_path)
    assert time.thread_time() - begun < 2
    kept = [one for one in found.items if one.where in {"inputs", "workflow"}]
    places = [(one.where, one.step, one.field) for one in kept if one.blocks or one.step == ""]
    assert places == [
        *(("inputs", "", f"/{name}") for name in names),
        ("workflow", "read", "/steps/0/action"),
    ]


@pytest.mark.capability(266)
def test_who_may_not_start_it_is_told_so(world, tmp_path):
    agent = wp.make_agent(world.operator.id, [READ], inputs=SCHEMA)
    with db.reading(world.admin.id, sees_all=True) as session:
        row = agents.load(session, agent)
        for asked in (
            preflight.Asked(world.admin.id),
            preflight.Asked(world.operator.id, may_start=False),
        ):
            found = preflight.examine(session, row, None, asked, preflight.Setup(tmp_path))
            assert found.items[0].where == "permission"
            assert found.blocked


@pytest.mark.capability(266)
def test_it_starts_nothing(world, tmp_path, superuser):
    agent = wp.make_agent(world.operator.id, [READ], inputs=SCHEMA)
    examine(agent, world, tmp_path)
    assert superuser.execute("SELECT count(*) FROM execution").fetchone() == (0,)
