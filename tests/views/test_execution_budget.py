"""The budget on an execution's page: what stopped it, and raising it."""

from decimal import Decimal

import pytest

from pilot import db
from pilot.engine.life import executions, starts
from tests.engine import worker_process as wp
from tests.pages import check_accessible

STEPS = [{"id": "say", "type": "ai_processing", "prompt": "Say hello."}]
MESSAGE = "The next call, to cheap, could take $0.00108; $0.0005 is left of this execution's budget"


@pytest.fixture
def stopped(world, superuser):
    """An execution that its budget paused, as a worker leaves it."""
    user = world.operator
    asked = starts.Start(budget_usd=Decimal("0.001"))
    agent = wp.make_agent(user.id, STEPS)
    execution = starts.start(agent, asked, by=user.actor, user_id=user.id)
    with db.transaction("test", user.id) as session:
        row = executions.find(session, execution)
        row.status, row.status_reason = "budget_paused", "budget"
        data = {"status": "budget_paused", "message": MESSAGE, "needs_usd": "0.00108"}
        executions.trail.tell(session, execution, "execution", None, data)
    superuser.execute("UPDATE execution SET spent_usd = 0.0005 WHERE id = %s", [execution])
    return f"/executions/{execution}"


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.mark.capability(170, 245)
def test_the_page_says_what_the_budget_had_not_enough_for_and_raises_it(stopped, operator):
    page = operator.get(stopped).text
    assert "could take $0.00108" in page
    assert "$0.0005 of $0.001" in page
    assert 'value="0.01"' in page  # a cent at least
    sent = {"usd": "0.02", "request_id": "once"}
    for _ in range(2):
        assert operator.post(f"{stopped}/budget", sent).status_code == 303
    twin = operator.get(f"{stopped}.json").json
    assert (twin["status"], twin["budget_usd"]["amount"]) == ("queued", "0.020000000000")


@pytest.mark.parametrize("usd", ["abc", "0.0001", "", "-3", "1e3"])
def test_what_was_typed_wrong_stays_and_is_explained(stopped, operator, usd):
    answer = operator.post(f"{stopped}/budget", {"usd": usd, "request_id": "x"})
    assert answer.status_code == 422
    assert f'value="{usd or "0.01"}"' in answer.text
    assert operator.get(f"{stopped}.json").json["status"] == "budget_paused"


def test_others_raise_nothing(stopped, browse, world):
    sent = {"usd": "5", "request_id": "x"}
    assert browse(world.viewer).post(f"{stopped}/budget", sent).status_code == 403
    assert browse(world.stranger).post(f"{stopped}/budget", sent).status_code == 404


@pytest.mark.capability(273)
def test_a_used_up_or_nearly_used_budget_asks_for_attention(stopped, operator, superuser, world):
    superuser.execute("UPDATE execution SET reserved_usd = 0.0004")
    user = world.operator
    agent = wp.make_agent(user.id, STEPS)
    for usd in ("0.81", "0.80"):
        asked = starts.Start(mode="test")
        execution = starts.start(agent, asked, by=user.actor, user_id=user.id)
        query = "UPDATE execution SET spent_usd = %s WHERE id = %s"
        superuser.execute(query, [usd, execution])
    told = [(one["status"], one["reason"]) for one in operator.get("/index.json").json["attention"]]
    assert told[:2] == [
        ("budget_paused", MESSAGE),
        ("queued", "81 % of its budget of $1.00 is used"),
    ]


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1280])
def test_the_notice_is_accessible_and_fits(stopped, window, world, width):
    page = window(world.operator, viewport={"width": width, "height": 900})
    page.goto(stopped)
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Raise and go on").click()
    page.get_by_text("The budget is raised.").wait_for()


def test_what_was_spent_with_children_is_told_apart_from_its_own_cost(stopped, operator, superuser):
    words = "with the executions that it started"
    assert words in operator.get(stopped).text  # 0.0005 is spent, and none of it by its own calls
    superuser.execute("UPDATE execution SET cost_usd = spent_usd")
    assert words not in operator.get(stopped).text
