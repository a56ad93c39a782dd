"""The tabs of an execution that tell its events and its records of the audit trail."""

import re

import pytest

from tests.engine import worker_process as wp

STEPS = [wp.put("first", "{{inputs.amount}}")]


@pytest.fixture
def worker(database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


@pytest.fixture
def done(worker, database, world):
    wp.switch_on()
    return wp.run(database, world.operator, STEPS, {"amount": 5})[0]


@pytest.mark.usefixtures("worker")
def test_events_read_as_words_and_json(world, database, browse):
    rows = [wp.put("a", "{{item}}")]
    wide = {"id": "wide", "type": "scatter_gather", "items": "inputs.rows", "steps": rows}
    wp.switch_on()
    execution, _ = wp.run(database, world.operator, [wide], {"rows": [1, 2]})
    page = browse(world.operator).get(f"/executions/{execution}?tab=events").text
    assert "decided {&#34;total&#34;:2," in page
    assert re.search(r"attempt 1, took \d+ ms", page)
    assert "&#39;" not in page, "a value as Python writes it"


def test_the_audit_tab_tells_records_in_words(done, world, browse):
    page = browse(world.operator).get(f"/executions/{done}?tab=audit").text
    assert "<code>PILOT_EXECUTION_STARTED</code>" in page
    assert world.operator.email in page
    assert re.search(r"path first, status completed, attempt 1, took \d+ ms", page)
    assert "sealed:" not in page


def test_many_lines_are_told_in_pages(worker, database, world, browse):
    wp.switch_on()
    rows = [wp.put("a", "{{item}}")]
    wide = {"id": "wide", "type": "scatter_gather", "items": "inputs.rows", "steps": rows}
    execution, found = wp.run(database, world.operator, [wide], {"rows": [*range(300)]})
    assert found[0] == "completed", found
    reader = browse(world.operator)
    for tab in ("events", "audit"):
        url, numbers = f"/executions/{execution}?tab={tab}", []
        while url:
            page = reader.get(url).text
            assert "?tab=" + tab in page
            numbers += map(int, re.findall(r'<tr><td class="number">(\d+)</td>', page))
            following = re.search(r'rel="next" href="([^"]+)"', page)
            url = following and f"/executions/{execution}" + following[1].replace("&amp;", "&")
        assert len(numbers) > 300
        assert numbers == [*range(1, len(numbers) + 1)], "a line is missing, or told twice"
    last = reader.get(f"/executions/{execution}?tab=events&after=999999").text
    assert "None after 999999" in last
    assert 'rel="prev" href="?tab=events&amp;after=999499"' in last


LONGER = """UPDATE audit SET record = replace(record, '"details":{', '"details":{"long":"'
    || repeat('x', 400) || '",')"""


@pytest.mark.browser
def test_a_long_record_of_the_audit_trail_breaks_its_line(done, window, world, superuser):
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(LONGER)
    page = window(world.operator, viewport={"width": 1280, "height": 900})
    page.goto(f"/executions/{done}?tab=audit")
    page.get_by_text("xxxx").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
