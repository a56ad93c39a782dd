"""Prices: dated rows, previews, keys that are never shown, and one real call as a test."""

import html
import re
from datetime import timedelta
from decimal import Decimal

import pytest

from pilot import db, vault
from pilot.engine.providers import model_catalogue, own_models, provider_keys
from pilot.engine.providers.own_models import NewModel, NewProvider
from tests.pages import LOOKS, check_accessible
from tests.peer.fixture import KEY as PEER_KEY
from tests.views.test_workflow_pilot import drafted  # noqa: F401 -- a fixture

LUNA = "gpt-6-luna"
SECRET = "sk-test-0123456789-wxyz"
PRICE = {"input": "0.2", "output": "1", "source": "their page"}
PEER_RATES = {"input": "1", "output": "2", "source": "the peer"}


@pytest.fixture
def admin(browse, world, config):
    """Give an administrator's browser; keys can be sealed."""
    vault.configure(config.secret_keys)
    yield browse(world.admin)
    vault.configure([])


@pytest.fixture
def asked(admin, world, peer):
    """Give a model of the peer, with key and price."""
    new = NewProvider("peer", "Peer", peer.connection("openai")["base_url"])
    own_models.add_provider(new, by=world.admin.actor)
    provider_keys.set_key("peer", PEER_KEY, by=world.admin.actor)
    model = NewModel("cheap", "peer", "cheap", "Cheap", "fast", 100_000, 10_000)
    own_models.add_model(model, by=world.admin.actor)
    admin.post("/prices/cheap", PEER_RATES | {"step": "add"})
    return peer


def prices(model_id=LUNA):
    with db.reading(None) as session:
        return model_catalogue.history(session, model_id)


def provider(name="openai"):
    with db.reading(None) as session:
        return model_catalogue.provider(session, name)


def rows(superuser):
    query = "SELECT role, state, outcome, cost, reason, http_status FROM call ORDER BY at, id"
    return superuser.execute(query).fetchall()


def words(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


@pytest.mark.capability(291)
def test_the_list_shows_every_model_with_its_price_of_today(admin):
    page = admin.get("/prices")
    with db.reading(None) as session:
        known = model_catalogue.entries(session)
    assert set(re.findall(r'href="/prices/([^"/?#]+)" dir', page.text)) == set(known)
    assert "retired 2026-06-15" in page.text
    data = admin.get("/prices.json?q=luna").get_json()
    assert [one["id"] for one in data["items"]] == [LUNA]
    assert Decimal(data["items"][0]["input"]["amount"]) == Decimal("0.1")
    lines = admin.get("/prices.csv?provider=anthropic").text.splitlines()
    assert len(lines) == 1 + sum(one.provider.name == "anthropic" for one in known.values())


def test_a_model_that_is_used_without_a_price_comes_first(admin, world, superuser, drafted):  # noqa: F811
    new = NewModel("zz-new", "openai", "zz-new", "Zz new", "fast", 9_000, 900)
    own_models.add_model(new, by=world.admin.actor)
    first = re.compile(r'href="/prices/([^"/?#]+)" dir')
    assert first.search(admin.get("/prices").text)[1] != "zz-new"
    drafted(1)
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("UPDATE call SET model_asked = 'zz-new', cost = NULL")
    page = admin.get("/prices")
    assert first.search(page.text)[1] == "zz-new"
    assert "no price: its cost is unknown" in page.text
    assert "1 unpriced" in page.text
    assert "Ignored filter" in admin.get("/prices?state=x&sort=y&provider=z").text
    empty = admin.get("/prices?q=no-such-model").text
    assert "Nothing matches" in empty
    assert "No row has text <strong" in empty


@pytest.mark.capability(291, 268)
def test_a_price_is_previewed_then_added_and_the_older_one_stays(admin, drafted):  # noqa: F811
    drafted(10)  # 2,000 tokens in and 500 out each
    before = prices()
    page = admin.post(f"/prices/{LUNA}", PRICE | {"step": "preview"})
    assert page.status_code == 200
    assert "input: $0.10 $0.20" in words(page)
    assert "10 calls of the last 30 days: $0.0045" in page.text
    assert "it would have been $0.009." in page.text
    assert 'value="their page"' in page.text
    assert [one.id for one in prices()] == [one.id for one in before]
    assert admin.post(f"/prices/{LUNA}", PRICE | {"step": "add"}).status_code == 303
    assert [one.input for one in prices()] == [Decimal("0.2"), before[0].input]
    page = admin.get(f"/prices/{LUNA}")
    assert "has this price from now on" in page.text
    assert ">Admin</td>" in page.text


def test_only_what_was_previewed_is_added(admin):
    page = admin.post(f"/prices/{LUNA}", PRICE | {"step": "preview"})
    seen = html.unescape(re.search(r'name="previewed" value="([^"]*)"', page.text)[1])
    sent = PRICE | {"step": "add", "previewed": seen}
    page = admin.post(f"/prices/{LUNA}", sent | {"input": "0.3"})
    assert page.status_code == 200
    assert "input: $0.10 $0.30" in words(page)
    assert len(prices()) == 1
    assert admin.post(f"/prices/{LUNA}", sent).status_code == 303
    assert len(prices()) == 2


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"input": "0"}, "input", "is 0: only a model that is said to be free"),
        ({"input": "-1"}, "input", "is negative"),
        ({"output": ""}, "output", "output is missing"),
        ({"output": "abc"}, "output", "must be a number such as 0.15"),
        ({"source": ""}, "source", "Say where the numbers are from"),
        ({"valid_from": "2020-01-01"}, "valid_from", "would change what is past"),
        ({"valid_from": "soon"}, "valid_from", "is no day such as"),
        ({"checked_on": "2999-01-01"}, "checked_on", "cannot have been looked up in the future"),
        ({"long_input": "3"}, "long_from", "long from is missing"),
    ],
)
@pytest.mark.parametrize("step", ["preview", "add"])
def test_a_price_that_is_none_is_told_at_its_field_and_kept(admin, step, changed, field, said):
    before = [one.id for one in prices()]
    page = admin.post(f"/prices/{LUNA}", PRICE | changed | {"step": step})
    assert page.status_code == 422
    error = re.search(rf'id="{field}-error">.*?</p>', page.text, re.DOTALL)
    assert said in error[0]
    sent = PRICE | changed
    assert f'value="{sent["input"]}"' in page.text
    assert [one.id for one in prices()] == before


def test_two_prices_of_one_day_overlap(admin):
    day = (db.now() + timedelta(days=40)).date().isoformat()
    dated = PRICE | {"valid_from": day, "step": "add"}
    assert admin.post(f"/prices/{LUNA}", dated).status_code == 303
    page = admin.post(f"/prices/{LUNA}", dated)
    assert page.status_code == 422
    assert "There is a price from" in page.text
    assert "to come" in admin.get(f"/prices/{LUNA}").text
    assert f"next {day}" in admin.get("/prices?q=luna").text


def test_only_a_model_said_to_be_free_costs_nothing(admin):
    free = {"input": "", "output": "", "free": "y", "source": "ours", "step": "add"}
    assert admin.post(f"/prices/{LUNA}", free).status_code == 303
    assert prices()[0].input == 0


def test_a_model_is_switched_off_and_on(admin):
    admin.post(f"/prices/{LUNA}/enabled", {"enabled": "off"})
    page = admin.get(f"/prices/{LUNA}")
    assert "GPT-6 Luna is switched off." in page.text
    assert "Switch on" in page.text
    admin.post(f"/prices/{LUNA}/enabled", {"enabled": "on"})
    assert "Switch off" in admin.get(f"/prices/{LUNA}").text


def test_a_key_is_stored_replaced_and_forgotten_but_never_shown(admin):
    url = "/prices/providers/openai"
    assert "There is no key" in admin.get(url).text
    assert admin.post(f"{url}/key", {"key": SECRET}).status_code == 303
    for page in (admin.get(url), admin.get("/prices"), admin.get("/prices.json")):
        assert SECRET not in page.text
    assert "ends with <code>wxyz</code>" in admin.get(url).text
    refused = admin.post(f"{url}/key", {"key": "two words of it"})
    assert refused.status_code == 422
    assert "no blanks inside" in refused.text
    assert "two words of it" not in refused.text
    admin.post(f"{url}/key", {"key": SECRET[:-4] + "abcd"})
    assert provider().key_ending == "abcd"
    assert "Forget the key of OpenAI?" in admin.get(f"{url}/key/remove").text
    assert provider().key_set_at is not None
    admin.post(f"{url}/key/remove")
    assert provider().key_set_at is None
    assert admin.get(f"{url}/key/remove").status_code == 404


def test_another_address_forgets_the_key_and_a_wrong_one_is_refused(admin):
    url = "/prices/providers/openai"
    admin.post(f"{url}/key", {"key": SECRET})
    page = admin.post(url, {"base_url": "http://api.example.com/v1", "enabled": "y"})
    assert page.status_code == 422
    assert "Keys would travel in the clear" in page.text
    assert 'value="http://api.example.com/v1"' in page.text
    assert provider().key_set_at is not None
    admin.post(url, {"base_url": "https://api.example.com/v1"})
    row = provider()
    assert (row.base_url, row.enabled) == ("https://api.example.com/v1", False)
    assert row.key_set_at is None
    text = "Stored. OpenAI is at https://api.example.com/v1 and switched off."
    assert text in admin.get(url).text


def test_a_test_is_one_real_call_that_is_booked(admin, asked, superuser):
    page = admin.get("/prices/cheap")
    assert re.search(r"it costs at most \$0\.000\d+", page.text)
    assert admin.post("/prices/cheap/test").location == "/prices/cheap#test"
    assert len(asked.requests()) == 1
    ((role, state, outcome, cost, _, _),) = rows(superuser)
    assert (role, state, outcome) == ("test", "settled", "ok")
    page = admin.get("/prices/cheap")
    assert "It answers" in page.text
    assert f'title="{cost:f} USD"' in page.text
    assert "Request id" in page.text
    assert re.search(r"Took [\d.]+ m?s ", words(page))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "does not accept the key. Set a new key of this provider."),
        (404, "refused the request."),
    ],
)
def test_a_test_that_fails_says_why_and_what_to_do(admin, asked, superuser, status, said):
    asked.script({"fault": {"kind": "status", "status": status}})
    admin.post("/prices/cheap/test")
    page = admin.get("/prices/cheap")
    assert said in words(page)
    assert f"status {status}" in page.text
    assert rows(superuser)[-1][2] == "failed"


def test_a_model_that_cannot_be_asked_is_not(admin, superuser):
    page = admin.get(f"/prices/{LUNA}")
    assert "<button disabled>Test</button>" in page.text
    answer = admin.post(f"/prices/{LUNA}/test")
    assert answer.status_code == 409
    assert "Nothing was sent. OpenAI has no key." in answer.text
    assert rows(superuser) == []


def test_what_does_not_exist_is_not_found(admin):
    assert admin.get("/prices/nothing").status_code == 404
    assert admin.post("/prices/nothing", PRICE | {"step": "add"}).status_code == 404
    assert admin.post("/prices/nothing/test").status_code == 404
    assert admin.get("/prices/providers/nothing").status_code == 404
    assert admin.post("/prices/providers/nothing/key", {"key": SECRET}).status_code == 404


@pytest.mark.parametrize("role", ["operator", "approver", "viewer"])
def test_nobody_else_sees_or_changes_prices_and_keys(browse, world, role):
    browser = browse(getattr(world, role))
    for path in ("/prices", "/prices.csv", f"/prices/{LUNA}", "/prices/providers/openai"):
        assert browser.get(path).status_code == 403
    for path in (f"/prices/{LUNA}", f"/prices/{LUNA}/test", "/prices/providers/openai/key"):
        assert browser.post(path, PRICE | {"key": SECRET}).status_code == 403
    assert len(prices()) == 1


@pytest.mark.browser
def test_a_price_is_added_without_script(window, world):
    page = window(world.admin, java_script_enabled=False)
    page.goto("/prices")
    page.get_by_role("link", name="GPT-6 Luna").click()
    page.get_by_label("Input", exact=True).fill("0.2")
    page.get_by_label("Output", exact=True).fill("1")
    page.get_by_label("Where the numbers are from").fill("their page")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("What this price changes").wait_for()
    page.get_by_role("button", name="Add this price").click()
    page.get_by_text("has this price from now on").wait_for()
    assert prices()[0].input == Decimal("0.2")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("url", ["/prices", f"/prices/{LUNA}", "/prices/providers/openai"])
def test_axe_finds_nothing_on_the_pages_of_prices(window, world, url, width, scheme):
    size = {"width": width, "height": 900}
    page = window(world.admin, color_scheme=scheme, viewport=size, bypass_csp=True)
    page.goto(url)
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
