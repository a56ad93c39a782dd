"""Delegation: one who is asked hands the question to one other person, who cannot hand it on."""

import pytest

from pilot import db
from pilot.engine.agents import sharing
from pilot.engine.approvals import delegating
from pilot.errors import ConflictError, ForbiddenError, InvalidError
from pilot.reports import approvals as rows
from tests import patience
from tests.engine import worker_process as wp
from tests.engine.approvals.test_amending import amend
from tests.engine.approvals.test_escalation import expire  # noqa: F401
from tests.engine.approvals.test_guards import ASK, SEND, asked, decide, worker  # noqa: F401
from tests.world import person

HANDED = ASK | {"allow_delegate": True, "rule": "all", "reminders": []}


def hand(approval, giver, to):
    delegating.delegate(approval, to.email, by=giver.actor, user_id=giver.id)


@pytest.mark.capability(236)
def test_the_other_person_decides_in_their_place(asked, database, world, superuser):  # noqa: F811
    execution, approval, seen = asked([HANDED, SEND])
    hand(approval, world.approver, world.admin)
    with db.reading(world.approver.id) as session:
        shown = rows.shown(session, approval, world.approver.id)
    (handed,) = shown.delegations
    assert (handed["from"], handed["to"], shown.people) == ("Approver", "Admin", ["Admin"])
    with pytest.raises(ForbiddenError, match="others are asked"):
        decide(approval, "approved", seen, world.approver)
    with pytest.raises(ForbiddenError, match="cannot be handed on again"):
        hand(approval, world.admin, world.operator)
    query = "SELECT count(*) FROM outbox WHERE about = %s AND payload ->> 'user_id' = %s"
    assert superuser.execute(query, [approval, str(world.admin.id)]).fetchone() == (1,)
    decide(approval, "approved", seen, world.admin)
    assert wp.wait_for(database, execution)[0] == "completed"
    query = "SELECT event FROM audit WHERE event LIKE 'APPROVAL_D%' ORDER BY event"
    assert superuser.execute(query).fetchall() == [
        ("APPROVAL_DECISION_REFUSED",),
        ("APPROVAL_DECISION_REFUSED",),
        ("APPROVAL_DELEGATED",),
    ]


@pytest.mark.capability(236, 237)
def test_only_somebody_who_may_decide_and_is_not_asked_takes_over(asked, world):  # noqa: F811
    people = ["role:approver", "role:admin"]
    _, approval, seen = asked([HANDED | {"self_approval": False, "approvers": people}, SEND])
    starter, twin = world.operator, person("Twin", "approver")
    for other, message in [
        (world.viewer, "Nobody who may decide"),
        (starter, "started it"),
        (world.admin, "is asked already"),
    ]:
        with pytest.raises(InvalidError) as refused:
            hand(approval, world.approver, other)
        assert message in refused.value.issues[0].message
    decide(approval, "approved", seen, world.approver)
    with pytest.raises(ConflictError, match="voted already"):
        hand(approval, world.approver, twin)
    hand(approval, world.admin, twin)


def test_it_is_not_handed_on_where_the_workflow_does_not_allow_it(asked, world):  # noqa: F811
    _, approval, _ = asked([ASK, SEND])
    with pytest.raises(ForbiddenError, match="may not be handed"):
        hand(approval, world.approver, world.admin)


@pytest.mark.capability(236)
def test_an_edit_lets_nobody_hand_on_what_was_handed_to_them(asked, expire, world, superuser):  # noqa: F811
    again = {"on_timeout": "escalate", "escalation": [{"approvers": ["user:eve@pilot.test"]}]}
    asks = {"approvers": ["role:approver", "role:admin"], "editable": ["send.subject"]} | again
    _, approval, seen = asked([HANDED | asks, SEND])
    eve = person("Eve", "operator")
    hand(approval, world.approver, eve)
    amend(approval, seen, world.admin, send__subject="Good day")
    with pytest.raises(ForbiddenError, match="cannot be handed on again"):
        hand(approval, eve, world.operator)
    with pytest.raises(InvalidError):
        hand(approval, world.admin, world.approver)
    expire(approval)
    hand(approval, eve, world.operator)


@pytest.mark.capability(307)
def test_the_author_decides_nothing_within_own_steps_of_a_step(worker, database, world, superuser):  # noqa: F811
    author, starter = world.operator, person("Starter", "operator")
    people = [f"user:{author.email}", f"user:{world.admin.email}"]
    ask = HANDED | {"self_approval": False, "approvers": people}
    for depth in (1, 2):
        ask = {"id": f"in{depth}", "type": "sub_workflow", "steps": [ask]}
        agent = wp.make_agent(author.id, [ask])
        sharing.share(agent, starter.email, "run", by=author.actor, user_id=author.id)
        wp.wait_for(database, wp.start(agent, starter.id), {"waiting"})
        query = "SELECT id, approver_ids FROM approval ORDER BY requested_at"
        patience.until(lambda d=depth, q=query: len(superuser.execute(q).fetchall()) == d)
        approval, asked_now = superuser.execute(query).fetchall()[-1]
        assert asked_now == [world.admin.id]
        for other in (author, starter):
            with pytest.raises(InvalidError) as refused:
                hand(approval, world.admin, other)
            assert "wrote the workflow" in refused.value.issues[0].message
