"""Costs after retention: the calls are gone, no sum of them is; and no call stays under way."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from pilot import db, settings
from pilot.audit import Actor
from pilot.engine.providers import ledger
from pilot.engine.triggers import zones
from pilot.engine.upkeep import retention
from pilot.reports import costs, metrics
from pilot.reports.costs import DIMENSIONS, Asked
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book, generate
from tests.reports.test_rollups import STEPS, roll_all

BY = Actor("cli:test")
FIRST, LAST = date(2026, 9, 22), date(2026, 9, 29)
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago")
OLD = {"state": "reserved", "cost": None, "outcome": None, "reserved": Decimal("0.01")}


@pytest.fixture
def old(world, superuser):
    """Give calls of two days, 40 days ago, summed up for people in UTC; the clock stands still."""
    superuser.execute(
        "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql STABLE AS"
        " $$ SELECT timestamptz '2026-11-05 12:00+00' $$"
    )
    settings.change("retention_call_days", 31, by=BY)
    kinds = ({}, FAILED, UNPRICED, RECORDED, {"latency_ms": 26}, {"latency_ms": 10**6})
    for place in range(24):
        facts = {"cost": Decimal("0.001")} | kinds[place % len(kinds)]
        book(superuser, world.operator.id, ago=f"{39 * 24 + 12 + 2 * place} hours", **facts)
    roll_all()


def total(person, zone, group, since=FIRST, until=LAST):
    with db.reading(person.id) as session:
        return costs.costs(session, Asked(since, until, zone, group))


@pytest.mark.capability(227, 292)
@pytest.mark.usefixtures("old")
def test_no_zone_or_grouping_loses_what_retention_deleted(world, browse):
    ways = [(zone, group) for zone in ZONES for group in DIMENSIONS]
    before = {way: total(world.operator, *way) for way in ways}
    assert retention.prune(by=BY)["calls"] == 24
    for (zone, group), known in before.items():
        found = total(world.operator, zone, group)
        assert found.total == known.total, (zone, group)
        assert sum(line.spent.calls for line in found.lines) == known.total.calls
        if group != "day":
            assert found.lines == known.lines, (zone, group)
    assert not total(world.operator, "UTC", "day").moved
    assert total(world.operator, "Asia/Kathmandu", "day").moved
    days = f"/costs?since={FIRST}&until={LAST}&zone"
    assert 'id="moved"' not in browse(world.operator).get(f"{days}=UTC").text
    assert 'id="moved"' in browse(world.operator).get(f"{days}=Asia/Kathmandu").text


@pytest.mark.capability(292)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.usefixtures("old")
def test_each_deleted_call_counts_in_one_period(world, zone):
    retention.prune(by=BY)
    for cut in range(1, (LAST - FIRST).days + 1):
        edge = FIRST + timedelta(days=cut)
        parts = [
            total(world.operator, zone, "model", FIRST, edge - timedelta(days=1)),
            total(world.operator, zone, "model", edge, LAST),
        ]
        assert sum(one.total.calls for one in parts) == 20


@pytest.mark.capability(227, 292)
@pytest.mark.usefixtures("old")
def test_a_day_that_is_deleted_in_part_is_never_summed_up_again(world, superuser):
    known = total(world.operator, "UTC", "model")
    assert superuser.execute("SELECT prune_calls(31, 5)").fetchone() == (5,)
    zones.choose(world.operator.id, "Asia/Kathmandu", by=world.operator.actor)
    days = roll_all()
    assert (days[-1], len(days)) == (date(2026, 9, 26), 40)  # the other one is whole
    assert total(world.operator, "UTC", "model") == known
    superuser.execute("UPDATE call SET key = NULL")
    roll_all()
    assert total(world.operator, "UTC", "model").total == known.total
    assert retention.prune(by=BY)["calls"] == 19
    assert total(world.operator, "UTC", "model") == known


@pytest.mark.capability(227)
@pytest.mark.usefixtures("old")
def test_no_counter_falls_with_the_calls_that_are_deleted(world, superuser):
    def counters():
        with db.reading(None, sees_all=True) as session:
            return [line for line in metrics.exposition(session) if line.startswith("pilot_")]

    book(superuser, world.operator.id, latency_ms=26)
    before = counters()
    retention.prune(by=BY, batch=7)
    assert counters() == before
    book(superuser, world.operator.id)
    assert counters() != before


@pytest.mark.capability(227)
@pytest.mark.usefixtures("old")
def test_a_call_that_nobody_ends_is_lost_and_holds_no_other_day(world, superuser):
    book(superuser, world.operator.id, ago="50 days", role="test", **OLD)
    assert total(world.operator, "UTC", "model", FIRST - timedelta(days=20)).under_way == 1
    assert retention.prune(by=BY)["calls"] == 24
    assert ledger.lose_left() == 1
    found = total(world.operator, "UTC", "model", FIRST - timedelta(days=20))
    assert (found.under_way, found.total.calls) == (0, 21)
    roll_all()
    assert retention.prune(by=BY)["calls"] == 1


@pytest.mark.capability(226)
def test_only_calls_that_nobody_holds_are_lost(world, superuser):
    wp.switch_on()
    owner = world.operator.id
    execution = wp.start(wp.make_agent(owner, STEPS), owner)
    for path, status in (("held", "running"), ("over", "failed")):
        superuser.execute(
            "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status,"
            " fence, started_at) VALUES (%s, %s, 1, %s, 'ai_processing', %s, 1, pilot_now())",
            [execution, path, owner, status],
        )
        facts = {"execution_id": execution, "path": path, "attempt": 1}
        book(superuser, owner, ago="2 hours", **OLD | facts)
    for stage in ("running", "done"):
        generate(superuser, owner, OLD | {"path": stage}, ago="2 hours", stage=stage)
    book(superuser, owner, ago="2 hours", **OLD | {"path": "test"})
    book(superuser, owner, ago="50 minutes", **OLD | {"path": "young"})
    assert ledger.lose_left() == 3
    rows = "SELECT path, cost, flags FROM call WHERE state = 'lost' ORDER BY path"
    lost = superuser.execute(rows).fetchall()
    estimate = (Decimal("0.01"), ["cost_estimated"])
    assert lost == [("done", *estimate), ("over", *estimate), ("test", *estimate)]
    kept = "SELECT spent_usd, reserved_usd FROM execution"
    assert superuser.execute(kept).fetchone() == (Decimal("0.01"), Decimal("0.01"))
    assert ledger.lose_left() == 0
