"""Actions on all that match: what is shown first, what is confirmed, how far it is."""

import pytest

from pilot.engine.life import bulk
from tests.engine.life.test_bulk import make, recorded, statuses
from tests.pages import check_looks

__all__ = ["make"]
MANY = 120
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def form(browser, query, **more):
    """Return the form of the preview, as a person confirms it."""
    seen = browser.get(f"/executions/bulk/preview.json?{query}").json
    fields = dict(part.split("=") for part in query.split("&"))
    asked = {"as_of": seen["as_of"], "previewed": str(seen["matched"]), "sure": "y"}
    return fields | asked | more


@pytest.mark.capability(287)
def test_from_the_list_over_the_preview_to_the_result(operator, make, world, superuser):
    failed, others = make(world.operator, "failed", MANY), make(world.operator, "completed", 5)
    listed = operator.get("/executions?status=failed").text
    assert ">It broke." in listed  # an error of no step names none
    assert "With all 120 that match" in listed
    assert "/executions/bulk/preview?action=retry&amp;status=failed" in listed
    assert "action=cancel" not in listed  # nothing that has failed can be cancelled
    page = operator.get("/executions/bulk/preview?action=retry&status=failed").text
    assert "Retry 120 executions?" in page
    assert "Failed steps run again with the keys they had" in page
    sent = operator.post("/executions/bulk", form(operator, "action=retry&status=failed"))
    assert sent.status_code == 303
    url = sent.headers["Location"]
    assert 'hx-trigger="every 2s' in operator.get(url).text
    assert "To do" in operator.fragment(url).text
    assert operator.get(f"{url}.json").json["open"] == MANY
    while bulk.look():
        pass
    page = operator.get(url).text
    assert "hx-trigger" not in page
    twin = operator.get(f"{url}.json").json
    assert (twin["final"], twin["done"], twin["matched"]) == (True, MANY, MANY)
    assert statuses(superuser, failed) == {"queued": MANY}
    assert statuses(superuser, others) == {"completed": 5}
    of_it = operator.get(f"/executions.json?bulk={twin['id']}").json
    assert of_it["total"] == MANY
    assert "Retry: 120 executions matched" in operator.get("/executions/bulk").text


@pytest.mark.capability(287)
def test_the_preview_tells_who_is_skipped_and_why(operator, make, world):
    make(world.operator, "paused", 3)
    make(world.operator, "completed", 2)
    page = operator.get("/executions/bulk/preview?action=cancel").text
    assert "Cancel 3 executions?" in page
    assert "Already ended: completed" in page
    page = operator.get("/executions/bulk/preview?action=retry").text
    assert "None of them can be retried" in page
    assert 'method="post" action="/executions/bulk"' not in page
    page = operator.get("/executions/bulk/preview?action=cancel&status=waiting").text
    assert "Nothing matches" in page


@pytest.mark.capability(287)
def test_a_form_sent_twice_is_one_request(operator, make, world, superuser):
    make(world.operator, "paused", 3)
    sent = form(operator, "action=cancel", request_id="once")
    first, second = (operator.post("/executions/bulk", sent) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert recorded(superuser, "PILOT_BULK_STARTED").total() == 1


@pytest.mark.capability(287)
def test_more_than_were_shown_are_shown_again(operator, make, world, superuser):
    make(world.operator, "paused", 3)
    late = make(world.operator, "running", 2)
    sent = form(operator, "action=cancel&status=paused")
    superuser.execute("UPDATE execution SET status = 'paused' WHERE id = ANY(%s)", [late])
    answer = operator.post("/executions/bulk", sent)
    assert answer.status_code == 409
    assert "5 executions match now, 3 when you looked" in answer.text
    assert "Cancel 5 executions?" in answer.text
    superuser.execute("UPDATE execution SET status = 'running' WHERE id = ANY(%s)", [late])
    superuser.execute(
        "UPDATE execution SET status = 'completed' WHERE id = "
        "(SELECT min(id::text)::uuid FROM execution WHERE status = 'paused')"
    )
    answer = operator.post("/executions/bulk", sent)
    page = operator.get(answer.headers["Location"]).text
    assert "2 executions matched when it was asked for" in page


def test_a_cancel_is_confirmed_and_a_filter_that_means_nothing_stops_all(operator, make, world):
    make(world.operator, "paused", 3)
    sent = form(operator, "action=cancel")
    answer = operator.post("/executions/bulk", {**sent, "sure": ""})
    assert (answer.status_code, "Tick the box" in answer.text) == (422, True)
    for wrong in (
        {"status": "odd"},
        {"agent": "7"},
        {"action": "delete"},
        {"as_of": "today"},
        {"as_of": "2026-01-01T00:00:00"},
        {"previewed": "-1"},
        {"owner_id": NOBODY},
    ):
        assert operator.post("/executions/bulk", sent | wrong).status_code == 422, wrong
        query = "&".join(f"{name}={value}" for name, value in wrong.items())
        if not wrong.keys() & {"as_of", "previewed", "owner_id"}:
            url = f"/executions/bulk/preview?{query}"
            assert operator.get(url).status_code == 422, wrong
    assert operator.get("/executions/bulk.json").json["total"] == 0


def test_what_somebody_asked_for_is_theirs_and_an_administrators_to_see(
    operator, browse, make, world
):
    make(world.operator, "paused", 3)
    url = operator.post("/executions/bulk", form(operator, "action=cancel")).headers["Location"]
    assert browse(world.stranger).get(url).status_code == 404
    assert browse(world.stranger).get("/executions/bulk.json").json["total"] == 0
    assert browse(world.admin).get(url).status_code == 200
    assert browse(world.admin).get("/executions/bulk.json").json["total"] == 1
    assert operator.get(f"/executions/bulk/{NOBODY}").status_code == 404
    listed = browse(world.viewer).get("/executions").text
    assert "that match:" not in listed


def test_a_filter_without_a_field_stays_when_others_change(operator, make, world):
    make(world.operator, "paused", 3)
    agent = make.agents[world.operator.id]
    page = operator.get(f"/executions?agent={agent}").text
    assert f'<input type="hidden" name="agent" value="{agent}">' in page
    assert f"action=cancel&amp;agent={agent}" in page
    assert "of one agent" in page


@pytest.mark.browser
def test_the_pages_look_right_empty_and_full(window, make, world, browse):
    page = window(world.operator)
    page.goto("/executions/bulk")
    check_looks(page)
    make(world.operator, "paused", 3)
    make(world.operator, "completed", 200)
    for url in (
        "/executions",
        "/executions/bulk/preview?action=cancel",
        "/executions/bulk/preview?action=retry&status=completed",
        "/executions/bulk/preview?action=resume&q=nobody",
    ):
        page.goto(url)
        check_looks(page)
    page.goto("/executions/bulk/preview?action=cancel")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel 3 executions").click()
    page.wait_for_url("**/executions/bulk/*-*")
    page.get_by_role("heading", name="Cancel: 203 executions matched").wait_for()
    check_looks(page)
    while bulk.look():
        pass
    bulk.look()
    page.get_by_text("finished", exact=True).wait_for()  # without a reload
    check_looks(page)
    page.goto("/executions/bulk")
    check_looks(page)
    assert page.complaints == []
