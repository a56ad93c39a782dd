"""Escalation: others are asked in place of those who did not decide in time."""

import pytest

from pilot import db
from pilot.errors import ForbiddenError
from pilot.reports import approvals as rows
from tests.engine import worker_process as wp
from tests.engine.approvals.test_guards import ASK, SEND, asked, decide, sent, worker  # noqa: F401
from tests.engine.together import at_once

LEVELS = {
    "on_timeout": "escalate",
    "rule": "all",
    "reminders": [],
    "approvers": ["role:approver", "role:operator"],
    "escalation": [
        {"approvers": ["role:admin"], "timeout_s": 60},
        {"approvers": ["owner"], "timeout_s": 60},
    ],
}


@pytest.fixture
def expire(superuser, worker):  # noqa: F811
    """Let the time of an approval run out."""

    def expire(approval):
        query = "UPDATE approval SET expires_at = pilot_now() WHERE id = %s"
        superuser.execute(query, [approval])
        superuser.execute("SELECT expire_approval(%s)", [approval])
        worker.poke()

    return expire


def audited(superuser, event):
    query = "SELECT count(*) FROM audit WHERE event = %s"
    return superuser.execute(query, [event]).fetchone()[0]


def shown(approval, person):
    with db.reading(person.id) as session:
        return rows.shown(session, approval, person.id)


@pytest.mark.capability(236)
def test_the_next_people_are_asked_with_a_new_deadline_and_without_votes(
    asked,  # noqa: F811
    expire,
    world,
    superuser,
    database,
    tmp_path,
):
    execution, approval, seen = asked([ASK | LEVELS, SEND])
    decide(approval, "approved", seen, world.operator)
    expire(approval)
    assert wp.row(database, execution)[0] == "waiting"
    query = "SELECT round(extract(epoch FROM expires_at - pilot_now()) / 60), level FROM approval"
    assert superuser.execute(query).fetchone() == (1, 1)
    query = "SELECT count(*) FROM outbox WHERE payload ->> 'user_id' = %s AND about = %s"
    assert superuser.execute(query, [str(world.admin.id), approval]).fetchone() == (1,)
    assert audited(superuser, "APPROVAL_ESCALATED") == 1
    assert shown(approval, world.admin).approved == 0
    with pytest.raises(ForbiddenError, match="others are asked"):
        decide(approval, "approved", seen, world.approver)
    assert not shown(approval, world.approver).may_decide, "who was asked before may still look"
    decide(approval, "approved", seen, world.admin)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert sent(tmp_path)


@pytest.mark.capability(236)
@pytest.mark.parametrize(("then", "error_class"), [({}, "rejected"), ({"then": "fail"}, "expired")])
def test_after_the_last_level_the_rest_counts(
    asked,  # noqa: F811
    expire,
    database,
    superuser,
    then,
    error_class,
):
    execution, approval, _ = asked([ASK | LEVELS | then, SEND])
    for _ in range(3):
        expire(approval)
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", error_class)
    told = [audited(superuser, f"APPROVAL_{name}") for name in ("ESCALATED", "TIMEOUT")]
    assert told == [2, 1]


def test_a_level_that_nobody_may_decide_fails_the_step(asked, expire, database):  # noqa: F811
    nobody = {"escalation": [{"approvers": ["user:gone@example.com"]}]}
    execution, approval, _ = asked([ASK | LEVELS | nobody, SEND])
    expire(approval)
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "config")
    assert "Nobody may decide this" in error["message"]


@pytest.mark.capability(236)
def test_of_a_vote_and_the_end_of_the_time_one_wins(expire, database, world, superuser):
    agent = wp.make_agent(world.operator.id, [ASK | LEVELS | {"rule": "any"}, SEND])
    for execution in [wp.start(agent, world.operator.id) for _ in range(6)]:
        wp.wait_for(database, execution, {"waiting"})
    for approval, seen in superuser.execute("SELECT id, payload_hash FROM approval").fetchall():

        def vote(approval=approval, seen=seen):
            decide(approval, "approved", seen, world.approver)

        refused, _ = at_once(vote, lambda approval=approval: expire(approval))
        query = """SELECT decision, level, (SELECT count(*) FROM vote WHERE approval_id = a.id)
                     FROM approval a WHERE id = %s"""
        found = superuser.execute(query, [approval]).fetchone()
        assert found == (("approved", 0, 1) if refused is None else (None, 1, 0))


DAYS_S = 60 * 86_400


@pytest.mark.capability(236)
def test_nobody_is_asked_beyond_the_deadline(asked, expire, database, superuser):  # noqa: F811
    level = {"approvers": ["role:admin"], "timeout_s": DAYS_S}
    asks = ASK | {"timeout_s": 600, "on_timeout": "escalate", "escalation": [level]}
    bounds = {"policies": {"deadline_s": 3600}}
    lasts = "SELECT extract(epoch FROM expires_at - pilot_now())::int FROM approval WHERE id = %s"
    _, approval, _ = asked([ASK | {"timeout_s": DAYS_S}], **bounds)
    assert 3500 < superuser.execute(lasts, [approval]).fetchone()[0] <= 3602
    _, approval, _ = asked([asks], **bounds)
    assert 590 < superuser.execute(lasts, [approval]).fetchone()[0] <= 600
    expire(approval)
    assert 2900 < superuser.execute(lasts, [approval]).fetchone()[0] <= 3002
    form = {"id": "f", "type": "form", "title": "T", "fields": {"type": "object"}}
    form |= {"assignees": ["role:approver"], "timeout_s": DAYS_S}
    _, approval, _ = asked([form], **bounds)
    assert 3500 < superuser.execute(lasts, [approval]).fetchone()[0] <= 3602


@pytest.mark.capability(236)
def test_the_deadline_ends_a_question_before_its_own_time_does(asked, database, superuser):  # noqa: F811
    asks = ASK | {"timeout_s": DAYS_S, "on_timeout": "approve"}
    execution, approval, _ = asked([asks], policies={"deadline_s": 3})
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "deadline")
    found = superuser.execute("SELECT decision FROM approval WHERE id = %s", [approval])
    assert found.fetchone() == ("cancelled",)
