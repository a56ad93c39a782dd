"""Agents: what a document of one model step keeps, and what makes it pilot steps."""

import pytest

from pilot import db
from pilot.engine.agents import agents
from tests.engine.worker_process import BY

BARE = {
    "id": "decide",
    "type": "llm_decision",
    "prompt": "Sort the mail",
    "actions": ["mail.search"],
}


def made(world, step, **document):
    new = agents.NewAgent("One", goal="the goal")
    body = {"format": 1, "steps": [step]} | document
    saved = agents.create(new, body, owner_id=world.operator.id, by=BY)
    with db.reading(world.operator.id) as session:
        agent = agents.load(session, saved.agent_id)
        return agent, agents.newest(session, agent)


@pytest.mark.capability(14)
def test_a_bare_model_step_becomes_the_prompt_of_the_simple_loop(world):
    agent, version = made(world, BARE)
    assert version.document is None
    assert (agent.prompt, agent.grants) == ("Sort the mail", ["mail.search"])
    assert version.workflow_steps, "the display list is there all the same"


@pytest.mark.capability(12)
@pytest.mark.parametrize("more", [{"input": "inputs.text"}, {"output_schema": {"type": "object"}}])
def test_a_model_step_with_data_or_a_schema_is_kept(world, more):
    step = {"id": "ask", "type": "ai_processing", "prompt": "Shorten it"} | more
    inputs = {"type": "object", "properties": {"text": {"type": "string"}}}
    _, version = made(world, step, inputs=inputs)
    assert version.document["steps"] == [step]


@pytest.mark.parametrize(
    "more", [{"policies": {"budget": {"cost_usd": "0.10"}}}, {"defaults": {"timeout_s": 30}}]
)
def test_a_model_step_keeps_what_its_document_says_beside_it(world, more):
    _, version = made(world, BARE, **more)
    assert version.document["steps"] == [BARE]
    assert version.document | more == version.document


def test_an_agent_is_found_by_id_and_by_its_only_name(world):
    agent, _ = made(world, BARE)
    with db.reading(world.operator.id) as session:
        assert agents.find(session, str(agent.id)).id == agents.find(session, "One").id
