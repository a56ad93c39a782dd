"""Agents of older builders: stored as they were written, they run unchanged."""

import email
import email.policy

import pytest

from pilot import db
from pilot.engine.agents import agents, portable
from pilot.engine.editor import display
from pilot.engine.language import catalogue
from pilot.engine.life import preflight, simulations, starts
from pilot.engine.life.forecast import forecast
from pilot.engine.triggers import triggers
from pilot.engine.triggers.schedules import Timing
from pilot.engine.workflow import document as documents
from pilot.errors import InvalidError
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.older.stored import store

FIELDS = [
    {"name": "to", "type": "email", "required": True},
    {"name": "most", "type": "number", "required": True},
]
ROWS = [{"name": "Ann", "due": 40}, {"name": "Bob", "due": 5}, {"name": "Cem", "due": 70}]
# As the table of an older builder held it: a list, without a format, its inputs beside it.
REMINDERS = [
    {"id": "step1", "type": "transform", "operation": "set", "config": {"value": ROWS}},
    {
        "id": "many",
        "type": "conditional",
        "condition": {
            "conditionType": "complex_and",
            "conditions": [
                {"conditionType": "simple", "field": "step1.data", "operator": "is_not_empty"},
                {"field": "input.most", "operator": "lt", "value": 100},
            ],
        },
        "trueBranch": "each",
        "falseBranch": "nobody",
    },
    {
        "id": "each",
        "type": "loop",
        "iterateOver": "{{step1.data}}",
        "maxIterations": 10,
        "loopSteps": [
            {
                "id": "said",
                "type": "transform",
                "operation": "set",
                "config": {"value": "{{current.name}} owes {{current.due}}"},
            }
        ],
    },
    {
        "id": "doubled",
        "type": "scatter_gather",
        "scatter": {
            "input": "{{step1.data}}",
            "itemVariable": "one",
            "steps": [
                {
                    "id": "twice",
                    "type": "transform",
                    "operation": "set",
                    "config": {"value": "{{one.due}}"},
                }
            ],
        },
        "gather": {"operation": "reduce", "reduceExpression": "sum"},
    },
    {
        "id": "tell",
        "type": "plugin_action",
        "plugin": "mail",
        "plugin_action": "send",
        "operation": "Send the reminders",
        "executeIf": {"field": "doubled.data.value", "operator": ">", "value": "{{input.most}}"},
        "params": {
            "to": ["{{input.to}}"],
            "subject": "{{doubled.data.value}} in all",
            "text": "Told: {{each.data.items}}",
        },
        "retryPolicy": {"maxRetries": 1, "backoffMs": 10},
    },
    {
        "id": "nobody",
        "type": "transform",
        "operation": "set",
        "config": {"value": "Nobody: {{step1.data}}"},
        "continueOnError": True,
    },
]
READ = ["step1", "many", "each", "doubled", "tell", "nobody"]


@pytest.fixture
def reminders(world, superuser):
    return store(superuser, world.operator, REMINDERS, inputs=FIELDS)


def sent(folder):
    """Return the mails that the owner's mailbox holds as sent."""
    files = (one for one in folder.rglob("*") if one.parent.name in {"cur", "new"})
    known = email.policy.default
    mails = [email.message_from_bytes(one.read_bytes(), policy=known) for one in files]
    return {one["Subject"]: one.get_body(("plain",)).get_content().strip() for one in mails}


def version_of(world, agent):
    with db.reading(world.operator.id) as session:
        found = agents.load(session, agent)
        version = agents.newest(session, found)
        return found, version, version.conversion


@pytest.mark.capability(175)
def test_a_stored_agent_runs_unchanged(worker, database, world, reminders, superuser, tmp_path):
    kept = "SELECT document::text, document_hash, inputs_schema::text FROM workflow_version"
    before = superuser.execute(kept).fetchall()
    execution = wp.start(reminders, world.operator.id, to="ann@pilot.test", most=100 - 1)
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error) == ("completed", None)
    rows = {path: (state, output) for path, _, state, output in wp.attempts(database, execution)}
    assert next(iter(rows)) == "step1"
    assert rows["many"][1]["result"] is True
    assert rows["each"][1]["items"] == ["Ann owes 40", "Bob owes 5", "Cem owes 70"]
    assert rows["doubled"][1]["value"] == 115
    assert (rows["tell"][0], rows["nobody"][0]) == ("completed", "skipped")
    assert sent(tmp_path) == {"115 in all": 'Told: ["Ann owes 40","Bob owes 5","Cem owes 70"]'}
    assert superuser.execute(kept).fetchall() == before, "nothing of what is stored was changed"


@pytest.mark.capability(175)
def test_its_other_branch_runs_where_its_condition_fails(worker, database, world, reminders):
    execution = wp.start(reminders, world.operator.id, to="ann@pilot.test", most=500)
    assert wp.wait_for(database, execution)[0] == "completed"
    paths = wp.paths(database, execution)
    assert (paths["each"], paths["nobody"]) == ("skipped", "completed")
    assert (paths["doubled"], paths["tell"]) == ("completed", "skipped")


@pytest.mark.capability(175)
def test_every_reader_sees_the_same_converted_steps(world, reminders):
    wp.switch_on()
    execution = wp.start(reminders, world.operator.id, to="ann@pilot.test", most=1)
    with db.reading(world.operator.id) as session:
        agent = agents.load(session, reminders)
        version = agents.newest(session, agent)
        read = documents.parse(version.document)
        assert [step.id for step in read.steps] == READ
        assert version.inputs_schema["required"] == ["to", "most"]
        lines = display.workflow_steps(agents.workflow_of(agent, version), catalogue.load())
        assert [one["id"] for one in lines][:3] == ["step1", "many", "each"]
        assert forecast(session, version.document, agent.id) is not None
        assert report.shown(session, execution).document == version.document
        assert (
            version.document["steps"]
            == portable.read(portable.text(agent, version).encode()).document["steps"]
        )
        asked = preflight.Asked(world.operator.id)
        looked = preflight.examine(session, agent, version, asked, preflight.UNTOLD)
    assert not looked.blocked


@pytest.mark.capability(175)
def test_it_is_simulated_and_scheduled(worker, database, world, reminders):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    given = {"to": "ann@pilot.test", "most": 1}
    begun = starts.start(reminders, starts.Start(mode="simulate", inputs=given), **who)
    assert wp.wait_for(database, begun)[0] == "completed"
    assert wp.paths(database, begun)["tell"] == "completed"
    simulations.begin(reminders, simulations.Asked(given, each=True), **who)
    daily = Timing(cron="0 7 * * *")
    with pytest.raises(InvalidError):  # without the inputs that its list of fields requires
        triggers.create(reminders, daily, **who)
    assert triggers.create(reminders, daily, given, **who)


@pytest.mark.capability(175)
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([{"id": "call", "step_type": "api_call", "operation": "x"}], "call, api_call, names no"),
        ([{"type": "rocket"}, {"type": "plugin_action"}], "no step type 'rocket'"),
        ([5, "x", None, {"type": "delay", "duration": "soon"}], "A step is an object"),
        ([1, 2, 3], "A step is an object"),
        ([], "steps"),
        ("text", "steps"),
        (7, "steps"),
        ({"pilot_steps": {"a": 1}}, "steps"),
        ({"workflow_steps": [{"type": ["list"], "id": {"a": 1}}]}, "The step has no type"),
        ([{"type": "switch", "cases": {"a": {"b": 1}}, "dependencies": 5}], "must be a list"),
        ([{"type": "loop", "iterateOver": 5, "loopSteps": "none"}], "steps must be a list"),
    ],
)
def test_what_cannot_be_converted_is_said_before_a_start(world, superuser, written, expected):
    wp.switch_on()
    agent = store(superuser, world.operator, written)
    with pytest.raises(InvalidError) as refused:
        wp.start(agent, world.operator.id)
    assert expected in " ".join(one.message for one in refused.value.issues)
    with db.reading(world.operator.id) as session:
        found = agents.load(session, agent)
        version = agents.newest(session, found)
        asked = preflight.Asked(world.operator.id)
        looked = preflight.examine(session, found, version, asked, preflight.UNTOLD)
    assert [item for item in looked.items if item.blocks and expected in item.problem]


@pytest.mark.capability(175)
def test_what_comes_in_by_the_door_is_kept_as_it_is(world):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    by = {"owner_id": world.operator.id, "by": world.operator.actor}
    written = {"pilot_steps": REMINDERS, "input_schema": FIELDS}
    made = agents.create(agents.NewAgent("Old"), written, **by).agent_id
    agent, version, conversion = version_of(world, made)
    assert (version.written, version.document_hash) == (written, documents.content_hash(written))
    assert version.document == conversion.document
    assert agent.grants == ["mail.send"]
    again = agents.save_version(made, written, reason="Same", base=1, **who)
    assert again.number == 1, "an equal save makes no version"
    ours = agents.save_version(made, version.document, reason="Edited", base=1, **who)
    assert version_of(world, made)[1].conversion is None
    assert (ours.number, agents.restore(made, 1, **who).number) == (2, 3)
    assert version_of(world, made)[1].written == written, "what is restored is what was written"
    copy = agents.duplicate(made, key=None, **who)
    assert version_of(world, copy)[1].written == written


@pytest.mark.capability(175)
def test_one_older_model_step_is_not_lost(world):
    written = [{"type": "ai_processing", "operation": "Sum up the news"}]
    by = {"owner_id": world.operator.id, "by": world.operator.actor}
    made = agents.create(agents.NewAgent("Old"), written, **by).agent_id
    agent, version, _ = version_of(world, made)
    assert version.written == written
    assert agent.prompt == "Sum up the news"
