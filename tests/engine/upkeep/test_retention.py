"""Retention: what is old goes, chains and the costs of old months stay true."""

import hashlib

import psycopg
import pytest

from pilot import audit, audit_bundle, cli, db, settings
from pilot.audit import Actor
from pilot.engine.life import retrying
from pilot.engine.upkeep import retention, rollups
from pilot.engine.upkeep.anchors import FILE, Anchors, check
from pilot.engine.worker import chores
from pilot.errors import ConflictError
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import book
from tests.reports.test_rollups import LINES

BY = Actor("cli:test")
SET = {"id": "one", "type": "transform", "operation": "set", "config": {"value": "canary"}}


@pytest.fixture
def days(superuser):
    """Give a function that moves the database's clock."""

    def move(count):
        superuser.execute(
            "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
            f" $$ SELECT clock_timestamp() + interval '{count} days' $$"
        )

    return move


@pytest.fixture
def ended(world, superuser):
    """Give an execution that failed today, with a timeline and outputs, and two calls."""
    wp.switch_on()
    owner = world.operator.id
    execution = wp.start(wp.make_agent(owner, [SET]), owner)
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, output, "
        "fence, started_at) VALUES (%s, 'one', 1, %s, 'transform', 'failed', '\"canary\"', 1, "
        "pilot_now())",
        [execution, owner],
    )
    superuser.execute(
        "UPDATE execution SET status = 'failed', finished_at = pilot_now(), output = '\"canary\"'"
    )
    for _ in range(2):
        book(superuser, owner, execution_id=execution)
    world.operator.sign_in()
    return execution


def faults():
    with db.reading(None, sees_all=True) as session:
        return audit.verify(session)[1]


@pytest.mark.capability(227)
def test_each_kind_goes_after_its_own_time(ended, world, superuser, days, tmp_path):
    before = superuser.execute("SELECT count(*) FROM audit").fetchone()[0]
    assert set(retention.due().values()) == {0}
    assert set(retention.prune(by=BY).values()) == {0}
    Anchors(tmp_path).append()

    days(31)
    assert retention.prune(by=BY)["sessions"] == 1
    days(91)
    assert {kind: count for kind, count in retention.due().items() if count} == {"executions": 1}
    assert retention.prune(by=BY, batch=1)["executions"] == 1
    kept = superuser.execute("SELECT status, output, pruned_at FROM execution").fetchone()
    assert kept[:2] == ("failed", None)
    assert superuser.execute("SELECT count(*) FROM event").fetchone() == (0,)
    assert superuser.execute("SELECT output FROM step_execution").fetchone() == (None,)
    with pytest.raises(ConflictError, match="start a new execution"):
        retrying.failed(ended, by=BY, user_id=world.operator.id)

    settings.change("retention_call_days", 31, by=BY)
    days(33)
    assert retention.prune(by=BY)["calls"] == 0  # their day has no sums yet
    while rollups.roll_up():
        pass
    sums = superuser.execute(LINES).fetchone()
    assert sums[1] == 2
    assert retention.prune(by=BY, batch=1)["calls"] == 2
    assert superuser.execute("SELECT count(*) FROM call").fetchone() == (0,)
    while rollups.roll_up():
        pass
    assert superuser.execute(LINES).fetchone() == sums

    days(366)
    assert retention.prune(by=BY)["audit records"] > 0
    emptied = superuser.execute("SELECT count(*) FROM audit WHERE record = '{}'").fetchone()[0]
    assert 0 < emptied < before + 9  # critical ones stay for seven years
    assert faults() == []
    with (tmp_path / FILE).open() as file, db.reading(None, sees_all=True) as session:
        assert audit.verify(session, marks=check(file).marks)[1] == []
        lines = list(audit_bundle.bundle(session))
    assert audit_bundle.verify_bundle(lines)[1] == []


NONSENSE = '{"event":"AUDIT_PRUNED","details":{"emptied":[["a","x",1]]}}'


@pytest.mark.capability(259)
@pytest.mark.parametrize("record", ["{}", NONSENSE])
def test_an_emptied_record_that_nothing_tells_of_is_tampering(ended, superuser, days, record):
    days(366)
    assert retention.prune(by=BY, batch=3)["audit records"] > 3
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(
        "UPDATE audit SET record = %s WHERE (chain, seq) = (SELECT chain, seq FROM audit "
        "WHERE event = 'AUDIT_PRUNED' ORDER BY seq LIMIT 1)",
        [record],
    )
    assert "the record was changed" in {fault.reason for fault in faults()}
    with db.reading(None, sees_all=True) as session:
        lines = list(audit_bundle.bundle(session))
    assert "the record was changed" in {one.reason for one in audit_bundle.verify_bundle(lines)[1]}


ATTACKS = (
    "UPDATE audit SET record = '{}'",
    "SELECT empty_records('{system}', '{1}', 'x', '{}')",
    "SELECT audit_prune(0, 0, 100)",
    "DELETE FROM call",
)


@pytest.mark.capability(227)
def test_the_application_cannot_empty_what_is_not_old(ended, database):
    denied = (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)
    options = {"options": "-c role=pilot_app", "autocommit": True}
    with psycopg.connect(db.dsn(database), **options) as connection:
        for attack in ATTACKS:
            with pytest.raises(denied):
                connection.execute(attack)


@pytest.mark.capability(227)
def test_a_worker_prunes_by_itself(ended, servers, database, superuser, days, monkeypatch):
    monkeypatch.setattr(chores, "PRUNE_AFTER_S", 0.0)
    days(91)
    with wp.working(wp.config(database, servers.redis_url, "/nowhere")):
        wp.until(lambda: superuser.execute("SELECT count(*) FROM event").fetchone() == (0,))


def test_links_of_emptied_records_are_still_checked():
    first, second = hashlib.sha256(b"one").digest(), hashlib.sha256(b"two").digest()
    links = [(1, None, b"", first), (2, None, second, second)]
    assert audit.verify_chain("system", links, (2, second))[1].seq == 2


def test_the_command_says_what_would_go_and_deletes_only_when_told(
    ended, database, redis_url, monkeypatch, capsys, days
):
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    settings.change("retention_execution_days", 10, by=BY)
    days(11)
    for _ in range(2):
        assert cli.main(["prune", "--dry-run"]) == 0
        assert "Would go: 1 executions, 0 large outputs" in capsys.readouterr().out
    assert cli.main(["prune"]) == 0
    assert "Pruned: 1 executions" in capsys.readouterr().out
    with db.reading(None, sees_all=True) as session:
        told = [line for line in audit_bundle.bundle(session) if "DATA_PRUNED" in line]
    assert len(told) == 1


@pytest.mark.capability(227, 310)
def test_a_large_output_goes_with_the_last_execution_that_gave_it(ended, superuser, days):
    superuser.execute(
        "INSERT INTO blob (owner_id, sha256, size, media_type, content) "
        "SELECT owner_id, sha256(x), 2, 'application/json', x "
        "FROM execution, (VALUES ('[]'::bytea), ('{}')) AS v(x)"
    )
    superuser.execute("UPDATE step_execution SET output_blob = sha256('[]')")
    superuser.execute("UPDATE execution SET output_blob = sha256('[]')")
    assert retention.due()["large outputs"] == 0  # the other one may be about to be referred to
    days(1)
    assert retention.due()["large outputs"] == 1
    assert retention.prune(by=BY)["large outputs"] == 1
    assert superuser.execute("SELECT content FROM blob").fetchall() == [(b"[]",)]
    days(91)
    gone = retention.prune(by=BY)
    assert (gone["executions"], gone["large outputs"]) == (1, 1)
    hashes = "SELECT output_blob FROM execution UNION SELECT output_blob FROM step_execution"
    assert superuser.execute(hashes).fetchall() == [(None,)]


@pytest.mark.capability(227)
def test_what_a_child_gave_stays_until_its_parent_has_ended(ended, world, superuser, days):
    around = wp.start(wp.make_agent(world.operator.id, [SET]), world.operator.id)
    superuser.execute("UPDATE execution SET status = 'paused' WHERE id = %s", [around])
    superuser.execute("UPDATE execution SET parent_id = %s WHERE id = %s", [around, ended])
    days(91)
    assert retention.due()["executions"] == retention.prune(by=BY)["executions"] == 0
    superuser.execute(
        "UPDATE execution SET status = 'cancelled', finished_at = pilot_now() WHERE id = %s",
        [around],
    )
    assert retention.due()["executions"] == retention.prune(by=BY)["executions"] == 1
