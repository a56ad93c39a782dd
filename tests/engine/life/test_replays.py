"""Past executions as tests: replayed offline on what they recorded, compared step by step."""

from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from pilot import db, vault
from pilot.engine import folders
from pilot.engine.agents import agents
from pilot.engine.approvals import approvals
from pilot.engine.life import replays, simulations
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.reports import replays as report
from tests.engine import worker_process as wp
from tests.engine.acting.test_ai_steps import calls
from tests.engine.generation.asked import set_up

OPEN = {"type": "object", "additionalProperties": True}
KIND = {
    "type": "object",
    "properties": {"kind": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["kind"],
}
ASK = {
    "id": "ask",
    "type": "ai_processing",
    "prompt": "Which kind of mail is this?",
    "input": "inputs.mail",
    "output_schema": KIND,
}
PAY = {"id": "pay", "type": "human_approval", "title": "Send it?", "approvers": ["role:approver"]}
ORDER = {"reply": {"kind": "order", "sure": True}}


def send(name, subject, **more):
    params = {"to": ["ann@example.com"], "subject": subject, "text": "There."}
    step = {"id": name, "type": "action", "plugin": "mail", "action": "send", "params": params}
    return step | more


def sorting(subject="An {{steps.ask.output.kind}}", limit=1):
    """Return steps of most kinds: a model, a branch, a failure, a loop, a wait, an approval."""
    return [
        ASK,
        wp.put("when", "{{now()}}"),
        {"id": "rest", "type": "delay", "for_s": 0.01},
        {
            "id": "fetch",
            "type": "action",
            "plugin": "tables",
            "action": "read_range",
            "params": {"table": "late.csv"},
            "on_error": {"branch": [wp.put("sorry", "{{error.class}}")]},
        },
        {
            "id": "large",
            "type": "conditional",
            "condition": f"inputs.amount > {limit}",
            "then": [PAY, send("tell", subject, dependencies=["pay"])],
            "else": [wp.put("small", "{{steps.when.output}}")],
        },
        {
            "id": "each",
            "type": "scatter_gather",
            "items": "inputs.people",
            "steps": [send("greet", "Hello {{item}}")],
        },
    ]


@pytest.fixture
def models(peer, database, world):
    vault.configure([Fernet.generate_key().decode()])
    set_up(peer)
    peer.script({"match": {"model": "cheap"}, **ORDER}, {"reply": {"kind": "offer", "sure": True}})
    yield peer
    vault.configure([])


@pytest.fixture
def worker(models, database, redis_url, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident


@pytest.fixture
def past(worker, database, world, superuser):
    """An execution that ended well, with the agent that it is of."""
    agent = wp.make_agent(world.operator.id, sorting(), inputs=OPEN)
    execution = wp.start(
        agent, world.operator.id, mail="I want two", amount=5, people=["bea", "cem"]
    )
    wp.wait_for(database, execution, wp.END | {"waiting"})
    ((one, seen),) = superuser.execute("SELECT id, payload_hash FROM approval").fetchall()
    who = {"by": world.approver.actor, "user_id": world.approver.id}
    approvals.decide(one, "approved", seen_hash=seen, **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    return agent, execution


@pytest.fixture
def replayed(worker, database, world):
    """Give `replayed(execution, **asked)`: what a replay shows once it has ended."""

    def replayed(execution, **asked):
        user = world.operator
        made = replays.begin(execution, replays.Asked(**asked), by=user.actor, user_id=user.id)
        wp.wait_for(database, made)
        with db.reading(user.id) as session:
            return report.shown(session, made)

    return replayed


def save(agent, owner, steps):
    document = {"format": 1, "name": "Test", "steps": steps, "inputs": OPEN}
    with db.reading(owner.id) as session:
        base = agents.load(session, agent).version_number
    who = {"by": owner.actor, "user_id": owner.id}
    agents.save_version(agent, document, reason="other", base=base, **who)


def told(shown):
    return [(one.path, one.words) for one in shown.differences]


def sent(folder, owner):
    box = folders.private(folder, owner.id) / "mail" / "Sent"
    return [one for one in box.glob("*/*") if one.is_file()]


@pytest.mark.capability(257)
def test_a_replay_offline_has_an_equal_trace_and_touches_nothing(
    past, replayed, models, database, world, tmp_path
):
    mails, asked = len(sent(tmp_path, world.operator)), len(models.requests())
    tables = folders.private(tmp_path, world.operator.id) / "tables"
    tables.mkdir()
    (tables / "late.csv").write_text("Name\nBea\n")  # what failed then would not fail now
    shown = replayed(past[1])
    assert (told(shown), shown.equal) == ([], True)
    assert wp.paths(database, shown.id) == wp.paths(database, past[1])
    assert shown.steps == 11
    real, again = (
        dict(one[::3] for one in wp.attempts(database, each)) for each in (past[1], shown.id)
    )
    assert again["when"] == real["when"]
    assert again["fetch"] == real["fetch"] == "not_found"
    assert (len(sent(tmp_path, world.operator)), len(models.requests())) == (mails, asked)
    assert wp.open_waits(database, shown.id) == 0


@pytest.mark.capability(257)
def test_what_another_version_does_otherwise_is_named(past, replayed, world):
    agent, execution = past
    save(agent, world.operator, sorting(subject="A new {{steps.ask.output.kind}}"))
    found = replayed(execution)
    assert not found.equal
    assert told(found) == [("large/tell", '/subject: was given "An order", now "A new order"')]
    assert replayed(execution, version=1).equal
    save(agent, world.operator, sorting(limit=10))
    assert told(replayed(execution)) == [
        ("large", "took then, now else"),
        ("large/pay", "ran, now it does not"),
        ("large/tell", "ran, now it does not"),
        ("large/small", "did not run, now it does"),
        ("", "its output differs, as those of the steps do"),
    ]


@pytest.mark.capability(257)
def test_another_model_answers_alone_and_differs_in_cost_and_quality(
    past, replayed, models, database, world, tmp_path
):
    mails, asked = len(sent(tmp_path, world.operator)), len(models.requests())
    shown = replayed(past[1], model="strong")
    assert [one["model"] for one in models.requests()[asked:]] == ["strong"]
    (answer,) = shown.answers
    assert (answer.path, answer.valid, answer.equal, answer.values) == ("ask", True, 1, 2)
    assert answer.differing == ("/kind",)
    costs = [Decimal(one["cost"]) for one in models.requests()]
    assert (shown.before.cost, shown.now.cost) == (costs[0], costs[-1])
    assert shown.now.cost > shown.before.cost > 0
    assert ("large/tell", '/subject: was given "An order", now "An offer"') in told(shown)
    assert not shown.equal
    assert {one["model_asked"] for one in calls(database, shown.id)} == {"strong"}
    assert len(sent(tmp_path, world.operator)) == mails
    models.script({"reply": "Order!"})
    (answer,) = replayed(past[1], model="strong").answers
    assert (answer.valid, answer.equal) == (False, 0)
    assert "not JSON" in answer.message


def test_executions_within_it_are_replayed_as_they_were(worker, replayed, database, world):
    inner = [send("one", "No. {{inputs.n}}"), wp.broken("two", dependencies=["one"])]
    sub = {"id": "sub", "type": "sub_workflow", "steps": inner, "inputs": {"n": 7}}
    execution, ended = wp.run(database, world.operator, [sub | {"inputs_schema": OPEN}])
    assert str(execution) not in ended[2]["message"]  # it names the one within
    shown = replayed(execution)
    assert (told(shown), shown.status, shown.equal) == ([], "failed", True)


def test_what_cannot_be_replayed_is_refused(past, replayed, database, world, superuser):
    agent, execution = past
    user = world.operator
    shown = replayed(execution)

    def begin(one, person=user, **asked):
        replays.begin(one, replays.Asked(**asked), by=person.actor, user_id=person.id)

    with pytest.raises(ConflictError, match="simulation"):
        begin(shown.id)
    with pytest.raises(NotFoundError):
        begin(execution, world.stranger)
    with pytest.raises(NotFoundError):
        begin(execution, version=9)
    with pytest.raises(InvalidError, match="nobody"):
        begin(execution, model="nobody")
    simulation = simulations.begin(agent, simulations.Asked(), by=user.actor, user_id=user.id)
    with db.reading(user.id) as session:
        assert replays.past(session, agent, 20) == [execution]
        with pytest.raises(NotFoundError):
            report.shown(session, simulation)
    superuser.execute("UPDATE execution SET pruned_at = now() WHERE id = %s", [execution])
    with pytest.raises(ConflictError, match="deleted"):
        begin(execution)
