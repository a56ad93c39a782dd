"""Row-level security over the pool: nobody's rows leak into the next user's transaction."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DataError, InternalError

from pilot import db
from pilot.engine.upkeep import rollups
from pilot.errors import ConflictError
from pilot.models.agent import Agent
from pilot.models.generation import Generation
from tests.world import person

TRANSACTIONS = 2_400
THREADS = 12
PEOPLE = 6


def add_rows(owner, count):
    with db.transaction("test.rows", owner.id) as session:
        for number in range(count):
            session.add(Agent(owner_id=owner.id, name=f"{owner.email} {number}"))
        session.add(
            Generation(
                owner_id=owner.id, goal="g", goal_hash="h", answers={}, text="", issues=[],
                questions=[], clauses=[], generator="planner", confidence=1, duration_ms=1,
                outcome="offered",
            )
        )  # fmt: skip


def owners_seen(session):
    query = select(Agent.owner_id).union_all(select(Generation.owner_id))
    return Counter(session.scalars(query))


def work(session, how, number):
    """Do what a request does in its transaction; return the owners of the rows that it saw."""
    seen = set(owners_seen(session))
    if how == "write":
        session.execute(text("UPDATE agent SET goal = :g"), {"g": str(number)})
    if how == "savepoint":
        with session.begin_nested():
            seen |= set(owners_seen(session))
    if how == "statement fails":
        with suppress(DataError):
            session.execute(text("SELECT 1/0"))
    if how == "fail":
        raise FailedViewError(seen)
    return seen


class FailedViewError(Exception):
    """A view that fails after it has read; carries what it saw."""


def one_transaction(number, people):
    """Do what requests do, some of them badly, and return the foreign owners that were seen."""
    chance = random.Random(number)
    me = chance.choice([*people, None])
    how = chance.choice(
        ["read", "write", "fail", "statement fails", "savepoint", "nobody set", "admin", "worker"]
    )
    if how == "admin":  # sees every row, in this transaction only
        with db.reading(me.id if me else None, sees_all=True) as session:
            assert set(owners_seen(session)) == {one.id for one in people}
        return set()
    if how == "worker":  # works in a function of the role that sees every owner's row
        rollups.roll_up()
    try:
        with db.transaction("test.mixed", me.id if me else None) as session:
            seen = work(session, how, number)
    except FailedViewError as failed:
        seen = failed.args[0]
    except (InternalError, ConflictError):
        seen = set()  # a commit after a failed statement; two writers of the same rows
    seen -= {me.id} if me else set()
    if how == "nobody set":  # a connection fresh from the pool, without any identity
        with db.engine().begin() as connection:
            seen |= set(connection.scalars(select(Agent.owner_id)))
    return seen


def owners():
    """Return people with rows of their own."""
    people = [person(f"p{number}", "operator") for number in range(PEOPLE)]
    for number, owner in enumerate(people):
        add_rows(owner, number + 1)
    return people


def foreign_rows(people, transactions):
    """Return the foreign owners whose rows were seen, a set for each transaction that saw any."""
    with ThreadPoolExecutor(THREADS) as pool:
        leaks = list(pool.map(lambda n: one_transaction(n, people), range(transactions)))
    return [leak for leak in leaks if leak]


@pytest.mark.capability(280)
def test_no_foreign_row_in_2400_mixed_transactions_over_one_pool(database):
    db.configure(database, pool_size=4)
    people = owners()
    assert foreign_rows(people, TRANSACTIONS) == []
    for number, owner in enumerate(people):
        with db.reading(owner.id) as session:
            assert owners_seen(session) == {owner.id: number + 2}


@pytest.mark.capability(280)
def test_a_setting_for_the_session_would_leak_and_ours_does_not(database):
    """The trap: `set_config(..., false)` outlives its transaction on the pooled connection."""
    db.configure(database, pool_size=1)
    ada = person("ada", "operator")
    add_rows(ada, 1)
    for local, leaked in ((True, 0), (False, 1)):
        with db.engine().begin() as connection:
            statement = text("SELECT set_config('app.user_id', :u, :local)")
            connection.execute(statement, {"u": str(ada.id), "local": local})
        with db.engine().begin() as connection:
            assert connection.scalar(select(func.count()).select_from(Agent)) == leaked


@pytest.mark.capability(280)
def test_an_identity_from_the_pool_is_replaced_at_the_next_transaction(database):
    db.configure(database, pool_size=1)
    ada, eve = person("ada", "operator"), person("eve", "operator")
    add_rows(ada, 1)
    for _ in range(3):
        with db.reading(ada.id) as session:
            assert set(owners_seen(session)) == {ada.id}
        with db.reading(eve.id) as session:
            assert set(owners_seen(session)) == set()
        with db.reading(eve.id, sees_all=True) as session:
            assert set(owners_seen(session)) == {ada.id}
        with db.reading(eve.id) as session:
            assert set(owners_seen(session)) == set()


@pytest.mark.capability(280)
@pytest.mark.parametrize("forged", ["' OR true --", "00000000-0000-0000-0000-000000000000", "x"])
def test_a_forged_identity_sees_nothing(world, forged):
    add_rows(world.operator, 1)
    seen = Counter()
    with suppress(DataError), db.transaction("test.forged", None) as session:  # not a uuid
        session.execute(text("SELECT set_config('app.user_id', :u, true)"), {"u": forged})
        seen = owners_seen(session)
    assert seen == Counter()


def test_people_without_rows_of_their_own_see_none(world):
    add_rows(world.operator, 1)
    for somebody in (world.viewer, world.approver, world.stranger):
        with db.reading(somebody.id) as session:
            assert not owners_seen(session)
