"""What starts because of an execution, once: followers of events, the policy on_failure."""

import pytest

from pilot.engine.agents import agents
from pilot.engine.approvals import approvals
from pilot.engine.life.preflight import UNTOLD
from pilot.engine.triggers import event_triggers, firing, triggers
from pilot.engine.triggers.event_triggers import Following
from pilot.errors import InvalidError, NotFoundError
from tests.engine import worker_process as wp
from tests.engine.together import at_once
from tests.scheduling import STEP, count, events

FAILS = {"id": "no", "type": "transform", "operation": "set", "config": {"value": "{{ inputs.x }}"}}
ASK = {"id": "ask", "type": "human_approval", "title": "Pay?", "approvers": ["owner"]}
TOLD = {"type": "object", "properties": {"who": {"type": "string"}, "failure": {"type": "object"}}}
STARTED = """
SELECT a.name, e.trigger, e.inputs FROM execution e JOIN agent a ON a.id = e.agent_id
 WHERE e.trigger IN ('event', 'on_failure') ORDER BY e.id
"""


@pytest.fixture
def make(world, timed_agent):
    """Give `make(name, steps, **document)`: one more agent of the operator."""

    def make(name, steps=(STEP,), owner=world.operator, **document):
        body = {"format": 1, "steps": list(steps)} | document
        new = agents.NewAgent(name)
        return agents.create(new, body, owner_id=owner.id, by=wp.BY).agent_id

    return make


@pytest.fixture
def follow(world, timed_agent):
    """Give `follow(agent, event, **fields)`: it follows that event of the agent `timed_agent`."""

    def follow(agent, event="execution_finished", about=timed_agent, **fields):
        who = {"by": world.operator.actor, "user_id": world.operator.id}
        return event_triggers.create(agent, Following(event, about, **fields), **who)

    return follow


@pytest.fixture
def worker(database, redis_url, tmp_path):
    """Give `worker()`: one that works until the block ends."""
    return lambda: wp.working(wp.config(database, redis_url, tmp_path))


@pytest.fixture
def run(worker, database, world, superuser):
    """Give `run(agent)`: an execution of it ends on a worker, and all that follows it."""

    def run(agent, **inputs):
        with worker():
            execution = wp.start(agent, world.operator.id, **inputs)
            wp.wait_for(database, execution)
            open_ = "trigger_fire WHERE status IN ('due', 'started')"
            wp.until(lambda: count(superuser, open_) == 0)
        return execution

    return run


def ended(superuser, agent, status="completed"):
    """An execution of an agent ends so."""
    values = {"agent": agent, "status": status}
    superuser.execute(
        "UPDATE execution SET status = %(status)s, finished_at = pilot_now() "
        "WHERE agent_id = %(agent)s AND finished_at IS NULL",
        values,
    )


def look():
    while firing.look(UNTOLD):
        pass


@pytest.mark.capability(203)
def test_an_agent_follows_what_another_finished(make, follow, timed_agent, superuser, world):
    follow(
        make("Follower", inputs=TOLD), inputs={"who": "{{ payload.agent }} {{ payload.status }}"}
    )
    wp.start(timed_agent, world.operator.id)
    ended(superuser, timed_agent)
    look()
    started = superuser.execute(STARTED).fetchall()
    assert started == [("Follower", "event", {"who": "Test completed"})]
    assert events(superuser, "TRIGGER%") == ["TRIGGER_FIRED"]


@pytest.mark.capability(203)
def test_only_what_matches_starts_it(make, follow, timed_agent, superuser, world):
    follower = make("Follower")
    follow(follower, statuses=["failed", "cancelled"])
    follow(follower, match="payload.status == 'failed'")
    follow(follower, match="payload.no.such > 1")
    for status in ("completed", "failed"):
        wp.start(timed_agent, world.operator.id)
        ended(superuser, timed_agent, status)
        look()
    assert count(superuser, "execution WHERE trigger = 'event'") == 2
    skipped = superuser.execute("SELECT reason FROM trigger_fire WHERE status = 'skipped'")
    assert skipped.fetchall() == [("The condition does not hold.",)] * 3


@pytest.mark.capability(203)
@pytest.mark.parametrize("cost", ["0", "0.0000105"])
def test_what_it_cost_is_a_number(make, follow, timed_agent, superuser, world, cost):
    told = {"inputs": {"cost": "{{ payload.cost_usd }}"}}
    schema = {"type": "object", "properties": {"cost": {"type": "number"}}}
    follow(make("Cheap", inputs=schema), match="payload.cost_usd < 1", **told)
    follow(make("Dear", inputs=schema), match="payload.cost_usd > 1", **told)
    execution = wp.start(timed_agent, world.operator.id)
    superuser.execute("UPDATE execution SET cost_usd = %s WHERE id = %s", [cost, execution])
    ended(superuser, timed_agent)
    look()
    assert superuser.execute(STARTED).fetchall() == [("Cheap", "event", {"cost": float(cost)})]


@pytest.mark.capability(203)
def test_a_decision_starts_it(make, follow, superuser, world, worker, database):
    asking = make("Asking", [ASK])
    follow(
        make("Follower", inputs=TOLD),
        "approval_decided",
        asking,
        statuses=["approved"],
        inputs={"who": "{{ payload.title }} {{ payload.decision }}"},
    )
    with worker():
        wp.wait_for(database, wp.start(asking, world.operator.id), {"waiting"})
        found, seen = superuser.execute("SELECT id, payload_hash FROM approval").fetchone()
        person = world.operator
        approvals.decide(found, "approved", seen_hash=seen, by=person.actor, user_id=person.id)
        wp.until(lambda: count(superuser, "execution WHERE trigger = 'event'") == 1)
    assert superuser.execute(STARTED).fetchall() == [
        ("Follower", "event", {"who": "Pay? approved"})
    ]


def test_what_runs_inside_an_execution_is_no_end_of_its_agent(make, follow, run, superuser):
    inner = {"id": "in", "type": "sub_workflow", "steps": [STEP]}
    nesting = make("Nesting", [inner])
    follow(make("Follower"), about=nesting)
    run(nesting)
    assert count(superuser, "execution WHERE agent_name = 'Nesting'") == 2
    assert count(superuser, "execution WHERE trigger = 'event'") == 1


@pytest.mark.capability(203)
def test_workers_that_look_at_once_start_it_once(make, follow, timed_agent, superuser, world):
    follow(make("Follower"))
    wp.start(timed_agent, world.operator.id)
    ended(superuser, timed_agent)
    for _ in range(2):
        at_once(*[lambda: firing.look(UNTOLD)] * 4)
    assert count(superuser, "execution WHERE trigger = 'event'") == 1


def test_a_circle_of_agents_ends(make, follow, timed_agent, superuser, world):
    other = make("Other")
    follow(other)
    follow(timed_agent, about=other)
    wp.start(timed_agent, world.operator.id)
    for _ in range(10):
        for agent in (timed_agent, other):
            ended(superuser, agent)
            look()
    assert count(superuser, "execution WHERE trigger = 'event'") == 5
    (reason,) = superuser.execute(
        "SELECT reason FROM trigger_fire WHERE status = 'refused'"
    ).fetchone()
    assert reason == "5 agents have started each other: here it ends."


@pytest.mark.capability(203, 220)
def test_a_failed_execution_starts_the_agent_of_its_policy_once(make, run, superuser, world):
    policy = {"agent": "Fixer", "inputs": {"who": "{{ inputs.name }}"}}
    failing = make(
        "Failing",
        [FAILS],
        policies={"on_failure": policy},
        inputs={
            "type": "object",
            "properties": {"name": {"type": "string"}, "x": {"type": "string"}},
        },
    )
    make("Fixer", inputs=TOLD)
    execution = run(failing, name="Ada")
    ((name, trigger, inputs),) = superuser.execute(STARTED).fetchall()
    assert (name, trigger, inputs["who"]) == ("Fixer", "on_failure", "Ada")
    failure = inputs["failure"]
    assert (failure["execution_id"], failure["agent"]) == (str(execution), "Failing")
    assert failure["error"]["step"] == "no"


@pytest.mark.capability(203)
def test_on_failure_is_not_started_by_its_own_failure(make, superuser, world):
    policy = {"on_failure": {"agent": "Failing"}}
    failing = make("Failing", policies=policy)
    wp.start(failing, world.operator.id)
    for _ in range(3):
        ended(superuser, failing, "failed")
        look()
    assert count(superuser, "execution WHERE trigger = 'on_failure'") == 1
    (reason,) = superuser.execute(
        "SELECT reason FROM trigger_fire WHERE status = 'refused'"
    ).fetchone()
    assert "as its own on_failure" in reason


def test_an_agent_of_on_failure_that_is_not_there_is_told(make, superuser, world):
    failing = make("Failing", policies={"on_failure": {"agent": "Nobody"}})
    wp.start(failing, world.operator.id)
    ended(superuser, failing, "failed")
    look()
    rows = superuser.execute("SELECT status, reason FROM trigger_fire").fetchall()
    assert rows == [("refused", "There is no agent 'Nobody', or it is not yours.")]
    assert events(superuser, "TRIGGER%") == ["TRIGGER_REJECTED"]


@pytest.mark.parametrize(
    ("fields", "path", "told"),
    [
        ({"event": "moon"}, "/event", "execution_finished, approval_decided"),
        ({"statuses": ["happy"]}, "/statuses", "completed"),
        ({"match": "payload.status =="}, "/match", ""),
        ({"match": "steps.a.output == 1"}, "/match", "what can be read: payload"),
        ({"inputs": {"who": "{{ inputs.x }}"}}, "/inputs", "what can be read: payload"),
        ({"inputs": {"whom": "x"}}, "/inputs/whom", "There is no input 'whom'"),
    ],
)
def test_what_cannot_be_right_is_refused_at_the_save(make, follow, fields, path, told):
    with pytest.raises(InvalidError) as refused:
        follow(make("Follower", inputs=TOLD), **fields)
    (issue,) = refused.value.issues
    assert issue.path == path
    assert told in issue.message


def test_nobody_follows_itself_or_what_is_not_theirs(make, follow, timed_agent, world):
    with pytest.raises(InvalidError) as refused:
        follow(timed_agent)
    assert [one.message for one in refused.value.issues] == ["An agent cannot follow itself."]
    foreign = make("Foreign", owner=world.stranger)
    with pytest.raises(NotFoundError):
        follow(timed_agent, about=foreign)


def test_on_failure_with_a_wrong_template_is_refused_at_the_save(make):
    policy = {"agent": "Fixer", "inputs": {"who": "{{ steps.no.output }}"}}
    with pytest.raises(InvalidError) as refused:
        make("Failing", policies={"on_failure": policy})
    assert [one.path for one in refused.value.issues] == ["/policies/on_failure/inputs"]


def test_one_that_is_switched_off_follows_no_more(make, follow, timed_agent, superuser, world):
    made = follow(make("Follower"))
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    wp.start(timed_agent, world.operator.id)
    triggers.set_active(made, False, **who)
    ended(superuser, timed_agent)
    look()
    assert count(superuser, "trigger_fire") == 0
    triggers.set_active(made, True, **who)
    wp.start(timed_agent, world.operator.id)
    ended(superuser, timed_agent)
    look()
    assert count(superuser, "trigger_fire WHERE status = 'started'") == 1
    triggers.delete(made, **who)
