"""The page of channels: an administrator sets them up; their addresses are shown to nobody."""

import pytest

from tests.pages import LOOKS, check_accessible

PAGE = "/system-config/channels"


@pytest.mark.capability(43)
def test_a_channel_is_set_up_shown_by_its_host_and_removed(browse, world):
    admin = browse(world.admin)
    assert 'value="whsec_' in admin.get(PAGE).text, "a signing secret is proposed"
    refused = admin.post(f"{PAGE}/slack", {"url": "no address"})
    assert refused.status_code == 422
    assert "Give an https address" in refused.text
    assert "no address" not in refused.text
    stored = admin.post(f"{PAGE}/slack", {"url": "https://hooks.slack.example/T0/secret-part"})
    assert stored.status_code == 303
    page = admin.get(PAGE).text
    assert "hooks.slack.example" in page
    assert "secret-part" not in page
    assert admin.post(f"{PAGE}/slack/remove", {}).status_code == 303
    assert "hooks.slack.example" not in admin.get(PAGE).text
    assert browse(world.operator).get(PAGE).status_code == 403


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
def test_the_page_is_accessible_and_quiet(browse, window, world, look):
    browse(world.admin).post(f"{PAGE}/teams", {"url": "https://hooks.teams.example/1"})
    width, scheme = look
    page = window(world.admin, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(PAGE)
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
