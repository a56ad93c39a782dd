"""The pages of replays: choose version and model, then what differs."""

import pytest

from tests.engine import worker_process as wp
from tests.engine.life import test_replays as engine

models, worker, past, replayed = engine.models, engine.worker, engine.past, engine.replayed


@pytest.mark.capability(257)
def test_the_page_replays_with_a_version_and_tells_what_differs(
    past, replayed, request, world, database
):
    agent, execution = past
    asked = replayed(execution, model="strong")
    engine.save(agent, world.operator, engine.sorting(subject="<b>New</b>"))
    browse = request.getfixturevalue("browse")  # it has keys of its own
    browser = browse(world.operator)
    url = f"/executions/{execution}/replay"
    assert f'href="{url}"' in browser.get(f"/executions/{execution}").text
    form = browser.get(url).text
    assert '<option value="1">1, as it ran' in form
    assert '<option value="strong">Ask Strong</option>' in form
    sent = browser.post(url, {"version": "2", "model": ""})
    assert sent.status_code == 303
    made = sent.headers["Location"]
    wp.wait_for(database, made.rpartition("/")[2])
    page = browser.get(made).text
    assert "something differs" in page
    assert "now &#34;&lt;b&gt;New&lt;/b&gt;&#34;" in page
    assert f'href="{made}"' in browser.get(made.replace("replays", "executions")).text
    answers = browser.get(f"/replays/{asked.id}").text
    assert "1 of 2" in answers
    assert "<code>/kind</code>" in answers
    wrong = browser.post(url, {"version": "1", "model": "nobody"})
    assert (wrong.status_code, "There is no model" in wrong.text) == (422, True)
    assert browse(world.stranger).get(made).status_code == 404
    assert browse(world.viewer).post(url, {}).status_code == 403
