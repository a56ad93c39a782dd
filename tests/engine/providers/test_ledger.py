"""The ledger: every row keeps the price it was counted with; generations book their own calls."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from pilot import db
from pilot.audit import Actor
from pilot.db import dsn
from pilot.engine.providers import ledger, model_catalogue
from pilot.engine.providers.ledger import Booking, DirectBooking
from pilot.engine.providers.model_catalogue import Baseline, Chain, NewPrice
from pilot.llm.calls import Attempt
from pilot.llm.messages import Model, Usage
from pilot.llm.reasons import FailureReason

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
PLANNED = Attempt(uuid4(), 1, "draft", None, "anthropic", HAIKU, "", Decimal("0.5"))
RATES = ("input", "output", "cache_read", "cache_write", "cache_write_long")


@pytest.fixture
def chain(database):
    """The models of two tiers, priced as shipped; savings are counted against the strong one."""
    with db.reading(None) as session:
        price, strong = (model_catalogue.price_at(session, one) for one in (HAIKU, SONNET))
    model = Model(HAIKU, "anthropic", HAIKU, price, offered_by="anthropic", tier="fast")
    return Chain([model], baseline=Baseline(SONNET, strong))


def ended(chain, usage, **more):
    cost = chain.models[0].price.cost(usage)
    return replace(PLANNED, id=uuid4(), usage=usage, cost=cost, **more)


def rows(superuser):
    with superuser.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute("SELECT * FROM call ORDER BY at, id").fetchall()


def numbers(row, prefix):
    return [row[f"{prefix}_{name}"] for name in RATES]


@pytest.fixture
def generation(world, superuser):
    """The operator's generation."""
    return superuser.execute(
        "INSERT INTO generation (owner_id, goal, goal_hash, answers, text, issues, questions,"
        " clauses, generator, confidence, duration_ms, outcome)"
        " VALUES (%s, 'g', 'h', '{}', '', '[]', '[]', '[]', 'planner', 1, 1, 'offered')"
        " RETURNING id",
        [world.operator.id],
    ).fetchone()[0]


@pytest.mark.capability(97, 98)
def test_a_call_of_a_generation_is_reserved_then_settled_with_its_price(
    world, chain, generation, superuser
):
    gate = DirectBooking(world.operator.id, chain, generation, {"prompt_version": "7"})
    usage = Usage(input=1_000, cache_read=2_000, cache_write=10, output=300, reasoning=50)
    attempt = ended(chain, usage)
    gate.open(replace(PLANNED, id=attempt.id))
    (row,) = rows(superuser)
    assert (row["state"], row["outcome"], row["reserved"]) == ("reserved", None, Decimal("0.5"))
    gate.close(attempt)
    (row,) = rows(superuser)
    assert (row["state"], row["outcome"], row["cost"]) == ("settled", "ok", attempt.cost)
    assert (row["generation_id"], row["execution_id"]) == (generation, None)
    assert (row["owner_id"], row["tier"], row["prompt_version"]) == (world.operator.id, "fast", "7")
    assert row["price_id"] == chain.models[0].price.row_id
    assert numbers(row, "price") == [Decimal(n) for n in ("0.1", "0.5", "0.01", "0.125", "0.2")]
    assert row["baseline_model"] == SONNET
    assert numbers(row, "baseline") == [Decimal(n) for n in ("2", "10", "0.1", "2.5", "4")]


@pytest.mark.capability(97)
def test_the_copied_numbers_give_the_cost_again_long_prompts_too(world, chain, superuser):
    gate = DirectBooking(world.operator.id, chain)
    for usage in (Usage(input=100_000, output=9), Usage(100_001, 7, 5, 3, 11, 13)):
        gate.close(ended(chain, usage))
    query = """SELECT cost, (input_tokens * price_input + cache_read_tokens * price_cache_read
      + cache_write_tokens * price_cache_write + cache_write_long_tokens * price_cache_write_long
      + (output_tokens + reasoning_tokens) * price_output) / 1000000 AS again FROM call"""
    found = superuser.execute(query).fetchall()
    assert len(found) == 2
    assert all(cost == again for cost, again in found)


def test_a_new_price_leaves_older_calls_as_they_were(world, chain, superuser):
    DirectBooking(world.operator.id, chain).close(ended(chain, Usage(input=1_000, output=10)))
    before = rows(superuser)
    new = NewPrice({"input": 9, "output": 9}, "their page")
    model_catalogue.add_price(HAIKU, new, by=Actor("system"))
    assert rows(superuser) == before


def test_a_settled_call_is_never_changed(world, chain, superuser):
    gate = DirectBooking(world.operator.id, chain)
    attempt = ended(chain, Usage(input=10))
    gate.close(attempt)
    before = rows(superuser)
    gate.close(replace(attempt, cost=Decimal(9), reason=FailureReason.API))
    DirectBooking(world.stranger.id, chain).close(replace(attempt, cost=Decimal(9)))
    assert rows(superuser) == before


def test_nobody_takes_over_a_call_of_another_owner(world, chain, superuser):
    attempt = ended(chain, Usage(input=10))
    DirectBooking(world.operator.id, chain).open(attempt)
    before = rows(superuser)
    DirectBooking(world.stranger.id, chain).close(attempt)
    assert rows(superuser) == before


def test_a_call_without_an_owner_is_refused(world, chain):
    with pytest.raises(ProgrammingError, match="needs an owner"):
        DirectBooking(None, chain).open(PLANNED)


def test_what_a_dead_worker_left_open_counts_at_its_worst(world, chain, generation, superuser):
    gate = DirectBooking(world.operator.id, chain, generation)
    gate.close(ended(chain, Usage(input=10)))
    gate.open(replace(PLANNED, id=uuid4()))
    for person in (world.stranger, world.operator):
        with db.transaction("test", person.id) as session:
            ledger.lose(session, generation)
        states = [row["state"] for row in rows(superuser)]
        assert states == ["settled", "reserved" if person is world.stranger else "lost"]
    lost = rows(superuser)[1]
    assert (lost["cost"], lost["wasted"]) == (Decimal("0.5"), True)
    assert lost["flags"] == ["cost_estimated"]


@pytest.mark.capability(97)
def test_an_unpriced_call_has_no_cost_and_no_numbers(world, superuser):
    chain = Chain([Model(HAIKU, "anthropic", HAIKU)])
    DirectBooking(world.operator.id, chain).close(replace(PLANNED, usage=Usage(input=10)))
    (row,) = rows(superuser)
    assert row["cost"] is None
    assert numbers(row, "price") == numbers(row, "baseline") == [None] * 5


def test_a_step_copies_the_price_too(chain):
    booked = []
    booking = Booking("classify", 1, booked.extend, lambda _: False)
    booking.chain = chain
    booking.open(PLANNED)
    booking.close(replace(PLANNED, usage=Usage(input=100_001)))
    (row,) = booking.end()
    assert (booked[0]["price_input"], row["price_input"]) == ("0.100000000000", "0.500000000000")
    assert (row["path"], row["attempt"], row["tier"]) == ("classify", 1, "fast")


def test_the_application_writes_calls_through_the_ledger_only(world, database):
    with psycopg.connect(dsn(database), options="-c role=pilot_app") as connection:
        for statement in (
            "DELETE FROM call",
            "UPDATE call SET cost = 0",
            "SELECT write_calls('[]')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()
