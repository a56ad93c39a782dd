"""The page of rules: set, replaced, removed; what a switch is for somebody, and why."""

import pytest

from tests.engine import worker_process as wp
from tests.pages import check_accessible

URL = "/system-config/flags"
STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
RULE = {"key": "pilot_enabled", "value": "on", "scope": "agent", "subject": "Test"}


@pytest.fixture
def admin(browse, world):
    return browse(world.admin)


@pytest.fixture
def agent(world):
    return wp.make_agent(world.admin.id, [STEP])


@pytest.mark.capability(49)
def test_a_rule_is_set_resolved_and_removed(admin, agent, world):
    assert "No rules yet" in admin.get(URL).text
    assert admin.post(URL, RULE | {"until": "2099-01-31"}).status_code == 303
    (rule,) = admin.get(f"{URL}.json").json["rules"]
    assert (rule["subject"], rule["value"], rule["author"]) == (
        "Test",
        True,
        f"user:{world.admin.id}",
    )
    asked = f"{URL}?key=pilot_enabled&agent={agent}&person={world.admin.email}"
    assert "Decided by the rule for this agent" in admin.get(asked).text
    assert admin.post(f"{URL}/{rule['id']}/remove").status_code == 303
    assert "Decided by the setting for all" in admin.get(asked).text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"subject": "Nobody"}, "There is no agent"),
        ({"scope": "user", "subject": "nobody@example.com"}, "There is no active person"),
        ({"scope": "percentage", "subject": "many"}, "Give a share of 0 to 100"),
        ({"scope": "percentage", "subject": "101 %"}, "Give a share of 0 to 100"),
        ({"until": "2020-01-01"}, "Give a date in the future"),
        ({"until": "soon"}, "Give a date"),
        ({"key": "llm_timeout_s"}, "There is no switch"),
        ({"scope": "everybody"}, "Choose one of agent, user, percentage"),
        ({"value": "maybe"}, "Choose one of on, off"),
    ],
)
def test_what_is_no_rule_is_said_at_its_field_and_kept(admin, agent, changed, said):
    answer = admin.post(URL, RULE | changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert admin.get(f"{URL}.json").json["rules"] == []


def test_a_share_is_replaced_not_doubled(admin, agent):
    for share in ("10 %", "25"):
        admin.post(URL, RULE | {"scope": "percentage", "subject": share})
    (rule,) = admin.get(f"{URL}.json").json["rules"]
    assert rule["subject"] == "25 % of all agents"


def test_an_unknown_name_to_resolve_is_told(admin, database):
    page = admin.get(f"{URL}?key=pilot_enabled&agent=Nobody").text
    assert "There is no agent &#39;Nobody&#39;" in page


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_is_accessible_and_fits(admin, agent, window, world, width, scheme):
    admin.post(URL, RULE)
    page = window(world.admin, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(URL)
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
