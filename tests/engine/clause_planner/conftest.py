"""A small catalogue of a made-up shop, and a planner over it."""

from types import SimpleNamespace

import pytest
from pydantic import Field

from pilot.engine.clause_planner import plan
from pilot.engine.language.catalogue import Catalogue
from pilot.plugins import Category, Effect, Model, Plugin

shop = Plugin(
    name="shop", version="1", title="Shop", category=Category.OTHER, summary="Sells things."
)
desk = Plugin(
    name="desk", version="1", title="Desk", category=Category.OTHER, summary="Sends messages."
)


class Words(Model):
    """What to look for."""

    query: str
    max_price: float | None = None


class Found(Model):
    """What was found."""

    product_id: str
    product_name: str
    price: float
    products: list[str]


class Product(Model):
    """Which product."""

    product_id: str


class Reviews(Model):
    """What people say."""

    reviews: str


class Order(Model):
    """What to order."""

    product_id: str
    quantity: int
    delivery_date: str


class Ordered(Model):
    """What was ordered."""

    order_number: str


class Money(Model):
    """What to convert."""

    amount: float
    currency_from: str = Field(alias="from")
    currency_to: str = Field(alias="to")


class Converted(Model):
    """What it makes."""

    converted_amount: float


class Note(Model):
    """A message."""

    phone_number: str
    message: str


class Sent(Model):
    """How it went."""

    status: str


@shop.action(effect=Effect.PURE, success="Found", guidance="")
def search_products(call, params: Words) -> Found:
    """Search for products by words."""


@shop.action(effect=Effect.PURE, success="Read", guidance="")
def get_reviews(call, params: Product) -> Reviews:
    """Get the reviews of a product."""


@shop.action(effect=Effect.ONCE, success="Ordered", guidance="")
def order_product(call, params: Order) -> Ordered:
    """Order a product for delivery."""


@shop.action(effect=Effect.PURE, success="Converted", guidance="")
def convert_currency(call, params: Money) -> Converted:
    """Convert an amount from one currency to another."""


@desk.action(effect=Effect.ONCE, success="Sent", guidance="")
def send_sms(call, params: Note) -> Sent:
    """Send an SMS message to a phone number."""


@pytest.fixture(scope="session")
def shopping():
    """Give the catalogue of the shop and the desk."""
    actions = [*shop.actions.values(), *desk.actions.values()]
    return Catalogue({one.name: one for one in actions})


@pytest.fixture
def draft(shopping):
    """Plan a goal over the shop."""

    def made(goal, answers=None, *, over=shopping):
        return plan(goal, over, answers=answers or {}, zone="Europe/Berlin")

    return made


@pytest.fixture
def steps_of(draft):
    """Plan a goal that leaves nothing to ask; return its steps by id."""

    def made(goal, answers=None):
        found = draft(goal, answers)
        assert found.document, [one.id for one in found.questions] or found.refusal
        return {one["id"]: SimpleNamespace(**one) for one in found.document["steps"]}

    return made
