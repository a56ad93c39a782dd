"""The setting that effects need an approval: nothing without one is saved, drafted or started."""

import pytest

from pilot import db, settings
from pilot.audit import Actor
from pilot.engine import validation
from pilot.engine.agents import agents
from pilot.engine.demo import loading
from pilot.engine.generation import drafts, surroundings
from pilot.engine.life import preflight, starts
from pilot.errors import InvalidError
from tests.engine import worker_process as wp

CODE = "E_APPROVAL_REQUIRED"
SEND = {
    "id": "send",
    "type": "action",
    "plugin": "mail",
    "action": "send",
    "params": {"to": ["ann@corp.test"], "subject": "Hello", "text": "Hello"},
}
GOALS = {
    "plain": "Stage 4 leads. Mail the table to me.",
    "asking": "Stage 4 leads. Ask for my approval, then mail the table to me.",
}


def demand(level, *domains):
    values = {"pilot_effects_approval": level, "pilot_internal_domains": [*domains]}
    settings.change_all(values, by=Actor("test"))


def start(agent, world, setup=preflight.UNTOLD, **asked):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    return starts.start(agent, starts.Start(**asked), **who, setup=setup)


def refusal(agent, world, **asked):
    with pytest.raises(InvalidError) as refused:
        start(agent, world, **asked)
    (issue,) = refused.value.issues
    return issue


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, [SEND])


def test_a_rule_that_became_stricter_refuses_what_was_saved_before(agent, world, superuser):
    start(agent, world)
    demand("all")
    for mode in starts.MODES:
        issue = refusal(agent, world, mode=mode)
        assert (issue.code, issue.step, issue.path) == (CODE, "send", "/steps/0")
        assert "the setting pilot_effects_approval wants a person's approval" in issue.message
        assert issue.link == f"/agents/{agent}/workflow/edit"
    assert superuser.execute("SELECT count(*) FROM execution").fetchone() == (1,)


def test_the_preflight_says_so_before(agent, world, tmp_path):
    demand("external")
    with db.reading(world.operator.id) as session:
        row = agents.load(session, agent)
        asked, setup = preflight.Asked(world.operator.id), preflight.Setup(tmp_path)
        found = preflight.examine(session, row, agents.newest(session, row), asked, setup)
    assert [one.step for one in found.items if one.blocks and one.code == CODE] == ["send"]


def test_what_stays_within_the_internal_domains_starts(agent, world):
    demand("external", "corp.test")
    assert start(agent, world)
    demand("external", "other.test")
    assert refusal(agent, world).code == CODE


def test_a_version_without_the_approval_is_not_saved(agent, world):
    demand("all")
    own = {"by": world.operator.actor, "user_id": world.operator.id}
    body = {"format": 1, "name": "Test", "steps": [SEND | {"name": "Other"}]}
    with pytest.raises(InvalidError, match="wants a person's approval") as refused:
        agents.save_version(agent, body, reason="x", base=1, **own)
    fixed = validation.apply_fix(body, refused.value.issues[0])
    agents.save_version(agent, fixed, reason="x", base=1, **own)
    assert start(agent, world)


def test_an_agent_that_a_step_starts_is_held_to_the_rule(
    database, redis_url, agent, world, tmp_path, superuser
):
    owner = world.operator.id
    parent = wp.make_agent(owner, [{"id": "sub", "type": "sub_workflow", "agent": str(agent)}])
    demand("all")
    ended = "SELECT error FROM step_execution WHERE execution_id = %s AND status = 'failed'"
    with wp.working(wp.config(database, redis_url, tmp_path)):
        made = wp.start(parent, owner)
        wp.until(lambda: superuser.execute(ended, [made]).fetchone())
    ((error,),) = superuser.execute(ended, [made]).fetchall()
    assert "pilot_effects_approval wants a person's approval" in error["message"]
    assert superuser.execute("SELECT count(*) FROM execution").fetchone() == (1,)


def test_the_simple_loop_asks_nobody_so_it_is_refused_its_effects(agent, world):
    models = preflight.Setup(has_models=True)
    start(agent, world, simple=True, prompt="Do it.", setup=models)
    demand("external", "corp.test")
    issue = refusal(agent, world, simple=True, prompt="Do it.", setup=models)
    assert issue.code == CODE
    assert "may call mail.send without asking anybody" in issue.message


def test_drafts_get_the_approval_and_keep_one_that_was_asked_for(world, tmp_path):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    loading.load(data=tmp_path, **who)
    demand("all")
    for name, goal in GOALS.items():
        made = drafts.begin(goal, data=tmp_path, **who)
        with db.reading(world.operator.id) as session:
            row = drafts.load(session, made)
        kinds = [one["type"] for one in row.document["steps"]]
        assert (row.issues, kinds.count("human_approval")) == ([], 1)
        assert start(drafts.accept(made, name, data=tmp_path, **who).agent_id, world)


def test_the_demo_starts_under_the_rule(world, tmp_path):
    demand("all")
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    made = loading.load(data=tmp_path, **who)
    assert made.agents
    for one in made.agents.values():
        assert start(one, world)


def test_the_editor_knows_the_rule(world, tmp_path):
    demand("external", "corp.test")
    known = surroundings.known_actions(tmp_path, world.operator.id)
    document = {"format": 1, "steps": [SEND]}
    assert CODE not in [one.code for one in validation.validate(document, known)]
    demand("all")
    known = surroundings.known_actions(tmp_path, world.operator.id)
    assert CODE in [one.code for one in validation.validate(document, known)]
