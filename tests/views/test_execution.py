"""The page of an execution: every step, what may be done now, receipts, and it is live."""

import re
from decimal import Decimal

import pytest

from pilot.engine.life import executions
from tests.api.conftest import program
from tests.engine import worker_process as wp
from tests.pages import LOOKS, check_accessible
from tests.reports.ledger_rows import FAILED, RECORDED, book

__all__ = ["program"]

INPUTS = {"type": "object", "properties": {"amount": {"type": "number"}}}
STEPS = [
    {
        "id": "first",
        "name": "Begin",
        "type": "transform",
        "operation": "set",
        "config": {"value": 7},
    },
    {
        "id": "large",
        "type": "conditional",
        "condition": "inputs.amount > 1000 and steps.first.output > 0",
        "then": [{"id": "ask", "type": "human_approval", "title": "Pay?", "approvers": ["owner"]}],
        "else": [{"id": "small", "type": "transform", "operation": "set", "config": {"value": 1}}],
    },
    {
        "id": "end",
        "type": "transform",
        "operation": "set",
        "config": {"value": "<script>alert(1)</script>"},
        "dependencies": ["large"],
    },
]


@pytest.fixture
def worker(database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, STEPS, inputs=INPUTS)


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def finished(database, agent, world, **inputs):
    execution = wp.start(agent, world.operator.id, **inputs)
    wp.wait_for(database, execution)
    return execution


@pytest.mark.capability(22, 35, 36)
def test_every_step_has_a_row_untaken_branches_too(
    worker, database, world, agent, operator, superuser
):
    execution = finished(database, agent, world, amount=5)
    page = operator.get(f"/executions/{execution}").text
    twin = operator.get(f"/executions/{execution}.json").json
    assert {step["path"]: step["status"] for step in twin["steps"]} == {
        "first": "completed",
        "large": "completed",
        "large/ask": "pending",
        "large/small": "completed",
        "end": "completed",
    }
    assert twin["steps"][0]["attempts"][0]["output"] == 7
    assert all(f"?step={step['path']}" in page for step in twin["steps"])
    assert "5 of 5 steps done" in page
    assert "Not run" in page
    assert "/cancel" not in page
    superuser.execute("UPDATE execution SET pruned_at = pilot_now()")
    page = operator.get(f"/executions/{execution}").text
    assert "Its timeline and outputs were deleted" in page


@pytest.mark.capability(22)
def test_a_step_shows_input_output_and_how_it_is_written(worker, database, world, agent, operator):
    execution = finished(database, agent, world, amount=5)
    page = operator.get(f"/executions/{execution}?step=end").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    for tab in ("data", "events", "audit", "settings"):
        assert operator.get(f"/executions/{execution}?tab={tab}").status_code == 200
    events = operator.get(f"/executions/{execution}/events").json["items"]
    assert [one["seq"] for one in events] == list(range(1, len(events) + 1))
    assert operator.get(f"/executions/{execution}/outputs/first").json == 7


@pytest.mark.capability(22, 169)
def test_a_step_shows_each_call_with_model_reason_tokens_and_cost(
    worker, database, world, agent, operator, superuser
):
    execution = finished(database, agent, world, amount=5)
    place = {"execution_id": execution, "path": "first", "attempt": 1}
    slow = FAILED | {"reason": "rate_limit", "cost": None, "model_billed": None}
    book(superuser, world.operator.id, ago="9 s", **place, **slow)
    used = {"model_asked": "strong", "model_billed": "strong-9", "latency_ms": 840}
    book(superuser, world.operator.id, ago="5 s", **place, **used, cost=Decimal("0.00026"))
    page = operator.get(f"/executions/{execution}?step=first").text
    assert "&gt;= $0.00026 + 1 unpriced" in page
    assert "The next model: cheap failed (rate limit)." in page
    assert all(text in page for text in ("billed as strong-9", "1,000 fresh", "840 ms", "wasted"))
    twin = operator.get(f"/executions/{execution}.json").json
    assert (twin["cost_usd"]["amount"], twin["unpriced_calls"]) == ("0.000260000000", 1)
    assert twin["calls"][0]["cost"] is None
    assert twin["tokens"] == 2_200


def test_recorded_answers_and_calls_under_way_are_told_apart(world, agent, operator, superuser):
    execution = wp.start(agent, world.operator.id, amount=5)
    place = {"execution_id": execution, "path": "first", "attempt": 1}
    assert "no model was asked" in operator.get(f"/executions/{execution}").text
    book(superuser, world.operator.id, **place, **RECORDED)
    book(
        superuser,
        world.operator.id,
        **place,
        state="reserved",
        cost=None,
        outcome=None,
        reserved=Decimal("0.5"),
    )
    page = operator.fragment(f"/executions/{execution}").text
    assert '<span class="tag ">recorded</span>' in page
    assert "up to $0.50 more is reserved" in page
    assert "unpriced" not in page


@pytest.mark.capability(34)
def test_one_whose_steps_were_undone_says_so_and_offers_no_retry(worker, database, world, operator):
    letter = {"to": ["a@pilot.test"], "subject": "Undone", "text": "Sorry."}
    undo = {"plugin": "mail", "action": "send", "params": letter}
    steps = [wp.put("one", 1, compensate=undo), wp.broken("bad", dependencies=["one"])]
    wp.switch_on()
    execution, found = wp.run(database, world.operator, steps)
    assert found[0] == "failed"
    page = operator.get(f"/executions/{execution}").text
    assert "Its finished steps were undone" in page
    assert ">Undo of one</a>" in page
    assert "Retry failed" not in page


def test_only_what_may_be_done_now_is_offered(world, agent, operator, browse):
    execution = wp.start(agent, world.operator.id, amount=5)
    url = f"/executions/{execution}"
    assert f"{url}/pause" in operator.get(url).text
    assert operator.post(f"{url}/pause", {"request_id": "a"}).status_code == 303
    page = operator.get(url).text
    assert f"{url}/resume" in page
    assert f"{url}/pause" not in page
    assert f"{url}/retry" not in page
    viewer = browse(world.viewer)
    assert viewer.get(url).status_code == 404


@pytest.mark.capability(39)
def test_a_form_that_is_sent_twice_acts_once(world, agent, operator):
    url = f"/executions/{wp.start(agent, world.operator.id, amount=5)}"
    for _ in range(2):
        assert operator.post(f"{url}/pause", {"request_id": "once"}).status_code == 303
    assert operator.post(f"{url}/pause", {"request_id": "other"}).status_code == 409


@pytest.mark.capability(39)
def test_a_receipt_says_what_is_reused_and_must_be_fresh(worker, database, world, agent, operator):
    execution = wp.start(agent, world.operator.id, amount=5000)
    wp.wait_for(database, execution, {"waiting"})
    executions.pause(execution, by=world.operator.actor, user_id=world.operator.id)
    url = f"/executions/{execution}/resume"
    page = operator.get(url).text
    assert "Reused: 1 step" in page
    assert 'dir="auto">Begin<span class="sub"><code>first</code></span>' in page
    seq = re.search(r'name="seq" value="(\d+)"', page)[1]
    stale = operator.post(url, {"seq": str(int(seq) - 1), "request_id": "x"})
    assert stale.status_code == 409
    assert "It changed since you looked" in stale.text
    assert f'name="seq" value="{seq}"' in stale.text
    assert operator.post(url, {"seq": seq, "request_id": "y"}).status_code == 303
    wp.wait_for(database, execution, {"waiting"})


@pytest.mark.capability(217, 264)
def test_a_finished_execution_is_retried_from_a_step(worker, database, world, agent, operator):
    execution = finished(database, agent, world, amount=5)
    url = f"/executions/{execution}"
    assert f"{url}/retry?step=large" in operator.get(f"{url}?step=large").text
    page = operator.get(f"{url}/retry?step=large").text
    assert "Reused: 1 step" in page
    assert 'name="step" value="large"' in page
    assert operator.get(f"{url}/retry").status_code == 409
    seq = re.search(r'name="seq" value="(\d+)"', page)[1]
    stale = operator.post(f"{url}/retry", {"seq": str(int(seq) - 1), "step": "large"})
    assert (stale.status_code, "Retry large of" in stale.text) == (409, True)
    assert operator.post(f"{url}/retry", {"seq": seq, "step": "large"}).status_code == 303
    assert wp.wait_for(database, execution)[0] == "completed"


def test_a_poisoned_execution_says_how_it_goes_on(world, agent, operator, superuser):
    execution = wp.start(agent, world.operator.id, amount=5)
    superuser.execute("UPDATE execution SET status = 'needs_attention', status_reason = 'poisoned'")
    page = operator.get(f"/executions/{execution}").text
    assert "Its workers died five times" in page
    assert f"/executions/{execution}/resume" in page


def test_a_cancel_is_asked_for_and_then_final(world, agent, operator):
    url = f"/executions/{wp.start(agent, world.operator.id, amount=5)}"
    assert "it cannot be resumed" in operator.get(f"{url}/cancel").text
    assert operator.post(f"{url}/cancel").status_code == 303
    page = operator.get(url).text
    assert "Cancelled" in page
    assert "data-stream" not in page


def test_an_unknown_outcome_takes_one_of_three_answers(world, agent, operator, superuser):
    execution = wp.start(agent, world.operator.id, amount=5)
    superuser.execute("UPDATE execution SET status = 'needs_attention' WHERE id = %s", [execution])
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence, "
        "started_at) VALUES (%s, 'first', 1, %s, 'transform', 'unknown', 1, now())",
        [execution, world.operator.id],
    )
    url = f"/executions/{execution}"
    assert "Nobody knows whether “Begin” happened" in operator.get(url).text
    superuser.execute("UPDATE execution SET status = 'cancelled' WHERE id = %s", [execution])
    assert "Look at the receiver; it is never" in operator.get(url).text, "nobody is asked"
    superuser.execute("UPDATE execution SET status = 'needs_attention' WHERE id = %s", [execution])
    asked = {"path": "first", "said": "happened", "request_id": "1"}
    wrong = operator.post(f"{url}/answer", asked | {"result": "{not json"})
    assert wrong.status_code == 422
    done = operator.post(f"{url}/answer", asked | {"result": '{"id": 5}', "request_id": "2"})
    assert done.status_code == 303
    step = operator.get(f"{url}.json").json["steps"][0]
    assert (step["status"], step["attempts"][0]["output"]) == ("completed", {"id": 5})


@pytest.mark.capability(279)
def test_a_stranger_finds_nothing(world, agent, browse):
    url = f"/executions/{wp.start(agent, world.operator.id, amount=5)}"
    stranger = browse(world.stranger)
    for path in ("", ".json", "/events", "/stream", "/output", "/cancel", "/resume"):
        assert stranger.get(url + path).status_code == 404
    for path in ("/pause", "/cancel", "/resume", "/retry", "/answer"):
        said = {"said": "run", "path": "first"} if path == "/answer" else {}
        assert stranger.post(url + path, said).status_code == 404


@pytest.mark.browser
@pytest.mark.capability(37, 38)
def test_the_page_follows_another_process(redis_url, database, window, world, agent, config):
    execution = wp.start(agent, world.operator.id, amount=5000)
    page = window(world.operator)
    page.goto(f"/executions/{execution}?step=first")
    page.locator(".badge", has_text="Queued").first.wait_for()
    with wp.working(wp.config(database, redis_url, config.data)):
        page.get_by_role("link", name="Decide").wait_for()
        page.locator("#step .badge", has_text="Completed").first.wait_for()
        assert page.locator("[data-live=live]").count() == 1
    executions.cancel(execution, by=world.operator.actor, user_id=world.operator.id)
    page.locator("#execution .badge", has_text="Cancelled").first.wait_for()
    page.locator("[data-live=off]").wait_for()
    assert page.complaints == []


@pytest.mark.capability(37)
def test_a_reconnect_shows_what_happened_meanwhile(worker, database, world, agent, operator):
    execution = finished(database, agent, world, amount=5)
    url = f"/executions/{execution}/stream"
    answer = operator.get(url, headers={"Last-Event-ID": "1"})
    assert answer.mimetype == "text/event-stream"
    last = operator.get(f"/executions/{execution}.json").json["event_seq"]
    assert f"id: {last}\n" in answer.text
    assert answer.text.endswith("event: done\ndata:\n\n")
    assert "5 of 5 steps done" in answer.text


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_are_accessible_and_quiet(worker, database, window, world, agent, look):
    done = finished(database, agent, world, amount=5)
    waiting = wp.start(agent, world.operator.id, amount=5000)
    wp.wait_for(database, waiting, {"waiting"})
    width, scheme = look
    page = window(world.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    paths = [f"/executions/{done}?step=end", f"/executions/{waiting}", "/executions"]
    paths += [f"/executions/{done}?tab={tab}" for tab in ("events", "audit")]
    paths.append(f"/executions/{waiting}/cancel")
    paths += [f"/executions/{done}/fork", f"/executions/{done}/retry?step=end"]
    for path in paths:
        page.goto(path)
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert page.complaints == []


@pytest.mark.capability(34)
def test_an_administrator_acts_on_executions_of_others(world, agent, browse):
    url = f"/executions/{wp.start(agent, world.operator.id, amount=5)}"
    admin = browse(world.admin)
    assert f"{url}/pause" in admin.get(url).text
    assert admin.post(f"{url}/pause").status_code == 303
    seq = re.search(r'name="seq" value="(\d+)"', admin.get(f"{url}/resume").text)[1]
    assert admin.post(f"{url}/resume", {"seq": seq}).status_code == 303
    assert admin.post(f"{url}/cancel").status_code == 303
    assert admin.get(f"{url}.json").json["status"] == "cancelled"


def test_a_receipt_tells_how_long_a_delay_usually_lasts(
    worker, database, world, operator, superuser
):
    wp.switch_on()
    pause = {"id": "rest", "type": "delay", "for_s": 1}
    agent = wp.make_agent(world.operator.id, [pause])
    wp.wait_for(database, wp.start(agent, world.operator.id))
    superuser.execute("UPDATE step_execution SET finished_at = started_at + interval '3 s'")
    again = wp.start(agent, world.operator.id)
    wp.wait_for(database, again, {"waiting"})
    executions.pause(again, by=world.operator.actor, user_id=world.operator.id)
    assert "3.0 s</" in operator.get(f"/executions/{again}/resume").text


def test_programs_and_people_are_told_the_same_number_of_steps(
    worker, database, world, superuser, operator, program
):
    wp.switch_on()
    loop = {"id": "each", "type": "loop", "items": [1, 2, 3], "steps": [wp.put("in", 1)]}
    execution, _ = wp.run(database, world.operator, [loop, wp.put("z", 2)])
    superuser.execute(  # a turn of a decision, which no document names
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence,"
        " started_at, finished_at) VALUES (%s, 'z/turn[1]', 1, %s, 'turn', 'completed', 1, now(),"
        " now())",
        [execution, world.operator.id],
    )
    page = operator.get(f"/executions/{execution}").text
    assert re.findall(r"\d+ of \d+ steps? done", page)[0] == "3 of 3 steps done"
    result = program(world.operator).get(f"/executions/{execution}/result").json
    assert result["steps"] == {"completed": 3, "failed": 0, "skipped": 0}


def test_the_head_leads_to_the_agent_and_the_version_that_runs(
    worker, database, world, agent, operator
):
    execution = finished(database, agent, world, amount=5)
    page = operator.get(f"/executions/{execution}").text
    assert f'<a href="/agents/{agent}">' in page
    assert f'<a href="/agents/{agent}/workflow/1">1</a>' in page
    assert operator.get(f"/agents/{agent}/workflow/1").status_code == 200


def test_a_deadline_is_told_in_the_zone_of_the_reader(worker, database, world, agent, operator):
    execution = wp.start(agent, world.operator.id, amount=5_000)
    wp.wait_for(database, execution, {"waiting"})
    operator.client.set_cookie("pilot-zone", "Europe/Berlin")
    page = operator.get(f"/executions/{execution}").text
    assert re.search(r"a decision by .*, until \d+ \w+ \d+, \d\d:\d\d CES?T", page)
    assert " UTC" not in page[page.index('id="execution"') :]
