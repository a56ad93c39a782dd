"""The system configuration page."""

import re

import pytest

from pilot import db, settings
from tests.pages import LOOKS, check_accessible

LIMITS = {
    "pilot_max_steps": "60",
    "pilot_max_parallel_steps": "3",
    "pilot_max_items": "10000",
    "pilot_max_running_per_owner": "200",
    "plugin_reconnect_wait_days": "7",
}
VERSION = re.compile(r'name="version" type="hidden" value="(\d+)"')
UNDO = re.compile(r'action="(/system-config/changes/\d+/undo)"')


def stored():
    with db.reading(None) as session:
        return settings.snapshot(session)[0]


def version_of(page):
    return VERSION.search(page.text)[1]


@pytest.fixture
def admin(browse, world):
    """Give an administrator's browser."""
    return browse(world.admin)


def save(browser, group, values):
    version = version_of(browser.get("/system-config"))
    return browser.post(f"/system-config/{group}", {"version": version} | values)


@pytest.mark.capability(269)
def test_a_save_is_told_from_the_database_listed_and_undone(admin):
    answer = save(admin, "engine-limits", LIMITS)
    assert (answer.status_code, answer.location) == (303, "/system-config#engine-limits")
    page = admin.get("/system-config")
    assert "Stored. Steps in a workflow: 60 steps." in page.text
    assert "<del>50 steps</del> <ins>60 steps</ins>" in page.text
    assert 'value="60"' in page.text
    assert stored()["pilot_max_steps"] == 60
    admin.post(UNDO.search(page.text)[1])
    assert "Stored. Steps in a workflow: 50 steps." in admin.get("/system-config").text
    assert stored()["pilot_max_steps"] == 50


@pytest.mark.capability(269)
def test_pilot_is_switched_on_and_off_by_a_plain_form(admin):
    page = admin.get("/system-config")
    assert "Off: agents run as the simple loop of one model step" in page.text
    save(admin, "switches", {"pilot_enabled": "y", "pilot_step_cache": "y"})
    assert stored()["pilot_enabled"] is True
    page = admin.get("/system-config")
    assert "Stored. Run pilot steps: on." in page.text
    assert re.search(r'<input[^>]* checked[^>]* name="pilot_enabled"', page.text)
    save(admin, "switches", {})
    assert stored()["pilot_enabled"] is False


@pytest.mark.capability(269)
def test_a_stale_form_shows_yours_theirs_and_before_and_can_be_sent_again(admin, world):
    version = version_of(admin.get("/system-config"))
    settings.change("pilot_max_steps", 70, by=world.admin.actor)
    answer = admin.post("/system-config/engine-limits", {"version": version} | LIMITS)
    assert answer.status_code == 409
    assert "<td>60 steps</td><td>70 steps</td><td>50 steps</td>" in answer.text
    assert 'value="60"' in answer.text  # what was typed is still there
    assert stored()["pilot_max_steps"] == 70
    again = admin.post("/system-config/engine-limits", {"version": version_of(answer)} | LIMITS)
    assert again.status_code == 303
    assert stored()["pilot_max_steps"] == 60


@pytest.mark.parametrize("version", [None, "", "x", "-1", "9" * 50, "²"])
def test_a_form_without_its_version_overwrites_nothing(admin, world, version):
    settings.change("pilot_max_steps", 70, by=world.admin.actor)
    data = LIMITS | ({} if version is None else {"version": version})
    answer = admin.post("/system-config/engine-limits", data)
    assert answer.status_code == 409
    assert stored()["pilot_max_steps"] == 70


@pytest.mark.capability(269)
def test_an_unknown_setting_is_refused_never_dropped(admin):
    answer = save(admin, "engine-limits", LIMITS | {"pilot_max_step": "9"})
    assert answer.status_code == 422
    assert "/pilot_max_step" in answer.text
    assert stored()["pilot_max_steps"] == 50


@pytest.mark.parametrize("text", ["0", "501", "-3", "x", "", "1e3", "50.0", "²", "9" * 400])
def test_a_value_out_of_bounds_is_told_beside_its_field(admin, text):
    answer = save(admin, "engine-limits", LIMITS | {"pilot_max_steps": text})
    assert answer.status_code == 422
    assert 'id="pilot_max_steps-error"' in answer.text
    assert "Steps in a workflow must be" in answer.text
    assert f'value="{text}"' in answer.text
    assert stored()["pilot_max_steps"] == 50


def test_saving_the_same_values_says_so(admin):
    save(admin, "engine-limits", LIMITS | {"pilot_max_steps": "50"})
    page = admin.get("/system-config")
    assert "Nothing was changed" in page.text
    assert "No setting was changed yet" in page.text


def test_an_undo_of_an_older_change_is_a_conflict(admin, world):
    first = settings.change("pilot_max_steps", 60, by=world.admin.actor).version
    settings.change("pilot_max_steps", 70, by=world.admin.actor)
    page = admin.get("/system-config")
    assert f"/changes/{first}/undo" not in page.text
    assert admin.post(f"/system-config/changes/{first}/undo").status_code == 409
    for unknown in ("987654", "9" * 30):
        assert admin.post(f"/system-config/changes/{unknown}/undo").status_code == 404
    assert stored()["pilot_max_steps"] == 70


def test_the_groups_are_reached_from_the_top_and_only_what_may_be_empty_is_optional(admin):
    page = admin.get("/system-config").text
    assert set(re.findall(r'<a href="#([a-z-]+)">', page)) <= set(
        re.findall(r'id="([a-z-]+)"', page)
    )
    assert '<a href="#budgets">Budgets</a>' in page
    told = re.findall(r'([^<>]+) <span class="optional">optional</span>', page)
    assert [name for name in told if name != "Further models"] == ["Internal domains"]


def test_a_group_has_an_address_of_its_own(admin):
    page = admin.get("/system-config/switches")
    assert "pilot_enabled" in page.text
    assert "pilot_max_steps" not in page.text
    assert admin.get("/system-config/nothing").status_code == 404
    assert admin.post("/system-config/nothing").status_code == 404


@pytest.mark.capability(269)
def test_the_twin_says_the_same_as_the_page(admin, world):
    settings.change("pilot_max_steps", 60, by=world.admin.actor)
    data = admin.get("/system-config.json").get_json()
    listed = {one["key"]: one for one in data["settings"]}
    assert {key: one["value"] for key, one in listed.items()} == stored()
    assert listed["pilot_max_steps"]["changed_by"] == "Admin"
    assert (listed["pilot_max_steps"]["minimum"], listed["pilot_max_steps"]["unit"]) == (1, "steps")
    assert listed["pilot_enabled"]["changed_by"] is None


@pytest.mark.parametrize("role", ["operator", "approver", "viewer"])
def test_only_an_administrator_sees_or_changes_settings(browse, world, role):
    browser = browse(getattr(world, role))
    assert browser.get("/system-config").status_code == 403
    assert browser.get("/system-config.json").status_code == 403
    assert browser.post("/system-config/engine-limits", LIMITS).status_code == 403
    assert stored()["pilot_max_steps"] == 50


def test_effects_that_need_an_approval_are_chosen_on_the_page(admin):
    values = {"pilot_effects_approval": "external", "pilot_internal_domains": "corp.test, a.test"}
    assert save(admin, "approvals", values).status_code == 303
    page = admin.get("/system-config")
    assert "Internal domains: corp.test, a.test." in page.text
    assert stored()["pilot_internal_domains"] == ["corp.test", "a.test"]
    refused = save(admin, "approvals", values | {"pilot_internal_domains": "@corp.test"})
    assert refused.status_code == 422
    assert "at most 50 domains in small letters, such as example.com" in refused.text


@pytest.mark.browser
@pytest.mark.capability(272)
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("url", ["/system-config", "/account", "/sign-in"])
def test_axe_finds_nothing_and_the_policy_is_kept(window, world, url, width, scheme):
    settings.change("pilot_max_steps", 60, by=world.admin.actor)
    size = {"width": width, "height": 900}
    page = window(world.admin, color_scheme=scheme, viewport=size, bypass_csp=True)
    if url == "/sign-in":
        page.context.clear_cookies()
    page.goto(url)
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []


@pytest.mark.browser
def test_settings_are_saved_without_javascript(window, world):
    page = window(world.admin, java_script_enabled=False)
    page.goto("/system-config")
    page.get_by_label("Run pilot steps").check()
    page.get_by_role("button", name="Save switches").click()
    page.get_by_text("Stored. Run pilot steps: on.").wait_for()
    assert stored()["pilot_enabled"] is True
    page.get_by_role("button", name="Undo").first.click()
    page.get_by_text("Stored. Run pilot steps: off.").wait_for()
    assert page.complaints == []
