"""The page of simulations: from the agent's form to what they showed."""

import os

import pytest

from tests.engine import worker_process as wp
from tests.engine.life.test_simulations import ASK, NESTED
from tests.pages import check_looks

INPUTS = {
    "type": "object",
    "required": ["n", "list"],
    "properties": {
        "n": {"type": "integer"},
        "list": {"type": "array", "items": {"type": "integer"}},
    },
}


@pytest.fixture
def of_worker(app, database, redis_url, tmp_path):
    wp.switch_on()
    return wp.config(database, redis_url, tmp_path)


@pytest.fixture
def worker(of_worker):
    with wp.working(of_worker) as resident:
        yield resident


@pytest.fixture
def agent(world):
    steps = [*NESTED, ASK]
    return wp.make_agent(world.operator.id, steps, inputs=INPUTS)


@pytest.fixture
def simulate(browse, worker, world, database, agent):
    """Give `simulate(**more)`: the address of the page, once all has ended."""
    browser = browse(world.operator)

    def simulate(**more):
        form = {"inputs": "all", "input-n": "1", "input-list": "1\n2"} | more
        sent = browser.post(f"/agents/{agent}/simulate", form)
        assert sent.status_code == 303, sent.text
        worker.poke()
        url = sent.headers["Location"]
        for one in browser.get(f"{url}.json").json["executions"]:
            wp.wait_for(database, one["id"])
        return url

    simulate.browser = browser
    return simulate


@pytest.mark.capability(251)
def test_the_page_tells_ways_sources_and_the_worst_case_in_words(simulate):
    url = simulate()
    page = simulate.browser.get(url).text
    (execution,) = simulate.browser.get(f"{url}.json").json["executions"]
    assert f'href="{url}"' in simulate.browser.get(f"/executions/{execution['id']}").text
    for words in (
        "Nothing was called, sent, written or paid",
        "4 of 9 ways taken",
        "As the data say",
        "With these inputs and outputs it took case0: force it, or take each once.",
        "Never reached: large took else.",
        "Made up from the schema: nothing was called.",
        "With as many items as here",
        "unknown: no model with a price can be asked",
    ):
        assert words in page, words
    all_ways = simulate.browser.get(simulate(each="1")).text
    assert "9 of 9 ways taken" in all_ways
    assert "case 3" in all_ways
    assert "Because it was told to" in all_ways


def test_simulations_are_in_no_list_and_no_sum_unless_asked_for(simulate, agent):
    simulate()
    browser = simulate.browser
    assert browser.get("/executions.json").json["items"] == []
    assert len(browser.get("/executions.json?mode=simulate").json["items"]) == 1
    assert "Not started yet" in browser.get(f"/agents/{agent}").text


def test_wrong_inputs_are_shown_at_the_form_and_stay(simulate, agent):
    form = {"inputs": "all", "input-n": "many", "input-list": ""}
    sent = simulate.browser.post(f"/agents/{agent}/simulate", form)
    assert sent.status_code == 422
    assert 'value="many"' in sent.text


@pytest.mark.browser
@pytest.mark.capability(251)
def test_it_looks_right(simulate, window, world):
    page = window(world.operator)
    page.goto(simulate(each="1"))
    check_looks(page)
    if folder := os.environ.get("SHOTS"):
        for width, scheme in ((1280, "light"), (375, "dark"), (1280, "dark"), (375, "light")):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=f"{folder}/sim-{width}-{scheme}.png", full_page=True)
    assert page.complaints == []


@pytest.mark.browser
def test_the_page_follows_a_simulation_to_its_end(window, browse, world, agent, of_worker):
    form = {"inputs": "all", "input-n": "1", "input-list": "1\n2"}
    sent = browse(world.operator).post(f"/agents/{agent}/simulate", form)
    page = window(world.operator)
    page.goto(sent.headers["Location"])
    page.get_by_role("status").get_by_text("under way").wait_for()
    with wp.working(of_worker):
        page.get_by_role("status").get_by_text("finished").wait_for(timeout=20_000)
    page.get_by_text("4 of 9 ways taken").wait_for()
    assert page.complaints == []
