"""What the page of a draft says when models fail: the cause, what to do, the goal kept."""

import pytest

from pilot import vault
from tests.engine import worker_process as wp
from tests.engine.generation.asked import GOAL, GOOD, set_up
from tests.patience import until


@pytest.fixture
def drafted(peer, browse, world, config, database, redis_url):
    """Give a function that drafts with a fault of the primary model; it returns page and twin."""
    browser = browse(world.operator)
    vault.configure(config.secret_keys)
    set_up(peer)

    def drafted(fault):
        peer.script({"match": {"model": "cheap"}, "fault": fault}, {"reply": GOOD})
        begun = browser.post("/agents/new", {"goal": GOAL, "request_id": str(fault)}).location
        until(lambda: browser.get(f"{begun}.json").json["stage"] == "done")
        twin = browser.get(f"{begun}.json").json
        return browser.get(begun).text, twin

    with wp.working(wp.config(database, redis_url, config.data)):
        yield drafted
    vault.configure([])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "key"),
        (402, "check the account's billing"),
        (403, "key"),
        (404, "does not know the model or the address: choose another model"),
        (400, "refused the request"),
        (422, "refused the request"),
    ],
)
def test_what_a_person_has_to_mend_stands_on_the_page(peer, drafted, status, said):
    page, twin = drafted({"kind": "status", "status": status, "message": "as the provider says"})
    assert "No model gave a draft that can be used" in page
    assert "as the provider says" in page
    assert GOAL in page
    assert said in twin["failure"]
    assert [one["model"] for one in peer.requests()] == ["cheap"]


@pytest.mark.capability(94)
def test_a_fallback_stands_on_the_page_with_its_reason(peer, drafted):
    page, twin = drafted({"kind": "status", "status": 503})
    assert (twin["generator"], twin["fallback_reason"]) == ("strong", "api")
    assert "No model gave a draft" not in page
    assert "Save agent" in page
    assert page.count("cheap") >= 2
