"""Transactions: all or nothing, callbacks only after a real commit, clear faults."""

import threading
import time
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from pilot import db
from pilot.errors import ConfigError, ConflictError, UnavailableError
from pilot.models.agent import Agent
from pilot.models.user import User
from pilot.services import schema
from tests import patience
from tests.patience import LONG_S


def add_user(session, email):
    session.add(User(email=email, name="A", password_hash="x", roles=["viewer"]))
    session.flush()


def emails():
    with db.reading(None) as session:
        return sorted(session.scalars(text("SELECT email FROM app_user")))


@pytest.mark.parametrize("rest", ["u:secretpw@[::1/x", "u:secretpw@h:port/x", "u:secretpw%zz@h/x"])
def test_a_url_that_cannot_be_read_says_so_without_its_password(rest):
    url = f"postgresql://{rest}"
    with pytest.raises(ConfigError, match="Its form: postgresql://user") as caught:
        schema.connect(url)
    assert caught.value.__suppress_context__
    if "%" not in url:
        with pytest.raises(ConfigError, match="Its form: postgresql://user"):
            db.configure(url)


def test_a_block_commits_as_a_whole(database):
    with db.transaction("test.add", None) as session:
        add_user(session, "a@x.test")
        add_user(session, "b@x.test")
    assert emails() == ["a@x.test", "b@x.test"]


def test_an_error_rolls_back_all_and_rings_nothing(database):
    rang = []
    with pytest.raises(ValueError, match="no"), db.transaction("test.add", None) as session:
        add_user(session, "a@x.test")
        db.on_commit(session, lambda: rang.append(1))
        raise ValueError("no")
    assert emails() == []
    assert rang == []


def test_callbacks_come_in_order_after_the_commit(database):
    seen = []
    with db.transaction("test.add", None) as session:
        db.on_commit(session, lambda: seen.append(("first", emails())))
        db.on_commit(session, lambda: seen.append(("second", emails())))
        add_user(session, "a@x.test")
        assert seen == []
    assert seen == [("first", ["a@x.test"]), ("second", ["a@x.test"])]


def test_a_released_savepoint_rings_nothing(database):
    rang = []
    with pytest.raises(ValueError, match="no"), db.transaction("test.add", None) as session:
        with session.begin_nested():
            add_user(session, "a@x.test")
            db.on_commit(session, lambda: rang.append(1))
        assert rang == []
        raise ValueError("no")
    assert rang == []


def test_an_inner_rollback_keeps_the_outer_callbacks(database):
    rang = []
    with db.transaction("test.add", None) as session:
        db.on_commit(session, lambda: rang.append(1))
        add_user(session, "a@x.test")
        with pytest.raises(IntegrityError), session.begin_nested():
            add_user(session, "a@x.test")
    assert emails() == ["a@x.test"]
    assert rang == [1]


def test_a_dead_queue_does_not_undo_the_row(database):
    rang = []

    def dead():
        raise ConnectionError("the queue is away")

    with db.transaction("test.add", None) as session:
        add_user(session, "a@x.test")
        db.on_commit(session, dead)
        db.on_commit(session, lambda: rang.append(1))
    assert emails() == ["a@x.test"]
    assert rang == [1]


def test_the_events_of_sqlalchemy_would_ring_for_a_savepoint(database):
    """The reason for our own callbacks; when this changes they may go."""
    rang = []
    with Session(db.engine()) as session:
        event.listen(session, "after_commit", lambda _: rang.append(1))
        session.execute(text("SELECT 1"))
        with session.begin_nested():
            session.execute(text("SELECT 1"))
        assert rang
        session.rollback()


def test_a_transaction_inside_another_is_refused(database):
    inner = db.transaction("test.inner", None)
    refused = pytest.raises(RuntimeError, match=r"test\.inner .* test\.outer")
    with refused, db.transaction("test.outer", None) as session:
        add_user(session, "a@x.test")
        inner.__enter__()
    assert emails() == []
    with db.transaction("test.next", None) as session:
        add_user(session, "b@x.test")


def test_a_callback_may_open_a_transaction(database):
    def later():
        with db.transaction("test.later", None) as session:
            add_user(session, "b@x.test")

    with db.transaction("test.add", None) as session:
        db.on_commit(session, later)
    assert emails() == ["b@x.test"]


@pytest.fixture
def locked(database, superuser):
    """Give a row that another session has locked."""
    with db.transaction("test.add", None) as session:
        add_user(session, "a@x.test")
    superuser.autocommit = False
    superuser.execute("SELECT 1 FROM app_user FOR UPDATE")
    yield
    superuser.rollback()
    superuser.autocommit = True


def update(limit):
    with db.transaction("test.update", None) as session:
        session.execute(text(f"SET LOCAL {limit} = '50ms'"))
        session.execute(text("UPDATE app_user SET name = 'B'"))


@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_a_row_locked_for_too_long_is_a_conflict(locked, limit):
    with pytest.raises(ConflictError, match="try again"):
        update(limit)


def test_every_session_has_its_limits_and_its_role(database, monkeypatch):
    monkeypatch.setattr(db, "SESSION_LIMITS", patience.LIMITS)
    db.configure(database, pool_size=3)  # another size, another pool
    with db.reading(None) as session:
        limits = session.execute(
            text(
                "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
                " current_setting('idle_in_transaction_session_timeout'), current_user::text,"
                " current_setting('timezone')"
            )
        ).one()
    assert tuple(limits) == ("5s", "30s", "5s", "pilot_app", "UTC")


def test_a_dead_database_is_an_outage(database):
    db.configure("postgresql://pilot@127.0.0.1:1/none")
    with pytest.raises(UnavailableError, match="does not answer"):
        update("lock_timeout")
    with pytest.raises(UnavailableError), db.reading(None) as session:
        session.execute(text("SELECT 1"))


def test_a_connection_that_died_in_the_pool_is_replaced(database, superuser):
    assert emails() == []
    superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert emails() == []


def test_a_connection_lost_at_commit_is_an_outage(database, superuser):
    with pytest.raises(UnavailableError), db.transaction("test.add", None) as session:
        add_user(session, "a@x.test")
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert emails() == []


def test_a_transaction_whose_process_had_no_turn_for_too_long_is_an_outage(database):
    with pytest.raises(UnavailableError), db.transaction("test.add", None) as session:
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '20ms'"))
        time.sleep(0.3)
        add_user(session, "a@x.test")
    assert emails() == []


def test_a_reader_that_was_cut_off_is_an_outage_as_it_ends(database, superuser):
    with pytest.raises(UnavailableError), db.reading(None) as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '20ms'"))
        query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        patience.until(lambda: superuser.execute(query, [pid]).fetchone() == (0,))
    assert emails() == []


def test_a_full_disk_is_told(database):
    full = text("DO $$ BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END $$")
    told = pytest.raises(UnavailableError, match="disk of the database is full; make room")
    with told, db.transaction("test.add", None) as session:
        session.execute(full)


def test_no_engine_is_an_outage(monkeypatch):
    monkeypatch.setattr(db._Process, "engine", None)
    with pytest.raises(UnavailableError, match="not configured"), db.reading(None):
        pass


def agents(user_id, **how):
    with db.reading(user_id, **how) as session:
        return sorted(session.scalars(text("SELECT name FROM agent")))


@pytest.fixture
def owned(world):
    """Give two people with an agent each."""
    for owner in (world.operator, world.stranger):
        with db.transaction("test.agent", owner.id) as session:
            session.add(Agent(owner_id=owner.id, name=owner.email))
    return world


@pytest.mark.capability(280)
def test_rows_of_others_do_not_exist(owned):
    assert agents(owned.operator.id) == ["operator@pilot.test"]
    assert agents(owned.admin.id) == []
    assert agents(owned.admin.id, sees_all=True) == ["operator@pilot.test", "stranger@pilot.test"]
    assert agents(None) == []
    assert agents(uuid4()) == []


@pytest.mark.capability(280)
def test_rows_cannot_be_given_to_others(owned):
    refused = pytest.raises(ProgrammingError, match="row-level security")
    with refused, db.transaction("test.agent", owned.operator.id) as session:
        session.add(Agent(owner_id=owned.stranger.id, name="planted"))
    with refused, db.transaction("test.agent", owned.operator.id) as session:
        session.execute(text("UPDATE agent SET owner_id = :o"), {"o": owned.stranger.id})
    assert agents(owned.stranger.id) == ["stranger@pilot.test"]


def test_acting_as_another_holds_from_the_next_statement_on(owned):
    query = text("SELECT name FROM agent")
    with db.transaction("test.read", None) as session:
        assert session.scalars(query).all() == []
        db.act_as(session, owned.operator.id)
        assert session.scalars(query).all() == ["operator@pilot.test"]
        db.act_as(session, owned.stranger.id)
        assert session.scalars(query).all() == ["stranger@pilot.test"]


def test_the_identity_survives_a_rollback_inside_the_session(owned):
    with db.reading(owned.operator.id) as session:
        session.rollback()
        assert session.scalars(text("SELECT name FROM agent")).all() == ["operator@pilot.test"]


def test_the_clock_is_aware_and_near_the_database(database):
    with db.reading(None) as session:
        theirs = session.scalar(text("SELECT pilot_now()"))
    assert abs((db.now() - theirs).total_seconds()) < 60


def test_the_libpq_form_of_a_url_names_no_driver():
    assert db.dsn("postgresql+psycopg://u@h/d") == "postgresql://u@h/d"
    assert (
        psycopg.conninfo.conninfo_to_dict(db.dsn("postgresql://u@/d?host=/run"))["host"] == "/run"
    )


def test_threads_have_transactions_of_their_own(database):
    inside, done = threading.Event(), threading.Event()

    def other():
        with db.transaction("test.other", None) as session:
            add_user(session, "b@x.test")
            inside.set()
            done.wait(LONG_S)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(LONG_S)
    with db.transaction("test.mine", None) as session:
        add_user(session, "a@x.test")
    done.set()
    thread.join()
    assert emails() == ["a@x.test", "b@x.test"]
