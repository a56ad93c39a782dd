"""People, sign-in, sessions, the first administrator."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import select, text

from pilot import audit, db
from pilot.audit import Actor
from pilot.engine.people import first_run, users
from pilot.engine.triggers import zones
from pilot.errors import ConflictError, InvalidError, NotFoundError, RateLimitedError
from pilot.models.audit import AuditEntry
from pilot.models.user import User, UserSession
from tests.world import PASSWORD, person

ORIGIN = users.Origin("203.0.113.5", "Firefox", "r1")
SYSTEM = Actor("system")
WRONG = "wrong but long"


def create(email="ada@pilot.test", password=PASSWORD, roles=("operator",), name="Ada"):
    return users.create_user(email=email, name=name, password=password, roles=roles, by=SYSTEM)


def recorded():
    with db.reading(None, sees_all=True) as session:
        rows = session.execute(select(AuditEntry.event, AuditEntry.record).order_by(AuditEntry.seq))
        return [(row.event, row.record) for row in rows]


def shift(superuser, seconds):
    """Let that much time pass for everything that PostgreSQL judges by its clock."""
    columns = "sign_in_failure.at user_session.created_at user_session.last_seen_at"
    for table, column in (name.split(".") for name in columns.split()):
        statement = SQL("UPDATE {0} SET {1} = {1} - make_interval(secs => %s)")
        superuser.execute(statement.format(Identifier(table), Identifier(column)), [seconds])


def test_a_new_person_signs_in_by_any_case_of_the_address(database):
    create("Ada@Pilot.Test")
    token = users.authenticate("  ada@PILOT.test ", PASSWORD, ORIGIN)
    someone = users.session_user(token)
    assert (someone.email, someone.name, someone.roles) == ("ada@pilot.test", "Ada", ("operator",))
    assert [event for event, _ in recorded()] == ["USER_CREATED", "USER_LOGIN"]


def test_a_taken_address_is_a_conflict_and_changes_nothing(database):
    create(name="Ada")
    with pytest.raises(ConflictError, match="has an account"):
        create(name="Eve", roles=("admin",))
    with db.reading(None) as session:
        assert session.execute(select(User.name, User.roles)).all() == [("Ada", ["operator"])]


def test_only_a_hash_of_password_and_session_is_stored(database, superuser):
    create()
    token = users.authenticate("ada@pilot.test", PASSWORD, ORIGIN)
    stored = superuser.execute(
        "SELECT u::text || s::text FROM app_user u, user_session s"
    ).fetchone()
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored[0]
    assert PASSWORD not in stored[0]
    assert token not in stored[0]
    assert len(token) >= 43  # 256 bits


def fails(email, password=WRONG, origin=ORIGIN):
    with pytest.raises(InvalidError) as refused:
        users.authenticate(email, password, origin)
    return [(issue.code, issue.path, issue.message) for issue in refused.value.issues]


def test_unknown_wrong_and_switched_off_answer_the_same(world, database):
    users.set_active(world.viewer.id, False, by=world.admin.actor)
    answers = [
        fails("nobody@pilot.test"),
        fails(world.operator.email),
        fails(world.viewer.email, PASSWORD),
        fails("bad\x00\ud800@x" * 100, "\ud800" * 9),
    ]
    assert answers == [[("sign_in", "", "E-mail address or password is wrong.")]] * 4


def test_failures_are_audited_without_what_was_typed(world):
    fails("hunter2-secret")
    event, record = recorded()[-1]
    assert event == "USER_LOGIN_FAILED"
    assert '"id":"unknown"' in record
    assert "203.0.113.5" in record
    assert "hunter2" not in record


def test_unknown_users_cost_the_same(world, superuser):
    def median_ms(email):
        spent = []
        for number in range(25):
            start = time.perf_counter()
            fails(email, origin=users.Origin(f"10.0.0.{number}"))
            spent.append((time.perf_counter() - start) * 1000)
            superuser.execute("DELETE FROM sign_in_failure")
        return statistics.median(spent)

    median_ms(world.viewer.email)
    known, unknown = median_ms(world.viewer.email), median_ms("nobody@pilot.test")
    assert unknown > known / 3, "the password of nobody is hashed too"


def refused_for(email, origin=ORIGIN, password=WRONG):
    with pytest.raises(RateLimitedError) as refused:
        users.authenticate(email, password, origin)
    return refused.value.retry_after_s


@pytest.mark.capability(290)
def test_the_delay_of_an_account_grows_but_never_locks_out(world, superuser):
    email, waits = world.viewer.email, []
    for _ in range(3):
        fails(email)
    for _ in range(5):
        waits.append(refused_for(email, users.Origin("198.51.100.99"), PASSWORD))
        shift(superuser, waits[-1] + 1)
        fails(email)
    assert waits == [10, 20, 40, 60, 60]
    shift(superuser, 61)
    assert users.authenticate(email, PASSWORD, ORIGIN)
    fails(email)  # a success starts anew


def test_unknown_accounts_are_slowed_the_same(world):
    for _ in range(3):
        fails("nobody@pilot.test")
    assert refused_for("nobody@pilot.test") == 10


@pytest.mark.capability(290)
def test_one_address_tries_thirty_times_a_minute_over_all_accounts(world, superuser):
    for number in range(30):
        fails(f"user{number}@pilot.test")
    assert 0 < refused_for(world.viewer.email, password=PASSWORD) <= 60
    assert users.authenticate(world.viewer.email, PASSWORD, users.Origin("203.0.113.77"))
    shift(superuser, 61)
    assert users.authenticate(world.viewer.email, PASSWORD, ORIGIN)


def test_guesses_made_at_once_count_like_one_by_one(world):
    def guess(number):
        try:
            users.authenticate(world.viewer.email, f"guess number {number}", ORIGIN)
        except (InvalidError, RateLimitedError) as error:
            return type(error)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, range(24)))
    assert answers.count(InvalidError) == 3
    assert answers.count(RateLimitedError) == 21


def test_no_token_but_a_live_one_is_somebody(world):
    token = world.viewer.sign_in()
    for other in ("", "x", token[:-1], token + "x", "\ud800", "None"):
        assert users.session_user(other) is None
    assert users.session_user(token).id == world.viewer.id


@pytest.mark.parametrize(("minutes", "alive"), [(29, True), (31, False)])
def test_a_session_ends_after_half_an_hour_without_requests(world, superuser, minutes, alive):
    token = world.viewer.sign_in()
    shift(superuser, minutes * 60)
    assert (users.session_user(token) is not None) is alive


def test_a_session_in_use_ends_after_twelve_hours(world, superuser):
    token = world.viewer.sign_in()
    for _ in range(12 * 3 - 1):
        shift(superuser, 20 * 60)
        assert users.session_user(token)
    shift(superuser, 20 * 60 + 1)
    assert users.session_user(token) is None


def test_being_there_is_written_at_most_once_a_minute(world, superuser):
    token = world.viewer.sign_in()

    def row_version():
        return superuser.execute("SELECT xmin::text FROM user_session").fetchone()

    before = row_version()
    users.session_user(token)
    assert row_version() == before
    shift(superuser, 61)
    before = row_version()
    users.session_user(token, touch=False)
    assert row_version() == before
    users.session_user(token)
    assert row_version() != before


@pytest.mark.capability(290)
def test_sessions_are_listed_and_ended_one_by_one(world):
    here, there = world.viewer.sign_in(), world.viewer.sign_in()
    world.operator.sign_in()
    listed = users.sessions(world.viewer.id, token=here)
    assert sorted(one.current for one in listed) == [False, True]
    assert {one.browser for one in listed} == {"Firefox"}
    other = next(one for one in listed if not one.current)
    users.end_sessions(world.viewer.id, by=world.viewer.actor, session_id=other.id)
    assert users.session_user(there) is None
    assert users.session_user(here)
    assert recorded()[-1][0] == "USER_LOGOUT"


def test_nobody_ends_a_session_of_somebody_else(world):
    token = world.viewer.sign_in()
    session_id = users.sessions(world.viewer.id, token=token)[0].id
    with pytest.raises(NotFoundError):
        users.end_sessions(world.operator.id, by=world.operator.actor, session_id=session_id)
    assert users.session_user(token)


@pytest.mark.capability(290)
def test_all_sessions_end_at_once(world):
    mine, theirs = [world.viewer.sign_in() for _ in range(3)], world.operator.sign_in()
    users.end_sessions(world.viewer.id, by=world.viewer.actor)
    assert [users.session_user(token) for token in mine] == [None] * 3
    assert users.session_user(theirs)


def test_sign_out_ends_the_session_and_may_be_repeated(world):
    token = world.viewer.sign_in()
    users.sign_out(token, by=world.viewer.actor)
    users.sign_out(token, by=world.viewer.actor)
    assert users.session_user(token) is None
    assert [event for event, _ in recorded()].count("USER_LOGOUT") == 1


@pytest.mark.capability(290)
def test_switching_a_person_off_ends_their_sessions(world):
    token = world.viewer.sign_in()
    users.set_active(world.viewer.id, False, by=world.admin.actor)
    assert users.session_user(token) is None
    users.set_active(world.viewer.id, True, by=world.admin.actor)
    assert users.session_user(token) is None
    assert world.viewer.sign_in()
    events = [event for event, _ in recorded()]
    assert events[-3:] == ["USER_SUSPENDED", "USER_REACTIVATED", "USER_LOGIN"]


def test_the_last_administrator_stays(world):
    with pytest.raises(ConflictError, match="last active administrator"):
        users.set_active(world.admin.id, False, by=world.admin.actor)
    second = person("second", "admin")
    users.set_active(world.admin.id, False, by=second.actor)
    assert users.first_admin().id == second.id


def test_a_person_nobody_knows_cannot_be_switched_off(world):
    with pytest.raises(NotFoundError):
        users.set_active(uuid4(), True, by=world.admin.actor)


def test_a_zone_is_kept_and_audited(world):
    zones.choose(world.viewer.id, "Europe/Berlin", by=world.viewer.actor)
    assert users.session_user(world.viewer.sign_in()).zone == "Europe/Berlin"
    event, record = recorded()[-2]
    assert event == "SETTINGS_PREFERENCES_UPDATED"
    assert '"before":"UTC","after":"Europe/Berlin"' in record
    with pytest.raises(InvalidError, match="IANA"):
        zones.choose(world.viewer.id, "../../etc/passwd", by=world.viewer.actor)


FIRST = {"email": "ada@pilot.test", "name": "Ada", "password": PASSWORD, "origin": ORIGIN}


@pytest.mark.capability(290)
def test_the_first_run_link_makes_one_administrator_once(database):
    token = first_run.give_link()
    assert users.first_admin() is None
    signed_in = users.session_user(first_run.create(token, **FIRST))
    assert signed_in.roles == ("admin",)
    assert users.first_admin().id == signed_in.id
    with pytest.raises(NotFoundError):
        first_run.create(token, **FIRST | {"email": "eve@pilot.test"})
    assert first_run.give_link() is None
    assert [event for event, _ in recorded()] == ["USER_CREATED", "USER_LOGIN"]


@pytest.mark.capability(290)
def test_the_first_run_stays_open_until_an_administrator_was_made(database, superuser):
    token = first_run.give_link()
    viewer = {"email": "v@pilot.test", "name": "Vi", "password": PASSWORD, "roles": ["viewer"]}
    users.create_user(**viewer, by=Actor("system"))
    first_run.check(token)
    assert first_run.create(first_run.give_link(), **FIRST)
    superuser.execute("UPDATE app_user SET active = false WHERE 'admin' = ANY (roles)")
    assert first_run.give_link() is None


def test_a_new_start_replaces_the_link(database):
    older, newer = first_run.give_link(), first_run.give_link()
    with pytest.raises(NotFoundError):
        first_run.check(older)
    first_run.check(newer)


@pytest.mark.parametrize("token", ["", "x", "None", "\x00", "\ud800"])
def test_no_other_token_opens_the_first_run(database, token):
    first_run.give_link()
    with pytest.raises(NotFoundError):
        first_run.create(token, **FIRST)


def test_a_link_older_than_a_day_is_refused(database, superuser):
    token = first_run.give_link()
    day = "UPDATE one_time_token SET expires_at = expires_at - interval '1 day'"
    superuser.execute(day)
    with pytest.raises(NotFoundError):
        first_run.check(token)


def test_a_refused_form_leaves_the_link_usable(database):
    token = first_run.give_link()
    with pytest.raises(InvalidError):
        first_run.create(token, **FIRST | {"password": "12345678"})
    assert first_run.create(token, **FIRST)


def test_two_browsers_with_the_link_make_one_administrator(database):
    token = first_run.give_link()

    def attempt(number):
        try:
            return first_run.create(token, **FIRST | {"email": f"a{number}@pilot.test"})
        except NotFoundError:
            return None

    with ThreadPoolExecutor(4) as pool:
        assert len([made for made in pool.map(attempt, range(4)) if made]) == 1
    with db.reading(None) as session:
        assert session.scalar(text("SELECT count(*) FROM app_user")) == 1


@pytest.mark.capability(290)
def test_a_set_up_password_makes_the_administrator_once(database):
    assert first_run.ensure_admin(PASSWORD) == "admin@localhost"
    assert first_run.ensure_admin("another long password") is None
    assert users.authenticate("admin@localhost", PASSWORD, ORIGIN)
    with pytest.raises(InvalidError):
        first_run.ensure_admin("admin")


def test_sign_in_keeps_the_session_table_free_of_tokens_of_others(world):
    tokens = {world.viewer.sign_in() for _ in range(3)}
    assert len(tokens) == 3
    with db.reading(None) as session:
        assert len(set(session.scalars(select(UserSession.token_hash)))) == 3


def test_the_chain_of_all_this_verifies(world):
    world.viewer.sign_in()
    fails(world.viewer.email)
    with db.reading(None, sees_all=True) as session:
        assert audit.verify(session) == (7, [])
