"""The page of an execution that runs steps for many items: one bar, and the items that failed."""

import re

import pytest

from tests.engine import worker_process as wp
from tests.engine.steps.containers import scatter
from tests.engine.worker_process import put, run
from tests.pages import LOOKS, check_accessible

MANY = 60
ITEMS = {"items": ["x" if n in {7, 11} else str(n) for n in range(MANY)]}


@pytest.fixture
def many(database, redis_url, world, tmp_path):
    """Give an execution of a scatter, of whose items two failed."""
    wp.switch_on()
    body = [put("number", "{{number(item)}}"), put("twice", "{{steps.number.output * 2}}")]
    steps = [scatter(body, failure="collect"), put("last", "{{steps.each.output.succeeded}}")]
    with wp.working(wp.config(database, redis_url, tmp_path)):
        execution, found = run(database, world.operator, steps, ITEMS)
    assert found[0] == "completed_with_errors"
    return execution


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def test_rounds_are_one_row_a_step_and_the_failed_items(many, operator):
    page = operator.get(f"/executions/{many}").text
    rows = re.findall(r'<tr id="row-\d+".*?</tr>', page, re.DOTALL)
    assert len(rows) == 6  # each, number, its two failed rounds, twice, last
    assert "58 completed, 2 failed" in rows[1]
    assert "each[7]/number" in rows[2]
    assert "each[11]/number" in rows[3]
    assert "58 completed" in rows[4]


def test_any_round_can_be_looked_at(many, operator):
    page = operator.get(f"/executions/{many}?step=each[3]/number").text
    assert "<code>each[3]/number</code>" in page
    assert "each[4]/number" not in page


def test_what_waits_takes_the_time_that_it_waits(database, redis_url, world, tmp_path, operator):
    wp.switch_on()
    rest = {"id": "rest", "type": "delay", "for_s": 0.3}
    with wp.working(wp.config(database, redis_url, tmp_path)):
        execution, _ = run(database, world.operator, [scatter([rest], "[1, 2]")])
    shown = operator.get(f"/executions/{execution}.json").json
    took = {one["path"]: one["duration_ms"] >= 300 for one in shown["steps"]}
    assert took == {"each": True, "each/rest": True}


def test_as_json_rounds_are_counted(many, operator):
    steps = operator.get(f"/executions/{many}.json").json["steps"]
    assert {one["path"]: one["rounds"] for one in steps if one["rounds"]} == {
        "each/number": {"completed": 58, "failed": 2},
        "each/twice": {"completed": 58},
    }


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
def test_the_page_of_rounds_is_accessible(many, window, world, look):
    width, scheme = look
    page = window(world.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"/executions/{many}?step=each[7]/number")
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
