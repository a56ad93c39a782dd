"""Delegation: one who is asked hands the question to one other person, who cannot hand it on."""

import pytest

from pilot import db
from pilot.engine.approvals import delegating
from pilot.errors import ConflictError, ForbiddenError, InvalidError
from pilot.reports import approvals as rows
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
