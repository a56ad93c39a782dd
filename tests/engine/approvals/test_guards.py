"""Approvals on a real worker: what was refused never happens, what was decided is what runs."""

import time

import pytest

from pilot.engine.approvals import approvals
from pilot.engine.life import executions
from pilot.errors import ConflictError, ForbiddenError, GoneError
from tests.engine import worker_process as wp
from tests.engine.together import at_once

ASK = {"id": "ask", "type": "human_approval", "title": "Send it?", "approvers": ["role:approver"]}
SEND = {
    "id": "send",
    "type": "action",
    "plugin": "mail",
    "action": "send",
    "params": {"to": ["ann@example.com"], "subject": "Hello", "text": "Text"},
    "dependencies": ["ask"],
}
NOTE = {"id": "note", "type": "transform", "operation": "set", "config": {"value": "refused"}}


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


@pytest.fixture
def asked(worker, database, world, superuser):
    """Give `asked(steps)`: the execution that waits, and id and hash of its approval."""

    def asked(steps, **document):
        agent = wp.make_agent(world.operator.id, steps, **document)
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        query = "SELECT id, payload_hash FROM approval WHERE execution_id = %s"
        return execution, *superuser.execute(query, [execution]).fetchone()

    return asked


def decide(approval, decision, seen, person, **more):
    return approvals.decide(
        approval, decision, seen_hash=seen, by=person.actor, user_id=person.id, **more
    )


def statuses(database, execution):
    return {one[0]: one[2] for one in wp.attempts(database, execution)}


def sent(tmp_path):
    return list(tmp_path.rglob("*.pilot*"))


@pytest.mark.capability(253)
@pytest.mark.parametrize(
    ("policy", "end"),
    [
        ({"on_error": "continue"}, "completed_with_errors"),
        ({"on_error": {"branch": [NOTE]}}, "completed"),
        ({"defaults": {"on_error": "continue"}}, "completed_with_errors"),
    ],
)
def test_no_failure_policy_runs_what_was_refused(asked, database, world, tmp_path, policy, end):
    document = policy if "defaults" in policy else {}
    execution, approval, seen = asked([ASK if document else ASK | policy, SEND], **document)
    decide(approval, "rejected", seen, world.approver, comment="No")
    assert wp.wait_for(database, execution)[0] == end
    assert statuses(database, execution)["send"] == "skipped"
    assert sent(tmp_path) == []


@pytest.mark.capability(253)
@pytest.mark.parametrize(
    ("said", "became"), [("approved", ("completed", 2)), ("rejected", ("skipped", 0))]
)
def test_an_approval_in_a_branch_shows_and_guards_it(
    asked, world, superuser, tmp_path, said, became
):
    then = [ASK | {"on_error": "continue"}, SEND]
    large = {"id": "large", "type": "conditional", "condition": "1 > 0", "then": then}
    _, approval, seen = asked([large])
    payload = superuser.execute("SELECT payload FROM approval").fetchone()[0]
    assert '"subject":"Hello"' in payload
    decide(approval, said, seen, world.approver)
    query = "SELECT status FROM step_execution WHERE path = 'large/send' AND status <> 'running'"
    while (row := superuser.execute(query).fetchone()) is None:
        time.sleep(0.01)
    assert (row[0], len(sent(tmp_path))) == became, "two: in the mailbox and among the sent ones"


def test_a_step_that_reads_the_decision_is_not_what_is_decided(asked, database, world, superuser):
    told = SEND | {"params": SEND["params"] | {"text": "Said: {{steps.ask.output.comment}}"}}
    execution, approval, seen = asked([ASK, told])
    decide(approval, "approved", seen, world.approver, comment="Fine")
    assert wp.wait_for(database, execution)[0] == "completed"
    assert superuser.execute("SELECT count(*) FROM approval").fetchone() == (1,)


@pytest.mark.capability(307)
def test_an_expired_approval_is_gone_and_fails_the_step(asked, database, world, superuser):
    execution, approval, seen = asked([ASK | {"timeout_s": 0.2}, SEND])
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "rejected")
    with pytest.raises(GoneError, match="expired"):
        decide(approval, "approved", seen, world.approver)
    query = "SELECT count(*) FROM audit WHERE event = 'APPROVAL_TIMEOUT'"
    assert superuser.execute(query).fetchone() == (1,)


def test_steps_of_its_own_run_when_nobody_decided(asked, worker, database, superuser, tmp_path):
    execution, approval, _ = asked([ASK | {"on_timeout": {"branch": [NOTE]}}, SEND])
    superuser.execute("UPDATE approval SET expires_at = pilot_now()")
    superuser.execute("SELECT expire_approval(%s)", [approval])
    worker.poke()
    assert wp.wait_for(database, execution)[0] == "completed"
    found = statuses(database, execution)
    assert (found["ask"], found["ask/on_timeout/note"]) == ("completed", "completed")
    assert (found["send"], sent(tmp_path)) == ("skipped", [])


@pytest.mark.capability(253, 307)
def test_fifty_pairs_of_approvers_at_the_same_instant_decide_once(
    worker, database, world, superuser
):
    agent = wp.make_agent(world.operator.id, [ASK | {"approvers": ["role:approver", "role:admin"]}])
    started = [wp.start(agent, world.operator.id) for _ in range(50)]
    for execution in started:
        wp.wait_for(database, execution, {"waiting"})
    rows = superuser.execute("SELECT id, payload_hash FROM approval").fetchall()
    assert len(rows) == 50
    for approval, seen in rows:
        answers = at_once(
            lambda a=approval, s=seen: decide(a, "approved", s, world.approver),
            lambda a=approval, s=seen: decide(a, "approved", s, world.admin),
        )
        assert sum(isinstance(one, ConflictError) for one in answers) == 1
    for execution in started:
        assert wp.wait_for(database, execution)[0] == "completed"
    assert superuser.execute("SELECT count(*) FROM vote").fetchone() == (50,)
    query = "SELECT event, count(*) FROM audit WHERE event LIKE 'APPROVAL_%' GROUP BY event"
    found = dict(superuser.execute(query).fetchall())
    assert found["APPROVAL_APPROVED"] == found["APPROVAL_DECISION_REFUSED"] == 50


@pytest.mark.capability(253)
def test_one_person_who_decides_both_ways_at_once_has_one_vote(asked, world, superuser):
    _, approval, seen = asked([ASK, SEND])
    answers = at_once(
        *(
            lambda said=said: decide(approval, said, seen, world.approver)
            for said in ("approved", "rejected") * 5
        )
    )
    assert sum(isinstance(one, ConflictError) for one in answers) == 9
    assert superuser.execute("SELECT count(*) FROM vote").fetchone() == (1,)


def test_two_of_three_are_needed_and_given(asked, database, world):
    two = {"approvers": ["role:approver", "role:admin", "owner"], "rule": "quorum", "k": 2}
    execution, approval, seen = asked([ASK | two, SEND])
    decide(approval, "approved", seen, world.approver)
    assert wp.row(database, execution)[0] == "waiting"
    with pytest.raises(ConflictError, match="voted already"):
        decide(approval, "approved", seen, world.approver)
    decide(approval, "approved", seen, world.admin)
    assert wp.wait_for(database, execution)[0] == "completed"


@pytest.mark.capability(253)
def test_losers_are_audited_with_what_they_saw(asked, world, superuser):
    execution, approval, _ = asked([ASK, SEND])
    with pytest.raises(ConflictError, match="not what you saw"):
        decide(approval, "approved", "0" * 64, world.approver)
    with pytest.raises(ForbiddenError):
        decide(approval, "approved", "0" * 64, world.operator)
    query = "SELECT count(*) FROM audit WHERE event = 'APPROVAL_DECISION_REFUSED' AND chain = %s"
    assert superuser.execute(query, [str(execution)]).fetchone() == (2,)


@pytest.mark.capability(307)
def test_the_starter_is_not_asked_where_self_approval_is_off(worker, database, world):
    inputs = {"type": "object", "properties": {"who": {"type": "string"}}}
    for rule, few in [({}, "Nobody may"), ({"rule": "quorum", "k": 1}, "Fewer than the 1 who")]:
        ask = ASK | {"approvers": ["user:{{inputs.who}}"], "self_approval": False} | rule
        agent = wp.make_agent(world.operator.id, [ask], inputs=inputs)
        execution = wp.start(agent, world.operator.id, who=world.operator.email)
        _, _, error, _ = wp.wait_for(database, execution)
        assert error["class"] == "config"
        assert error["message"].startswith(few)


@pytest.mark.capability(307)
def test_who_lost_the_role_meanwhile_decides_nothing(asked, world, superuser):
    _, approval, seen = asked([ASK, SEND])
    superuser.execute("UPDATE app_user SET roles = '{viewer}' WHERE id = %s", [world.approver.id])
    with pytest.raises(ForbiddenError, match="role"):
        decide(approval, "approved", seen, world.approver)


@pytest.mark.capability(307)
def test_a_cancelled_one_is_gone(asked, world):
    execution, approval, seen = asked([ASK, SEND])
    executions.cancel(execution, by=world.operator.actor, user_id=world.operator.id)
    with pytest.raises(GoneError, match="cancelled"):
        decide(approval, "approved", seen, world.approver)


@pytest.mark.capability(236)
@pytest.mark.parametrize("named", ["user:{}", "user:{{{{inputs.boss}}}}"])
def test_people_are_found_by_their_address_as_at_sign_in(worker, database, world, superuser, named):
    boss = world.approver.email.upper()
    levels = [{"approvers": [named.format(boss)], "timeout_s": 60}]
    ask = ASK | {"approvers": [named.format(boss)], "on_timeout": "escalate", "escalation": levels}
    inputs = {"type": "object", "properties": {"boss": {"type": "string"}}}
    agent = wp.make_agent(world.operator.id, [ask, SEND], inputs=inputs)
    execution = wp.start(agent, world.operator.id, boss=boss)
    wp.wait_for(database, execution, {"waiting"})
    query = "SELECT approver_ids, terms -> 'escalation' -> 0 -> 'approvers' ->> 0 FROM approval"
    asked = superuser.execute(query).fetchone()
    assert asked == ([world.approver.id], f"user:{world.approver.email}")


@pytest.mark.capability(41)
@pytest.mark.parametrize("mark", ["\0", "\ud800"])
def test_a_comment_is_stored_as_outputs_are(asked, database, world, mark):
    execution, approval, seen = asked([ASK, SEND])
    decide(approval, "rejected", seen, world.approver, comment=f"No{mark}.", key="once")
    assert "No\ufffd." in wp.wait_for(database, execution)[2]["message"]
