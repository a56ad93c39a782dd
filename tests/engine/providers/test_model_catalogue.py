"""The catalogue: shipped once, priced by date, asked with a key, passed over with a reason."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import select

from pilot import db, vault
from pilot.audit import Actor
from pilot.db import dsn
from pilot.engine.providers import model_catalogue, provider_keys
from pilot.engine.providers.model_catalogue import Initialised, NewPrice
from pilot.errors import InvalidError, NotFoundError
from pilot.llm import shipped
from pilot.llm.messages import Usage
from pilot.models.audit import AuditEntry
from pilot.models.model import Model
from pilot.models.provider import Provider
from tests.engine.providers.test_provider_keys import KEY

BY = Actor("cli:ann")
LUNA, SONNET = "gpt-6-luna", "claude-sonnet-5-5"


@pytest.fixture
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


def initialise():
    with db.transaction("test", None) as session:
        return model_catalogue.initialise(session)


def price(model_id, at=None):
    with db.reading(None) as session:
        return model_catalogue.price_at(session, model_id, at)


def chain(*ids):
    with db.reading(None) as session:
        return model_catalogue.chain(session, ids)


def add(model_id=LUNA, *, by=BY, **given):
    numbers = given.pop("numbers", {"input": "0.12", "output": "0.60"})
    return model_catalogue.add_price(model_id, NewPrice(numbers, "their page", **given), by=by)


def events(name):
    query = select(AuditEntry.record).where(AuditEntry.event == name)
    with db.reading(None, sees_all=True) as session:
        return session.scalars(query).all()


def test_a_new_installation_has_everything_and_a_second_time_adds_nothing(database):
    with db.reading(None) as session:
        known = model_catalogue.entries(session)
    assert known.keys() == {one.id for one in shipped.load().model}
    assert all(one.price is not None for one in known.values())
    assert initialise() == Initialised(0, 0, 0)


def test_what_an_administrator_changed_stays(database):
    model_catalogue.set_enabled(LUNA, False, by=BY)
    add()
    initialise()
    with db.reading(None) as session:
        entry = model_catalogue.entries(session)[LUNA]
    assert entry.skipped == ("disabled", "GPT-6 Luna is switched off.")
    assert entry.price.input == Decimal("0.12")


def test_what_is_missing_comes_back(database, superuser):
    superuser.execute("ALTER TABLE price DISABLE TRIGGER append_only")
    superuser.execute("DELETE FROM price; DELETE FROM model WHERE provider = 'openai'")
    with_openai = [one for one in shipped.load().model if one.provider == "openai"]
    count = sum(len(one.price) for one in shipped.load().model)
    assert initialise() == Initialised(0, len(with_openai), count)


@pytest.mark.capability(97)
def test_a_price_counts_from_its_date_on(database):
    change = datetime(2026, 12, 1, tzinfo=UTC)
    assert price("gemini-4-argon", change - timedelta(seconds=1)).input == 2
    assert price("gemini-4-argon", change).input == 4
    assert price("gemini-4-argon", datetime(2020, 1, 1, tzinfo=UTC)) is None
    assert price("claude-haiku-5-5").long.output == Decimal("2.5")
    with pytest.raises(NotFoundError, match="pilot prices list"):
        price("gpt-0")


def test_a_new_price_counts_at_once_and_says_who_and_why(database):
    before = price(LUNA)
    row_id = add()
    after = price(LUNA)
    assert after.row_id == row_id != before.row_id
    assert after.cost(Usage(input=1_000_000, output=1_000_000)) == Decimal("0.72")
    (record,) = events("PRICE_ADDED")
    assert '"actor":"cli:ann"' in record
    assert '"input":"0.100000000000"' in record
    assert '"input":"0.12"' in record
    with db.reading(None) as session:
        newest, oldest = model_catalogue.history(session, LUNA)
    assert (newest.author, newest.source, oldest.author) == ("cli:ann", "their page", "shipped")


def test_a_price_of_the_future_waits_for_its_date(database):
    begins = db.now() + timedelta(days=20)
    add(valid_from=begins)
    assert price(LUNA).input == Decimal("0.1")
    assert price(LUNA, begins).input == Decimal("0.12")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"numbers": {"input": 0, "output": 1}}, "/input"),
        ({"numbers": {"input": 1, "output": -1}}, "/output"),
        ({"numbers": {"input": 1}}, "/output"),
        ({"valid_from": datetime(2026, 1, 1, tzinfo=UTC)}, "/valid_from"),
        ({"valid_from": datetime(2025, 1, 1, tzinfo=UTC)}, "/valid_from"),
        ({"valid_from": datetime(2027, 1, 1)}, "/valid_from"),  # noqa: DTZ001 -- the fault
        ({"checked_on": date(2999, 1, 1)}, "/checked_on"),
    ],
)
def test_a_bad_price_is_named_and_not_stored(database, given, path):
    before = price(LUNA)
    with pytest.raises(InvalidError) as refused:
        add(**given)
    assert [issue.path for issue in refused.value.issues] == [path]
    assert price(LUNA) == before
    assert events("PRICE_ADDED") == []


def test_a_price_needs_a_source_and_a_known_model(database):
    with pytest.raises(InvalidError, match="where the numbers are from"):
        model_catalogue.add_price(LUNA, NewPrice({"input": 1, "output": 1}, " "), by=BY)
    with pytest.raises(NotFoundError):
        add("gpt-0")


def test_of_two_administrators_with_the_same_date_one_is_told(database):
    begins = db.now() + timedelta(days=3)

    def save(number):
        try:
            return add(numbers={"input": number, "output": 9}, valid_from=begins)
        except InvalidError as error:
            return error.issues[0].code

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(save, (1, 2, 3, 4)))
    assert results.count("price_overlaps") == 3


@pytest.mark.parametrize("statement", ["UPDATE price SET input = 9", "DELETE FROM price"])
def test_a_price_is_never_edited(database, statement):
    denied = pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only")
    with psycopg.connect(dsn(database), options="-c role=pilot_owner") as connection, denied:
        connection.execute(statement)


@pytest.mark.parametrize(
    "numbers",
    [
        {"input": 0, "output": 1},
        {"input": -1, "output": 1},
        {"input": 1, "output": 1, "cache_read": 0},
        {"input": 1, "output": 1, "long_from": 100},
        {"input": 1, "output": 1, "long_input": 2},
    ],
)
def test_the_database_refuses_what_is_no_price(database, superuser, numbers):
    row = {"model_id": LUNA, "valid_from": "2030-01-01", "source": "x", "checked_on": "2026-01-01"}
    row |= {"author": "x", **numbers}
    names = ", ".join(row)
    places = ", ".join(f"%({name})s" for name in row)
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute(f"INSERT INTO price ({names}) VALUES ({places})", row)  # noqa: S608


@pytest.mark.usefixtures("_sealing")
@pytest.mark.capability(88)
def test_models_are_asked_in_the_order_given_with_price_and_key(database):
    for name in ("openai", "anthropic"):
        provider_keys.set_key(name, f"key-of-{name}", by=BY)
    for ids in ((LUNA, SONNET), (SONNET, LUNA)):
        found = chain(*ids, ids[0])
        assert [one.id for one in found.models] == list(ids)
        assert found.skipped == []
    luna = found.models[-1]
    assert (luna.provider, luna.name, luna.offered_by, luna.tier) == (
        "openai",
        LUNA,
        "openai",
        "fast",
    )
    assert luna.connection == {"base_url": "https://api.openai.com/v1", "key": "key-of-openai"}
    assert luna.price == price(LUNA)
    assert "key-of-openai" not in repr(found)


@pytest.mark.usefixtures("_sealing")
def test_what_cannot_be_asked_is_passed_over_with_its_reason(database, superuser):
    provider_keys.set_key("openai", "key-of-openai", by=BY)
    provider_keys.set_key("anthropic", "key-of-anthropic", by=BY)
    provider_keys.set_key("xai", "key-of-xai-0123", by=BY)
    provider_keys.change("xai", {"enabled": False}, by=BY)
    model_catalogue.set_enabled(SONNET, False, by=BY)
    superuser.execute("UPDATE provider SET sealed = 'broken' WHERE name = 'anthropic'")
    ids = [
        "gpt-0",
        SONNET,
        "grok-4.7",
        "claude-sonnet-4",
        "mistral-large-4",
        "claude-opus-5-5",
        LUNA,
    ]
    found = chain(*ids)
    assert [one.id for one in found.models] == [LUNA]
    assert {one.model_id: one.code for one in found.skipped} == {
        "gpt-0": "unknown",
        SONNET: "disabled",
        "grok-4.7": "provider_off",
        "claude-sonnet-4": "retired",
        "mistral-large-4": "provider_off",
        "claude-opus-5-5": "bad_key",
    }
    assert all(one.reason.endswith(".") for one in found.skipped)


def test_without_any_key_nobody_is_asked(database):
    found = chain(LUNA, SONNET)
    assert found.models == []
    assert {one.code for one in found.skipped} == {"no_key"}


def test_a_server_of_ones_own_needs_no_key(database, superuser):
    superuser.execute("UPDATE provider SET flags = '{\"keyless\": true}' WHERE name = 'openai'")
    assert [one.connection for one in chain(LUNA).models] == [
        {"base_url": "https://api.openai.com/v1", "key": "none"}
    ]


def test_an_unpriced_model_is_asked_but_never_free(database):
    with db.transaction("test", None) as session:
        session.add(
            Provider(
                name="own",
                label="Own",
                adapter="openai",
                base_url="http://own",
                enabled=True,
                flags={"keyless": True},
            )
        )
        session.flush()
        facts = {"tier": "fast", "window": 9, "max_output": 9, "flags": {}}
        session.add(Model(id="m", provider="own", name="m", label="M", **facts))
    assert [one.price for one in chain("m").models] == [None]


def test_switching_a_model_is_audited_once(database):
    for _ in range(2):
        model_catalogue.set_enabled(LUNA, False, by=BY)
    assert len(events("MODEL_CHANGED")) == 1
    with pytest.raises(NotFoundError):
        model_catalogue.set_enabled("gpt-0", False, by=BY)


def test_the_settings_choose_the_models(database):
    values = {
        "orchestrator_primary_model": "a",
        "orchestrator_enable_fallback": True,
        "orchestrator_fallback_model": "b",
        "orchestrator_further_models": ["c", "a"],
    }
    assert model_catalogue.chosen(values) == ["a", "b", "c"]
    assert model_catalogue.chosen(values | {"orchestrator_enable_fallback": False}) == ["a"]
