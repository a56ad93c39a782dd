"""Workflows of hundreds of steps: their lists come in parts, and links lead to the right one."""

import re

import pytest

from pilot import settings
from tests.engine import worker_process as wp

MANY = 450
STEPS = [
    {"id": f"s{n}", "type": "transform", "operation": "set", "config": {"value": n}}
    | ({"dependencies": [f"s{n - 1}"]} if n > 1 else {})
    for n in range(1, MANY + 1)
]


@pytest.fixture
def many(world):
    """Give the agent of a long workflow."""
    wp.switch_on()
    settings.change("pilot_max_steps", 500, by=wp.BY)
    return wp.make_agent(world.operator.id, STEPS)


@pytest.fixture(params=["agent", "workflow", "execution"])
def page(request, many, world):
    """Give the address of a page that lists its steps, and what marks a row of the list."""
    if request.param == "execution":
        return f"/executions/{wp.start(many, world.operator.id)}", r'<tr id="row-(\d+)"'
    url = f"/agents/{many}" + ("/workflow" if request.param == "workflow" else "")
    return url, r'<li id="step-s(\d+)"'


def test_all_steps_are_reached_part_by_part(browse, world, page):
    (url, mark), browser = page, browse(world.operator)
    sizes, seen, query = [], set(), ""
    while query is not None:
        text = browser.get(f"{url}{query}").text
        rows = re.findall(mark, text)
        sizes.append(len(rows))
        seen.update(rows)
        following = re.search(r'rel="next" href="[^"?]*(\?from=\d+)#steps"', text)
        query = following[1] if following else None
    assert (sizes, len(seen)) == ([200, 200, 50], MANY)
    assert "Steps 401 to 450 of 450" in text
    assert 'rel="prev" href="' in text


def test_a_step_is_shown_in_its_part(browse, world, page):
    (url, mark), browser = page, browse(world.operator)
    text = browser.get(f"{url}?step=s222").text
    assert len(re.findall(mark, text)) == 200
    assert "Steps 201 to 400 of 450" in text
    assert 'aria-current="true"' in text
    assert "from=201" in text or "/stream" not in text, "the stream shows the same part"


@pytest.mark.parametrize(("given", "first"), [("0", 1), ("99999999", 401), ("-1", 1), ("x", 1)])
def test_any_number_is_some_part(browse, world, many, given, first):
    text = browse(world.operator).get(f"/agents/{many}?from={given}").text
    assert f"Steps {first} to " in text


def test_what_a_step_waits_for_is_linked_over_parts(browse, world, many):
    text = browse(world.operator).get(f"/agents/{many}/workflow?from=201").text
    assert re.search(rf'href="/agents/{many}/workflow(/1)?\?step=s200#step-s200"', text)
