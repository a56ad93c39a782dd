"""Thumbs: the owner of a drafted workflow says whether it is right; the report counts it."""

import pytest

from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.reports.ledger_rows import generate

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
DOCUMENT = '{"version": 1, "steps": []}'


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def draft(world, superuser):
    """Give the address of a draft of the operator."""
    return f"/generations/{generate(superuser, world.operator.id, document=DOCUMENT)}"


def said(browser, url):
    twin = browser.get(f"{url}.json").json
    return twin["thumb"], twin["thumb_reason"]


def counted(browser):
    return browser.get("/costs/generation.json").json["feedback_30_days"]


@pytest.mark.capability(118)
def test_thumbs_are_given_and_changed_with_a_plain_form(operator, draft):
    assert said(operator, draft) == (None, "")
    sent = {"thumb": "down", "reason": "  It mails <b>Bob</b>  "}
    assert operator.post(f"{draft}/thumb", sent).location == draft
    assert said(operator, draft) == ("down", "It mails <b>Bob</b>")
    page = operator.get(draft).text
    assert 'value="down" aria-pressed="true"' in page
    assert 'value="It mails &lt;b&gt;Bob&lt;/b&gt;"' in page
    operator.post(f"{draft}/thumb", {"thumb": "up"})
    assert said(operator, draft) == ("up", "")
    assert (counted(operator)["up"], counted(operator)["down"]) == (1, 0)


@pytest.mark.capability(118)
def test_the_agent_of_a_draft_asks_too_and_leads_back_to_itself(browse, operator, world, superuser):
    agent_id = wp.make_agent(world.operator.id, STEPS)
    saved = {"document": DOCUMENT, "agent_id": agent_id}
    made = f"/generations/{generate(superuser, world.operator.id, **saved)}"
    agent = f"/agents/{agent_id}"
    assert f'action="{made}/thumb"' in operator.get(agent).text
    sent = {"thumb": "up", "next": f"{agent}#thumbs"}
    assert operator.post(f"{made}/thumb", sent).location == f"{agent}#thumbs"
    assert "You said thumbs up" in operator.get(agent).text
    assert f'action="{made}/thumb"' not in browse(world.admin).get(agent).text
    away = {"thumb": "up", "next": "//evil.example"}
    assert operator.post(f"{made}/thumb", away).location == "/"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"thumb": "sideways"}, "Choose thumbs up or thumbs down."),
        ({}, "Choose thumbs up or thumbs down."),
        ({"thumb": "up", "reason": "x" * 501}, "At most 500 characters."),
    ],
)
def test_what_is_no_thumb_is_refused_at_the_draft(operator, draft, sent, words):
    answer = operator.post(f"{draft}/thumb", sent)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert said(operator, draft) == (None, "")


def test_a_draft_without_a_workflow_is_not_judged(operator, world, superuser):
    url = f"/generations/{generate(superuser, world.operator.id)}"
    assert "/thumb" not in operator.get(url).text
    answer = operator.post(f"{url}/thumb", {"thumb": "up"})
    assert (answer.status_code, "no workflow yet" in answer.text) == (422, True)


def test_only_its_owner_judges_a_draft(browse, world, operator, draft):
    for person in (world.stranger, world.admin):
        assert browse(person).post(f"{draft}/thumb", {"thumb": "up"}).status_code == 404
    assert said(operator, draft) == (None, "")


@pytest.mark.capability(118)
def test_the_report_counts_thumbs_by_generator(browse, world, superuser):
    me = world.operator.id
    for number in range(25):
        made = {"thumb": "down" if number < 4 else "up", "generator": "cheap"}
        generate(superuser, me, document=DOCUMENT, **made)
    generate(superuser, me, thumb="down", thumb_reason="Wrong <i>sheet</i>", thumb_at="2026-01-01")
    generate(superuser, me)
    generate(superuser, me, thumb="up", ago="31 days")
    generate(superuser, world.stranger.id, thumb="up")
    found = counted(browse(world.operator))
    assert (found["up"], found["down"], found["share_up"]) == (21, 5, 21 / 26)
    assert found["generators"][0] == {"generator": "cheap", "up": 21, "down": 4}
    page = browse(world.operator).get("/costs/generation").text
    assert "84.0 % (21 of 25)" in page
    assert "0 of 1, too few to rate" in page
    assert "Wrong &lt;i&gt;sheet&lt;/i&gt;" in page
    assert counted(browse(world.admin))["up"] == 22


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_overflows(window, world, superuser, draft):
    long = {"thumb": "up", "thumb_reason": "w" * 400, "thumb_at": "2026-01-01"}
    generate(superuser, world.operator.id, document=DOCUMENT, **long)
    page = window(world.operator, bypass_csp=True)
    for url in (draft, "/costs/generation"):
        page.goto(url)
        check_looks(page)
