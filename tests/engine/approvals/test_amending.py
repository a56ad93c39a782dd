"""Approvers change what may be changed; what was approved then is what runs."""

import pytest

from pilot.engine.approvals import amending
from pilot.errors import ConflictError, ForbiddenError, InvalidError
from tests.engine import worker_process as wp
from tests.engine.approvals.test_guards import ASK, SEND, asked, decide, worker  # noqa: F401

OPEN = ASK | {"editable": ["send.subject"], "rule": "all", "reminders": []}
BOTH = OPEN | {"approvers": ["role:approver", "role:admin"]}


def amend(approval, seen, person, **values):
    named = {place.replace("__", "."): value for place, value in values.items()}
    amending.amend(approval, named, seen_hash=seen, by=person.actor, user_id=person.id)


def hash_of(superuser):
    return superuser.execute("SELECT payload_hash FROM approval").fetchone()[0]


@pytest.mark.capability(253)
def test_what_was_changed_is_what_is_decided_and_runs(asked, database, world, superuser, tmp_path):  # noqa: F811
    execution, approval, seen = asked([BOTH, SEND])
    decide(approval, "approved", seen, world.admin)
    amend(approval, seen, world.approver, send__subject="Good day")
    changed = hash_of(superuser)
    with pytest.raises(ConflictError, match="not what you saw"):
        decide(approval, "approved", seen, world.approver)
    decide(approval, "approved", changed, world.approver)
    assert wp.row(database, execution)[0] == "waiting", "the vote for the earlier one is void"
    decide(approval, "approved", changed, world.admin)
    assert wp.wait_for(database, execution)[0] == "completed"
    found = superuser.execute(
        "SELECT output -> 'values' FROM step_execution WHERE path = 'ask' AND status = 'completed'"
    ).fetchone()
    assert found == ({"send.subject": "Good day"},)
    (mail,) = tmp_path.glob("users/*/mail/ann@example.com/INBOX/new/*")
    assert "Subject: Good day" in mail.read_text()
    assert superuser.execute("SELECT count(*) FROM approval").fetchone() == (1,), "asked once"


@pytest.mark.capability(253)
def test_only_open_places_take_values_that_fit(asked, world, superuser):  # noqa: F811
    _, approval, seen = asked([OPEN, SEND])
    with pytest.raises(ForbiddenError, match="may not be changed"):
        amend(approval, seen, world.approver, send__to=["spy@example.com"])
    with pytest.raises(ForbiddenError, match="others are asked"):
        amend(approval, seen, world.operator, send__subject="Mine")
    with pytest.raises(ConflictError, match="not what you saw"):
        amend(approval, "0" * 64, world.approver, send__subject="Mine")
    for value in (5, "Hello"):
        with pytest.raises(InvalidError):
            amend(approval, seen, world.approver, send__subject=value)
    assert hash_of(superuser) == seen


def test_an_approval_in_a_loop_changes_its_own_round(asked, database, world, superuser, tmp_path):  # noqa: F811
    each = {"id": "each", "type": "loop", "items": "[1, 2]", "steps": [OPEN, SEND]}
    execution, approval, seen = asked([each])
    decide(approval, "approved", seen, world.approver)
    query = "SELECT id, payload_hash, path FROM approval WHERE decided_at IS NULL"
    wp.until(lambda: superuser.execute(query).fetchone() is not None)
    second, seen, path = superuser.execute(query).fetchone()
    assert path == "each[1]/ask"
    amend(second, seen, world.approver, send__subject="Second")
    decide(second, "approved", superuser.execute(query).fetchone()[1], world.approver)
    assert wp.wait_for(database, execution)[0] == "completed"
    mails = [one.read_text() for one in tmp_path.glob("users/*/mail/ann@example.com/INBOX/new/*")]
    assert sorted("Subject: Second" in mail for mail in mails) == [False, True]


CALL = {
    "id": "call",
    "type": "action",
    "plugin": "http",
    "action": "request",
    "params": {
        "method": "POST",
        "url": "http://127.0.0.1:9/",
        "headers": {"x-key": "{{secret:mine}}"},
        "json": {"note": "Hello"},
    },
    "dependencies": ["ask"],
}


@pytest.mark.capability(253)
@pytest.mark.parametrize(
    ("step", "place", "value"),
    [
        (SEND, "send.subject", "{{secret:mine}}"),
        (CALL, "call.json", {"note": "{{secret:mine}}"}),
        (CALL, "call.json", {"{{secret:mine}}": 1}),
        (CALL, "call.headers", {"x-key": "{{secret:other}}"}),
        (CALL, "call.headers", {"x-key": "{{secret:mine}}", "x-more": "{{secret:mine}}"}),
    ],
)
def test_nobody_names_a_secret_in_an_edit(asked, world, superuser, step, place, value):  # noqa: F811
    _, approval, seen = asked([OPEN | {"editable": [place]}, step])
    with pytest.raises(InvalidError) as refused:
        amending.amend(
            approval,
            {place: value},
            seen_hash=seen,
            by=world.approver.actor,
            user_id=world.approver.id,
        )
    assert [one.code for one in refused.value.issues] == ["E_SECRET_SINK"]
    assert hash_of(superuser) == seen
    if place == "call.headers":
        kept = {place: {"x-key": "{{secret:mine}}", "x-more": "plain"}}
        amending.amend(
            approval, kept, seen_hash=seen, by=world.approver.actor, user_id=world.approver.id
        )


@pytest.mark.capability(253)
def test_what_looks_like_a_template_in_an_edit_stays_text(
    asked,  # noqa: F811
    database,
    world,
    superuser,
    tmp_path,
):
    execution, approval, seen = asked([OPEN, SEND])
    amend(approval, seen, world.approver, send__subject="{{inputs.a}} {{ 1 +")
    decide(approval, "approved", hash_of(superuser), world.approver)
    assert wp.wait_for(database, execution)[0] == "completed"
    (mail,) = tmp_path.glob("users/*/mail/ann@example.com/INBOX/new/*")
    assert "Subject: {{inputs.a}} {{ 1 +" in mail.read_text()
