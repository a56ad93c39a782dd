"""What a page reads does not grow with what it shows: counts of queries, plans, sheets."""

import csv
import io
from decimal import Decimal

import pytest
from sqlalchemy import event

from pilot import db, settings
from pilot.reports import executions
from pilot.views import lists
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book

STEP = {"type": "transform", "operation": "set", "config": {"value": 1}}
MANY = 300
COPIES = """
INSERT INTO execution (owner_id, agent_id, agent_name, version_id, version_number, runs,
    runs_reason, mode, started_by, inputs, settings, settings_version, zone, deadline_at, status,
    created_at, cost_usd, tokens)
SELECT owner_id, agent_id, 'Test ' || n %% 7, version_id, version_number, runs, runs_reason, mode,
       started_by, inputs, settings, settings_version, zone, deadline_at, 'completed',
       created_at - n * interval '1 min', n * 0.001, n %% 10
  FROM execution, generate_series(1, %(many)s) n
"""
ATTEMPTS = """
INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence, output,
    started_at)
SELECT e.id, 's' || n, 1, e.owner_id, 'transform', 'completed', 1, '1', now()
  FROM execution e, generate_series(0, %(steps)s - 1) n WHERE e.id = %(id)s
"""


@pytest.fixture
def queries(database):
    """Give `queries(work)`: how many statements a piece of work sends."""
    seen = []

    def note(*facts):
        seen.append(facts[2])

    event.listen(db.engine(), "before_cursor_execute", note)

    def queries(work) -> int:
        work()  # once before: what a process reads once
        seen.clear()
        work()
        return len(seen)

    yield queries
    event.remove(db.engine(), "before_cursor_execute", note)


def started(world, superuser, steps):
    """Return an execution with so many steps, each with an attempt."""
    body = [STEP | {"id": f"s{n}"} for n in range(steps)]
    execution = wp.start(wp.make_agent(world.operator.id, body), world.operator.id)
    superuser.execute(ATTEMPTS, {"steps": steps, "id": execution})
    return execution


def test_an_execution_of_200_steps_takes_as_many_queries_as_one_of_10(
    world, browse, superuser, queries
):
    wp.switch_on()
    settings.change("pilot_max_steps", 200, by=wp.BY)
    operator = browse(world.operator)
    ten, many = (started(world, superuser, steps) for steps in (10, 200))
    for tab in ("", "?tab=events"):
        small, large = (
            queries(lambda url=f"/executions/{one}{tab}": operator.get(url)) for one in (ten, many)
        )
        assert small == large <= 17


def test_the_figures_that_are_asked_for_again_and_again_take_fewer_queries(world, browse, queries):
    admin = browse(world.admin)
    figures, page = (queries(lambda get=get: get("/")) for get in (admin.fragment, admin.get))
    assert figures <= 12 < page <= 22


@pytest.fixture
def many(world, superuser):
    """Give the operator 300 executions more."""
    wp.switch_on()
    execution = wp.start(wp.make_agent(world.operator.id, [STEP | {"id": "s"}]), world.operator.id)
    superuser.execute(COPIES, {"many": MANY})
    return execution


def test_a_list_of_100_takes_as_many_queries_as_one_of_25(world, browse, many, queries):
    operator = browse(world.operator)
    few, more = (queries(lambda n=n: operator.get(f"/executions?size={n}")) for n in (25, 100))
    assert few == more <= 12


def plan(session, key):
    """Return how the database would read the rows after the first, in this order."""
    connection = session.connection()
    for setting in ("seqscan", "sort", "bitmapscan"):  # dear where there are few rows
        connection.exec_driver_sql(f"SET LOCAL enable_{setting} = off")
    smallest = {"text": "''", "int8": "'-2'", "timestamptz": "'epoch'"}[key.type]
    rows = connection.exec_driver_sql(
        f"EXPLAIN SELECT id FROM execution e WHERE ({key.expression}, e.id) > "  # noqa: S608
        f"(cast({smallest} AS {key.type}), cast('00000000-0000-0000-0000-000000000000' AS uuid)) "
        f"ORDER BY {key.expression}, e.id LIMIT 50"
    )
    return [row[0].strip() for row in rows]


def test_each_order_is_read_from_an_index(world, many):
    """Under row security too, and from any page on: the keys are columns that tell nothing."""
    for person in (world.operator, world.admin):
        for key in executions.SORTS.values():
            with db.reading(person.id, sees_all=person == world.admin) as session:
                lines = plan(session, key)
            assert any(line.startswith("Index Cond: (ROW(") for line in lines), lines
            assert not any("Sort" in line for line in lines), lines


def test_a_sheet_has_every_row_once_although_it_is_read_in_pages(world, browse, many, monkeypatch):
    monkeypatch.setattr(lists, "SHEET_ROWS", 40)
    for person in (world.operator, world.admin):
        text = browse(person).get("/executions.csv?sort=tokens").text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len({row["id"] for row in rows}) == len(rows) == MANY + 1
    assert browse(world.stranger).get("/executions.csv").text == ""


def test_whom_an_agent_is_shared_with_finds_its_executions(world, browse, many, superuser):
    superuser.execute(
        "INSERT INTO agent_grant (agent_id, user_id, owner_id, level) "
        "SELECT agent_id, %s, owner_id, 'read' FROM execution WHERE id = %s",
        [world.stranger.id, many],
    )
    found = browse(world.stranger).get("/executions.json?q=test").json
    assert found["total"] == MANY + 1
    assert browse(world.viewer).get("/executions.json?q=test").json["total"] == 0


def test_what_calls_took_stands_with_their_execution(world, browse, superuser, many):
    for columns in ({}, UNPRICED, FAILED, RECORDED):
        book(superuser, world.operator.id, execution_id=many, path="s", **columns)
    seen = browse(world.operator).get(f"/executions.json?q={many}").json["items"][0]
    rows = superuser.execute(
        "SELECT sum(cost) FILTER (WHERE provider <> 'scripted'), "
        "sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_long_tokens"
        " + output_tokens + reasoning_tokens) FILTER (WHERE provider <> 'scripted'),"
        "count(*) FILTER (WHERE provider <> 'scripted' AND cost IS NULL) FROM call"
    )
    cost, tokens, unpriced = rows.fetchone()
    assert Decimal(seen["cost_usd"]["amount"]) == cost
    assert (seen["tokens"], seen["unpriced_calls"]) == (tokens, unpriced)
    assert seen["recorded_calls"] == 1


def test_a_person_finds_the_own_executions_by_agent_and_error(world, browse, many, superuser):
    superuser.execute(
        "UPDATE execution SET status = 'failed', error = %s WHERE id = %s",
        ['{"step": "s", "message": "Out_of 5%"}', many],
    )
    for person, found in ((world.operator, 1), (world.admin, 1), (world.stranger, 0)):
        browser = browse(person)
        assert browser.get("/executions.json?q=out_of").json["total"] == found
        assert browser.get("/executions.json?q=5%25").json["total"] == found
        assert browser.get("/executions.json?q=ut%25of").json["total"] == 0
        of_agent = browser.get("/executions.json?q=tEST+3").json["total"]
        assert of_agent == found * len(range(3, MANY + 1, 7))
