"""The ready check."""

import pytest
from sqlalchemy import text

from pilot import db, jobs
from pilot.views import health
from pilot.views.health import newest_migration


@pytest.fixture
def ready(browse, redis_url):
    """Give `ready()`: status and body of /healthz; the queue is there, a worker too."""
    jobs.configure(redis_url)
    with db.transaction("test.worker", None) as session:
        session.execute(
            text(
                "INSERT INTO worker (host, pid, version, lease_until)"
                " VALUES ('h', 1, '1', pilot_now() + interval '15 s')"
            )
        )
    browser = browse()

    def ready():
        answer = browser.get("/healthz")
        return answer.status_code, answer.get_json()["missing"]

    return ready


def test_ready_when_all_is_there(ready):
    assert ready() == (200, [])


def test_a_dead_worker_is_missing(ready, superuser):
    superuser.execute("UPDATE worker SET lease_until = pilot_now() - interval '1 s'")
    assert ready() == (503, ["worker"])
    superuser.execute("UPDATE worker SET lease_until = pilot_now() + interval '9 s'")
    assert ready() == (200, [])
    superuser.execute("UPDATE worker SET stopped_at = pilot_now()")
    assert ready() == (503, ["worker"])


def test_a_dead_queue_is_missing(ready):
    jobs.configure("redis://127.0.0.1:1")
    assert ready() == (503, ["queue"])


def test_an_older_schema_is_missing_migrations(ready, superuser):
    superuser.execute("UPDATE alembic_version SET version_num = '0001'")
    assert ready() == (503, ["migrations"])
    superuser.execute("DROP TABLE alembic_version")
    assert ready() == (503, ["migrations"])


def test_a_dead_database_is_missing_and_told_by_name_only(ready, browse):
    db.configure("postgresql://pilot@127.0.0.1:1/secret_name")
    assert ready() == (503, ["database"])
    assert "secret_name" not in browse().get("/healthz").text


def test_a_database_that_never_answers_is_missing_in_time(ready, superuser, monkeypatch):
    monkeypatch.setattr(health, "ANSWERS_WITHIN_S", 0.2)
    with superuser.transaction():
        superuser.execute("LOCK TABLE worker IN ACCESS EXCLUSIVE MODE")
        assert ready() == (503, ["database"])
        assert ready() == (503, ["database"])
    monkeypatch.undo()
    assert ready() == (200, [])


def test_liveness_needs_nothing_else(browse, database):
    browser = browse()
    db.configure("postgresql://pilot@127.0.0.1:1/none")
    assert browser.get("/health/live").status_code == 200


def test_the_newest_migration_is_known():
    assert newest_migration().isdigit()
