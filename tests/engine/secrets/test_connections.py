"""Connections: kept sealed, used by their owner's executions alone, mended when refused."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from pilot import db, vault
from pilot.egress import Egress
from pilot.engine.acting import resting
from pilot.engine.acting.history import Attempt, History
from pilot.engine.secrets import connections
from pilot.engine.secrets.connections import Given
from pilot.engine.status import StepStatus
from pilot.errors import ConflictError, ErrorClass, InvalidError, NotFoundError, PluginError
from pilot.models.connection import Connection
from pilot.reports import connections as reports
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.mail_peer import PASSWORD, USER

SECRET = "canary-password-9"


@pytest.fixture(autouse=True)
def _sealing(world):
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


def given(peer=None, secret=SECRET, label="Sales", **changes):
    fields = {
        "smtp_host": "127.0.0.1",
        "smtp_port": peer.port if peer else 2525,
        "smtp_security": "none",
        "user": USER,
        "sender": "Sales <sales@peer.test>",
    }
    return Given(label, fields | changes.pop("fields", {}), secret, **changes)


def create(person, *args, **changes):
    return connections.create("mail", given(*args, **changes), by=person.actor, owner_id=person.id)


def row(person, connection_id):
    with db.reading(person.id) as session:
        return session.get_one(Connection, connection_id)


def sign_in(person, connection_id, peer, folder):
    return connections.test(
        connection_id,
        by=person.actor,
        owner_id=person.id,
        egress=Egress([peer.allow]),
        folder=folder,
    )


def audited(superuser, event):
    query = "SELECT record FROM audit WHERE event = %s ORDER BY seq"
    return [record for (record,) in superuser.execute(query, [event])]


def test_a_secret_is_stored_sealed_and_told_to_nobody(world, superuser):
    held = create(world.operator)
    stored = str(superuser.execute("SELECT c::text FROM connection c").fetchone())
    trail = str(superuser.execute("SELECT array_agg(record) FROM audit").fetchone())
    kept = row(world.operator, held)
    assert SECRET not in stored + trail
    assert kept.secret_ending == SECRET[-4:]
    assert (kept.state, kept.version) == ("untested", 1)
    assert '"label":"Sales"' in audited(superuser, "PLUGIN_CONNECTED")[0]


def test_what_is_wrong_with_it_is_named_at_once(world):
    wrong = {"smtp_host": "mail.peer.test", "smtp_port": 99_999, "user": "", "extra": 1}
    with pytest.raises(InvalidError) as caught:
        create(world.operator, secret="", label=" ", fields=wrong)
    paths = {issue.path for issue in caught.value.issues}
    assert paths == {"/smtp_port", "/user", "/extra", "/label", "/secret"}
    with pytest.raises(InvalidError, match="in the clear"):
        create(world.operator, fields={"smtp_host": "mail.peer.test"})
    with pytest.raises(InvalidError, match="one line"):
        create(world.operator, secret="a\r\nb")
    with pytest.raises(NotFoundError):
        connections.create("tables", given(), by=world.operator.actor, owner_id=world.operator.id)


def test_a_label_is_taken_once_per_owner_whatever_its_case(world):
    create(world.operator)
    create(world.stranger)
    with pytest.raises(InvalidError, match="another connection named sales"):
        create(world.operator, label="sales")


def test_a_test_signs_in_and_keeps_how_it_went(world, smtp_peer, tmp_path, superuser):
    held = create(world.operator, smtp_peer)
    refused = sign_in(world.operator, held, smtp_peer, tmp_path)
    assert (refused.state, refused.account) == ("reconnect", None)
    assert "did not accept the user and password" in refused.reason
    assert len(audited(superuser, "PLUGIN_AUTH_FAILED")) == 1
    connections.change(
        held,
        given(smtp_peer, PASSWORD),
        seen_version=1,
        by=world.operator.actor,
        owner_id=world.operator.id,
    )
    passed = sign_in(world.operator, held, smtp_peer, tmp_path)
    kept = row(world.operator, held)
    assert (passed.state, passed.account, kept.state) == ("ok", USER, "ok")
    assert kept.tested_at is not None
    assert smtp_peer.mails == []


def test_a_server_that_is_away_makes_it_fail_not_expire(world, smtp_peer, tmp_path):
    held = create(world.operator, smtp_peer, fields={"smtp_port": 1025})
    assert sign_in(world.operator, held, smtp_peer, tmp_path).state == "failing"


def test_another_server_needs_the_password_again(world):
    held = create(world.operator)
    facts = {"by": world.operator.actor, "owner_id": world.operator.id}
    moved = given(secret=None, fields={"smtp_host": "localhost"})
    with pytest.raises(InvalidError, match="Enter the password"):
        connections.change(held, moved, seen_version=1, **facts)
    named = given(secret=None, label="New", fields={"sender": "x@peer.test"})
    connections.change(held, named, seen_version=1, **facts)
    with pytest.raises(ConflictError):
        connections.change(held, named, seen_version=1, **facts)
    opened = connections.opened(world.operator.id, "mail", "new")
    assert opened.credentials.secret == SECRET
    assert SECRET not in repr(opened)


def test_only_its_owner_changes_tests_or_deletes_it(world, smtp_peer, tmp_path):
    held = create(world.operator, shared=True)
    other = {"by": world.stranger.actor, "owner_id": world.stranger.id}
    with pytest.raises(NotFoundError):
        connections.change(held, given(), seen_version=1, **other)
    with pytest.raises(NotFoundError):
        sign_in(world.stranger, held, smtp_peer, tmp_path)
    with pytest.raises(NotFoundError):
        connections.set_enabled(held, enabled=False, **other)
    with pytest.raises(NotFoundError):
        connections.delete(held, label="Sales", **other)


def test_an_execution_opens_its_owners_connections_and_shared_ones_alone(world):
    """Attack authz-22: an execution of one person names the connection of another."""
    create(world.operator, secret="canary-of-operator")
    for person in (world.stranger, world.admin):
        with pytest.raises(PluginError) as caught:
            connections.opened(person.id, "mail", "Sales")
        assert caught.value.error_class is ErrorClass.CONFIG
    create(world.admin, secret="canary-of-admin-1", shared=True)
    shared = connections.opened(world.stranger.id, "mail", "sales")
    assert shared.credentials.secret == "canary-of-admin-1"
    own = connections.opened(world.operator.id, "mail", "Sales")
    assert own.credentials.secret == "canary-of-operator"


def test_switched_off_expired_or_deleted_it_is_not_opened(world, superuser):
    held = create(world.operator)
    facts = {"by": world.operator.actor, "owner_id": world.operator.id}

    def why():
        with pytest.raises(PluginError) as caught:
            connections.opened(world.operator.id, "mail", "Sales")
        return caught.value.remote_code

    connections.set_enabled(held, enabled=False, **facts)
    assert why() == "disabled"
    connections.set_enabled(held, enabled=True, **facts)
    superuser.execute("UPDATE connection SET expires_at = now() - interval '1 s'")
    kept = row(world.operator, held)
    assert why() == "reconnect"
    ahead = kept.expires_at - timedelta(days=3)
    assert connections.standing(kept, ahead) == "expiring"
    with pytest.raises(InvalidError, match="enter its label: Sales"):
        connections.delete(held, label="sale", **facts)
    connections.delete(held, label="Sales", **facts)
    assert why() == "not_connected"
    assert len(audited(superuser, "PLUGIN_DISCONNECTED")) == 2


def test_a_connection_that_keeps_failing_rests_and_no_attempt_is_spent(world, database, superuser):
    held = create(world.operator)
    opened = connections.opened(world.operator.id, "mail", "Sales")

    def call(error=None):
        with resting.minded(opened, str(uuid4()), {}):
            if error is not None:
                raise PluginError(error, "It is away.")

    for _ in range(5):
        with pytest.raises(PluginError, match="It is away"):
            call(ErrorClass.NETWORK)
    with pytest.raises(PluginError, match="Sales rests for 30 s") as caught:
        call()
    assert not caught.value.sent
    assert 30 < caught.value.hold.seconds < 33
    with db.reading(world.operator.id) as session:
        (line,) = reports.listed(session, world.operator.id)
    assert line.rests_until is not None
    superuser.execute("UPDATE model_state SET open_until = pilot_now()")
    call()  # one tries: it is well again
    call()
    assert row(world.operator, held).last_used_at is not None


def test_held_attempts_are_not_counted():
    def attempt(number, error):
        return Attempt("it", number, StepStatus.FAILED, error=error)

    rows = [
        attempt(1, {"held": True}),
        attempt(2, {"class": "network"}),
        attempt(3, {"held": True}),
    ]
    assert History({"it": rows}).failures("it") == 1


def test_after_some_days_the_wait_for_a_connection_is_a_failure(
    world, smtp_peer, database, redis_url, tmp_path, superuser
):
    create(world.operator, smtp_peer)
    wp.switch_on()
    facts = replace(wp.config(database, redis_url, tmp_path), egress_allow=(smtp_peer.allow,))
    with wp.working(facts):
        execution = wp.start(wp.make_agent(world.operator.id, [STEP]), world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        kept = "SELECT wake_at - opened_at FROM wait"
        assert superuser.execute(kept).fetchone() == (timedelta(days=7),)
        superuser.execute("UPDATE wait SET wake_at = pilot_now()")
        error = wp.wait_for(database, execution, {"failed"})[2]
    assert error["class"] == "auth"


FAULT = "SELECT error::text FROM step_execution WHERE error IS NOT NULL"
STEP = {
    "id": "mail",
    "type": "action",
    "plugin": "mail",
    "action": "send",
    "connection": "sales",
    "params": {"to": ["bob@x.test"], "subject": "Hi", "text": "Hello"},
}


EACH = {
    "id": "each",
    "type": "loop",
    "items": [1, 2],
    "steps": [STEP | {"params": STEP["params"] | {"subject": "Hi {{item}}"}}],
}


@pytest.mark.capability(155, 156)
def test_a_refused_password_waits_until_it_is_mended_and_sends_once(
    world, smtp_peer, database, redis_url, tmp_path, superuser
):
    held = create(world.operator, smtp_peer)
    wp.switch_on()
    facts = replace(wp.config(database, redis_url, tmp_path), egress_allow=(smtp_peer.allow,))
    with wp.working(facts):
        execution = wp.start(wp.make_agent(world.operator.id, [EACH]), world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        with db.reading(world.operator.id) as session:
            why = report.shown(session, execution).why
        assert why.startswith("mail, item 0: reconnect Sales, until ")
        error = superuser.execute(FAULT).fetchone()[0]
        assert '"class":"auth"' in error.replace(" ", "")
        assert "Reconnect Sales" in error
        assert row(world.operator, held).state == "reconnect"
        with pytest.raises(InvalidError, match="There is no connection 'sales'"):
            wp.start(wp.make_agent(world.stranger.id, [STEP]), world.stranger.id)
        connections.change(
            held,
            given(smtp_peer, PASSWORD),
            seen_version=1,
            by=world.operator.actor,
            owner_id=world.operator.id,
        )
        wp.wait_for(database, execution, {"completed"})
    came, then = smtp_peer.mails
    assert [one.message["Subject"] for one in (came, then)] == ["Hi 1", "Hi 2"]
    assert came.message["From"].addresses[0].addr_spec == "sales@peer.test"
    assert row(world.operator, held).last_used_at is not None
