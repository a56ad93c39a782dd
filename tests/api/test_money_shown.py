"""What an execution cost, alike wherever it is told: deleted, unpriced and estimated calls too."""

from decimal import Decimal

import pytest

from pilot import settings
from pilot.audit import Actor
from pilot.engine.upkeep import retention
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book
from tests.reports.test_rollups import STEPS, roll_all

BY = Actor("cli:test")
STEP = """INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence,
  started_at, reused_from) VALUES (%s, 'one', 1, %s, 'ai_processing', 'completed', 1, pilot_now(),
  %s)"""


@pytest.fixture
def execution(world, superuser):
    """Give an execution that is over; its one step asked models."""
    wp.switch_on()
    owner = world.operator.id
    made = wp.start(wp.make_agent(owner, STEPS), owner)
    superuser.execute("UPDATE execution SET status = 'completed', finished_at = pilot_now()")
    superuser.execute(STEP, [made, owner, None])
    return made


@pytest.fixture
def told(browse, program, world, execution):
    """Give a function that returns cost, tokens and unpriced calls by where they are told."""

    def told():
        page, api = browse(world.operator), program(world.operator)
        where = {
            "twin": page.get(f"/executions/{execution}.json").json,
            "list": page.get("/executions.json").json["items"][-1],
            "api": api.get(f"/executions/{execution}").json,
            "api list": api.get("/executions").json["items"][-1],
            "result": api.get(f"/executions/{execution}/result").json,
        }
        names = ("cost_usd", "tokens", "unpriced_calls")
        found = {place: tuple(facts[name] for name in names) for place, facts in where.items()}
        assert len(set(map(str, found.values()))) == 1, found
        return found["twin"]

    return told


def ask(superuser, owner, execution, **more):
    facts = {"execution_id": execution, "path": "one", "attempt": 1}
    book(superuser, owner, **facts | more)


@pytest.mark.capability(57, 159)
def test_an_execution_costs_the_same_when_its_calls_are_deleted(
    told, execution, world, superuser, browse
):
    for kind in ({}, FAILED, UNPRICED, RECORDED):
        ask(superuser, world.operator.id, execution, **kind)
    fork = wp.start(wp.make_agent(world.operator.id, STEPS), world.operator.id)
    superuser.execute("UPDATE execution SET forked_from = %s WHERE id = %s", [execution, fork])
    superuser.execute(STEP, [fork, world.operator.id, execution])
    page = browse(world.operator)
    before, saved = told(), page.get(f"/executions/{fork}").text
    assert "&gt;= $0.002 + 1 unpriced</span> saved." in saved

    superuser.execute(
        "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
        " $$ SELECT clock_timestamp() + interval '33 days' $$"
    )
    settings.change("retention_call_days", 31, by=BY)
    roll_all()
    assert retention.prune(by=BY)["calls"] == 4
    assert told() == before
    page = browse(world.operator)
    text = page.get(f"/executions/{execution}").text
    assert "calls are deleted after a while, their sums stay" in text
    assert "no model was asked" not in text
    assert "nobody knows how much that was" in page.get(f"/executions/{fork}").text


@pytest.mark.capability(249)
def test_what_has_no_price_is_no_sum_anywhere(told, execution, world, superuser, browse, program):
    ask(superuser, world.operator.id, execution, **UNPRICED)
    assert told() == (None, 1_100, 1)
    sheets = (
        browse(world.operator).get("/executions.csv").text,
        program(world.operator).get("/executions", headers={"Accept": "text/csv"}).text,
    )
    for sheet in sheets:
        head, line = (row.split(",") for row in sheet.strip().splitlines())
        assert dict(zip(head, line, strict=True))["cost_usd"] == ""
    assert "&gt;= $0 + 1 unpriced" in browse(world.operator).get("/executions").text


@pytest.mark.capability(249)
def test_what_is_estimated_says_so(execution, world, superuser, browse, program):
    nothing = {"input_tokens": 0, "output_tokens": 0, "flags": '["cost_estimated"]'}
    ask(superuser, world.operator.id, execution, **nothing | FAILED)
    ask(superuser, world.operator.id, execution, cost=Decimal("0.5"), flags='["other_model"]')
    page, api = browse(world.operator), program(world.operator)
    text = page.get(f"/executions/{execution}?step=one").text
    assert "~$0.001" in text
    assert "unknown" in text
    assert "~$0.50" not in text
    assert "another model answered" in text
    facts = page.get(f"/executions/{execution}.json").json
    amounts = [facts[name]["amount"] for name in ("cost_usd", "estimated_usd")]
    assert amounts == ["0.501000000000", "0.001000000000"]
    assert [one["estimated"] for one in facts["calls"]] == [True, False]
    calls = api.get("/calls").json["items"]
    assert [(one["estimated"], one["other_model"]) for one in calls] == [
        (False, True),
        (True, False),
    ]
    assert ",estimated," in api.get("/calls", headers={"Accept": "text/csv"}).text
