"""Roll-ups: with them costs are what they are from the ledger alone, in every zone and grouping."""

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from pilot import db
from pilot.engine.triggers import zones
from pilot.engine.upkeep import rollups
from pilot.reports import costs
from pilot.reports.costs import DIMENSIONS, Asked
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book

# Summer time ends in these weeks: in the Azores and in Havana at the midnight that it repeats.
FIRST, DAYS = date(2025, 10, 15), 25
ZONES = ("Europe/Berlin", "Atlantic/Azores", "America/Havana", "Asia/Kathmandu")
OTHERS = ("UTC", "Pacific/Kiritimati", "Australia/Lord_Howe", "America/St_Johns")
TWICE = ("2025-10-26 00:30+00", "2025-10-26 01:30+00", "2025-11-02 04:30+00", "2025-11-02 05:30+00")
STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
LINES = "SELECT count(*), sum(calls), max(until) FROM rollup JOIN rollup_line USING (since)"


@pytest.fixture
def november(superuser):
    """Stop the clock at noon of the day after the period."""
    superuser.execute(
        "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql STABLE AS"
        f" $$ SELECT timestamptz '{FIRST + timedelta(days=DAYS)} 12:00+00' $$"
    )


@pytest.fixture
def ledger(november, world, superuser):
    """Give 500 calls of two people at random moments; five people have four zones and UTC."""
    people = (world.operator, world.stranger, world.viewer, world.approver)
    for person, zone in zip(people, ZONES, strict=True):
        zones.choose(person.id, zone, by=person.actor)
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, STEPS)
    made = wp.start(agent, world.operator.id)
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence,"
        " started_at) VALUES (%s, 'read', 1, %s, 'ai_processing', 'failed', 1, pilot_now())",
        [made, world.operator.id],
    )
    with superuser.pipeline():
        _book_many(superuser, people, agent, made)
    for moment in TWICE:
        book(superuser, world.operator.id)
        superuser.execute(
            "UPDATE call SET at = %s WHERE id = (SELECT max(id::text)::uuid FROM call)", [moment]
        )


def _book_many(superuser, people, agent, made):
    dice = random.Random(11)  # the same rows in each run
    for number in range(500):
        facts = {
            "cost": Decimal(dice.randrange(1, 10**10)) / 10**12,
            "input_tokens": dice.randrange(5_000),
            "cache_read_tokens": dice.randrange(900),
            "cache_write_tokens": dice.randrange(90),
            "cache_write_long_tokens": dice.randrange(9),
            "reasoning_tokens": dice.randrange(300),
            "tokens_saved": dice.randrange(50),
            "baseline_model": dice.choice(["strong", "stronger", None]),
            "baseline_input": dice.choice([None, Decimal(dice.randrange(10**12)) / 10**12]),
            "role": dice.choice(["step", "draft", "fallback"]),
            "intent": dice.choice([None, "extract", "summarize"]),
            "agent_id": dice.choice([None, agent]),
            "model_billed": dice.choice(["cheap-2026", "strong", None]),
            "state": "settled" if number % 17 else "lost",
        }
        facts |= {} if number % 3 else {"execution_id": made, "path": "read", "attempt": 1}
        facts |= {} if number % 5 else FAILED | {"reason": "timeout"}
        facts |= {} if number % 11 else UNPRICED
        facts |= {} if number % 13 else RECORDED
        owner = dice.choice(people[:2])
        book(superuser, owner.id, ago=f"{dice.randrange(DAYS * 24 * 60) + 720} minutes", **facts)


def roll_all():
    """Roll up until nothing is left; return the days."""
    days = []
    while (day := rollups.roll_up()) is not None:
        days.append(day)
    return days


def ways():
    """Return what may be asked: every zone with every grouping, whole, and of a random period."""
    dice = random.Random(5)
    for zone in (*ZONES, *OTHERS):
        for group in DIMENSIONS:
            since = FIRST + timedelta(days=dice.randrange(DAYS))
            until = since + timedelta(days=dice.randrange(DAYS))
            only = {"role": "step"} if dice.random() < 0.2 else {}
            if dice.random() < 0.2:
                only |= {"day": since.isoformat()}
            yield Asked(since, until, zone, group, only)
            yield Asked(FIRST, FIRST + timedelta(days=DAYS), zone, group)


def answers(person, *, sees_all=False):
    with db.reading(person.id, sees_all=sees_all) as session:
        return [costs.costs(session, asked) for asked in ways()]


@pytest.mark.capability(169, 292)
def test_costs_from_rollups_equal_those_of_the_ledger_to_the_last_digit(ledger, world, superuser):
    before = answers(world.operator), answers(world.admin, sees_all=True)
    assert sum(one.total.calls for one in before[1]) > 10_000
    assert len(roll_all()) == DAYS
    assert (answers(world.operator), answers(world.admin, sees_all=True)) == before


def test_finished_days_are_read_from_their_rollups(ledger, world, superuser):
    roll_all()
    superuser.execute("DELETE FROM rollup_line")
    book(superuser, world.operator.id)
    with db.reading(world.admin.id, sees_all=True) as session:
        for group in DIMENSIONS:
            asked = Asked(FIRST, FIRST + timedelta(days=DAYS), "Europe/Berlin", group)
            assert costs.costs(session, asked).total.calls == 1, group  # of today


@pytest.mark.capability(280)
def test_nobody_reads_sums_of_others(ledger, world):
    roll_all()
    with db.reading(world.viewer.id) as session:
        whole = Asked(FIRST, FIRST + timedelta(days=DAYS), "UTC")
        assert costs.costs(session, whole).total.calls == 0


def test_rolling_up_twice_changes_nothing(ledger, superuser):
    roll_all()
    once = superuser.execute(LINES).fetchone()
    assert rollups.roll_up() is None
    superuser.execute("DELETE FROM rollup WHERE since < '2025-10-30'")
    assert roll_all()[0] == date(2025, 10, 29)
    assert superuser.execute(LINES).fetchone() == once


def test_a_new_zone_cuts_the_days_again(ledger, world, superuser):
    roll_all()
    assert superuser.execute(LINES).fetchone()[0] > 0
    zones.choose(world.admin.id, "Australia/Adelaide", by=world.admin.actor)
    assert len(roll_all()) == DAYS
    midnight = "SELECT count(*) FROM rollup WHERE since = '2025-11-01 13:30+00'"
    assert superuser.execute(midnight).fetchone()[0] == 1


def test_a_day_waits_for_its_calls_under_way_and_for_its_end(november, world, superuser):
    book(superuser, world.operator.id, ago="30 hours", state="reserved", cost=None)
    book(superuser, world.operator.id, ago="1 hour")
    assert rollups.roll_up() is None
    superuser.execute("UPDATE call SET state = 'settled', cost = 0.002 WHERE state = 'reserved'")
    assert roll_all() == [FIRST + timedelta(days=DAYS - 1)]


@pytest.mark.capability(292)
@pytest.mark.parametrize(
    "change",
    ["UPDATE call SET cost = 9", "DELETE FROM call", "UPDATE call SET at = at - interval '4 days'"],
)
def test_a_changed_day_is_read_from_the_ledger_until_it_is_rolled_up_again(
    november, world, superuser, change
):
    whole = Asked(FIRST, FIRST + timedelta(days=DAYS), "Europe/Berlin")
    for hours in (30, 31, 60, 150):
        book(superuser, world.operator.id, ago=f"{hours} hours")
    roll_all()
    superuser.execute(
        f"{change} WHERE id = (SELECT min(id::text)::uuid FROM call)"  # noqa: S608 - constants
    )
    with db.reading(world.operator.id) as session:
        changed = costs.costs(session, whole)
        (cost,) = superuser.execute("SELECT sum(cost) FROM call").fetchone()
        assert changed.total.cost == cost
    assert roll_all()
    with db.reading(world.operator.id) as session:
        assert costs.costs(session, whole) == changed


def test_a_worker_rolls_up_what_is_over(database, redis_url, world, superuser, tmp_path):
    book(superuser, world.operator.id, ago="60 hours")
    with wp.working(wp.config(database, redis_url, tmp_path)):
        wp.until(lambda: superuser.execute(LINES).fetchone()[0] == 1)
