"""The page of secrets: set, replaced, deleted; the value is on no page."""

import pytest

from pilot import vault
from tests.pages import KEY, check_looks

GIVEN = {"name": "shop-key", "value": "canary-0123456789", "hosts": "api.example.com, b.test:8443"}


@pytest.fixture(autouse=True)
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


@pytest.mark.capability(281)
def test_a_secret_is_set_shown_without_its_value_and_deleted(browse, world):
    browser = browse(world.operator)
    assert "No secrets yet" in browser.get("/secrets").text
    assert browser.post("/secrets", GIVEN).status_code == 303
    shown = browser.get("/secrets").text
    assert "{{secret:shop-key}}" in shown
    assert "api.example.com, b.test:8443" in shown
    assert "canary" not in shown + browser.get("/secrets.json").text
    assert "Forget shop-key?" in browser.get("/secrets/shop-key/delete").text
    assert browser.post("/secrets/shop-key/delete").status_code == 303
    assert browser.get("/secrets.json").json == []
    assert browser.get("/secrets/shop-key/delete").status_code == 404


def test_what_is_wrong_is_named_and_the_value_is_not_sent_back(browse, world):
    answer = browse(world.operator).post("/secrets", GIVEN | {"hosts": "https://a.test"})
    assert answer.status_code == 422
    assert "without https://" in answer.text
    assert 'value="shop-key"' in answer.text
    assert "canary" not in answer.text


def test_others_see_nothing_of_it(browse, world):
    browse(world.operator).post("/secrets", GIVEN)
    for other in (world.stranger, world.admin):
        assert "shop-key" not in browse(other).get("/secrets").text


@pytest.mark.browser
def test_it_looks_right(window, world, browse):
    browse(world.operator).post("/secrets", GIVEN)
    page = window(world.operator)
    page.goto("/secrets/shop-key/delete")
    check_looks(page)
    assert page.complaints == []
