"""What a restore holds back: what must not be repeated, and may have happened since the backup."""

from functools import partial

import pytest
from sqlalchemy import select

from pilot import db
from pilot.audit import Actor
from pilot.engine.life import bulk, executions
from pilot.engine.life.bulk import Action, Asked
from pilot.models.trigger import Trigger, TriggerFire
from pilot.services import backup, restore
from tests.engine.worker_process import make_agent, put, row, start
from tests.services.test_backup import INPUTS, append, call

BY = Actor("cli:test")


def pay_within(base):
    """Return a `once` effect that needs no inputs."""
    pays = call(base, "once", "pay")
    return pays | {"params": pays["params"] | {"url": f"{base}/once/1/pay"}}


@pytest.mark.capability(285)
def test_what_an_execution_may_pay_within_another_waits_for_a_person(
    installed, elsewhere, world, tmp_path
):
    owner, path = world.operator.id, tmp_path / "pilot.backup"
    pays = [pay_within("http://127.0.0.1:9")]
    paying, reading = make_agent(owner, pays), make_agent(owner, [put("a", 1)])

    def around(**what):
        within = {"id": "within", "type": "sub_workflow"} | what
        return make_agent(owner, [put("first", 1), within | {"dependencies": ["first"]}])

    among = around(agent=str(paying))
    risky = [around(agent=str(paying)), around(steps=pays), around(agent=str(among))]
    held = [start(one, owner) for one in risky]
    safe = [start(one, owner) for one in [around(agent=str(reading)), around(steps=[put("b", 2)])]]
    backup.make(installed, path, by=BY)
    found = restore.restore(elsewhere, path, by=BY)
    assert (found.settled.going_on, found.settled.held_back) == (2, 3)
    for one in held:
        assert row(elsewhere.database_url, one)[0::3] == ("needs_attention", "restored")
    for one in safe:
        assert row(elsewhere.database_url, one)[0] == "queued"


@pytest.mark.capability(285)
def test_what_may_have_been_undone_since_a_backup_waits_for_a_person(
    installed, elsewhere, world, tmp_path, superuser
):
    owner, path = world.operator.id, tmp_path / "pilot.backup"
    pays = pay_within("http://127.0.0.1:9")
    undo = {name: pays[name] for name in ("plugin", "action", "params")}
    book = put("book", 1, compensate=undo)
    after = put("after", 1, dependencies=["book"])
    undoing = make_agent(owner, [book, after])
    kept = start(make_agent(owner, [book], policies={"compensate": False}), owner)
    fails, cancelled, undone = (start(undoing, owner) for _ in range(3))
    superuser.execute(
        "UPDATE execution SET status = 'cancelling', cancel_requested_at = pilot_now() "
        "WHERE id = ANY (%s)",
        [[cancelled, undone]],
    )
    for one, step in [(cancelled, "book"), (undone, "book"), (undone, "book/undo")]:
        superuser.execute(
            "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, "
            "input, fence, started_at) VALUES (%s, %s, 1, %s, 'transform', 'completed', '{}', 1, "
            "pilot_now())",
            [one, step, owner],
        )
    backup.make(installed, path, by=BY)
    assert restore.restore(elsewhere, path, by=BY).settled.held_back == 2
    told = {one: row(elsewhere.database_url, one)[0] for one in (kept, fails, cancelled, undone)}
    assert [*told.values()] == ["queued", "needs_attention", "needs_attention", "queued"]


@pytest.mark.capability(285)
def test_what_ends_and_starts_an_agent_that_acts_waits_for_a_person(
    installed, elsewhere, world, tmp_path
):
    owner, path = world.operator.id, tmp_path / "pilot.backup"
    first, second, third = (make_agent(owner, [put("a", 1)]) for _ in range(3))
    writes = make_agent(owner, [append()], **INPUTS)
    calls = {"on_failure": {"agent": str(writes)}}
    failing = make_agent(owner, [put("a", 1)], policies=calls)
    with db.transaction("test.follow", owner) as session:
        for agent, about, active in [(writes, first, True), (third, second, True),
                                     (writes, third, False)]:  # fmt: skip
            session.add(
                Trigger(
                    owner_id=owner, agent_id=agent, about_agent_id=about, active=active,
                    event="execution_finished", zone="UTC",
                )
            )  # fmt: skip
    begun = [start(one, owner) for one in (first, failing, second, third)]
    backup.make(installed, path, by=BY)
    restore.restore(elsewhere, path, by=BY)
    told = [row(elsewhere.database_url, one)[0] for one in begun]
    assert told == ["needs_attention", "needs_attention", "queued", "queued"]


@pytest.mark.capability(285)
def test_what_was_about_to_start_is_skipped(installed, elsewhere, world, tmp_path, superuser):
    owner, path = world.operator.id, tmp_path / "pilot.backup"
    agent = make_agent(owner, [put("a", 1)])
    told = {}
    for status in ("due", "waiting", "started", "ended"):
        made = superuser.execute(
            "INSERT INTO trigger_fire (owner_id, kind, cause, fire_at, due_at, status, "
            "cause_execution_id) VALUES (%s, 'on_failure', %s, pilot_now(), pilot_now(), %s, %s) "
            "RETURNING id",
            [owner, status, status, start(agent, owner)],
        )
        told[made.fetchone()[0]] = status if status in {"started", "ended"} else "skipped"
    backup.make(installed, path, by=BY)
    restore.restore(elsewhere, path, by=BY)
    db.configure(elsewhere.database_url)
    with db.reading(None, sees_all=True) as session:
        assert {one.id: one.status for one in session.scalars(select(TriggerFire))} == told


@pytest.mark.capability(285)
def test_what_was_asked_for_many_does_not_pass_over_the_hold(installed, elsewhere, world, tmp_path):
    person, path = world.operator, tmp_path / "pilot.backup"
    paying = make_agent(person.id, [pay_within("http://127.0.0.1:9")])
    asked = {}
    for action in (Action.RESUME, Action.CANCEL):
        one = start(paying, person.id)
        executions.pause(one, by=person.actor, user_id=person.id)
        found = partial(_only, one)
        bulk.begin(Asked(action, found, {}), by=person.actor, user_id=person.id)
        asked[action] = one
    backup.make(installed, path, by=BY)
    restore.restore(elsewhere, path, by=BY)
    db.configure(elsewhere.database_url)
    while bulk.look():
        pass
    told = {action: row(elsewhere.database_url, one)[0] for action, one in asked.items()}
    assert told == {Action.RESUME: "needs_attention", Action.CANCEL: "cancelled"}


def _only(execution, _session):
    return "e.id = :one", {"one": execution}


def test_messages_that_may_go_out_again_are_counted(
    installed, elsewhere, world, tmp_path, superuser
):
    path = tmp_path / "pilot.backup"
    for key, sent in [("a", None), ("b", None), ("c", "now")]:
        superuser.execute(
            "INSERT INTO outbox (owner_id, kind, key, payload, sent_at) "
            "VALUES (%s, 'x', %s, '{}', cast(%s AS timestamptz))",
            [world.operator.id, key, sent],
        )
    backup.make(installed, path, by=BY)
    assert restore.restore(elsewhere, path, by=BY).settled.messages == 2
