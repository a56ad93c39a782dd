"""What Pilot brings along: providers, models and their prices, read from models.toml."""

import tomllib
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, model_validator

from pilot.errors import InvalidError
from pilot.llm import prices

FILE = Path(__file__).parent / "models.toml"

Tier = Literal["fast", "balanced", "powerful"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ShippedPrice(_Part):
    """One price, as `pilot.llm.prices.read` takes it."""

    valid_from: date
    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_long: Decimal | None = None
    long_from: int | None = None
    long_input: Decimal | None = None
    long_output: Decimal | None = None
    long_cache_read: Decimal | None = None
    long_cache_write: Decimal | None = None
    long_cache_write_long: Decimal | None = None

    @property
    def numbers(self) -> prices.Numbers:
        """The numbers alone."""
        return prices.read(self.model_dump(exclude={"valid_from"}))


class Flags(_Part):
    """What a model can do, and how it is asked."""

    strict_schema: bool
    json_mode: bool
    temperature: bool
    effort: list[Literal["low", "medium", "high"]]
    cache: Literal["none", "auto", "explicit"]
    tools: bool
    token_parameter: Literal["max_tokens", "max_completion_tokens"]


def _unique_dates(found: list[ShippedPrice]) -> list[ShippedPrice]:
    if len({one.valid_from for one in found}) != len(found):
        raise ValueError("two prices of the same date")
    return found


class ShippedModel(_Part):
    """One model."""

    id: Name
    provider: Name
    name: str = Field(min_length=1)  # as it is sent
    label: str = Field(min_length=1)
    tier: Tier
    window: PositiveInt
    max_output: PositiveInt
    retired_on: date | None = None
    replaced_by: Name | None = None
    flags: Flags
    price: Annotated[list[ShippedPrice], Field(min_length=1), AfterValidator(_unique_dates)]


class ShippedProvider(_Part):
    """One provider; off until its key is filled in, unless most people have one."""

    name: Name
    label: str = Field(min_length=1)
    adapter: Literal["openai", "anthropic"]
    base_url: str = Field(pattern=r"^https://")
    enabled: bool


class Shipped(_Part):
    """The whole file."""

    source: str = Field(min_length=1)
    checked_on: date
    provider: list[ShippedProvider]
    model: list[ShippedModel]

    @model_validator(mode="after")
    def _names_exist(self) -> "Shipped":
        providers = [one.name for one in self.provider]
        models = [one.id for one in self.model]
        if len(set(providers)) != len(providers) or len(set(models)) != len(models):
            raise ValueError("a name occurs twice")
        for one in self.model:
            if one.provider not in providers:
                raise ValueError(f"{one.id}: there is no provider {one.provider}")
            if one.replaced_by is not None and one.replaced_by not in models:
                raise ValueError(f"{one.id}: there is no model {one.replaced_by}")
            for each in one.price:
                try:
                    prices.read(each.model_dump(exclude={"valid_from"}))
                except InvalidError as error:
                    raise ValueError(f"{one.id}: {error.message}") from error
        return self


def parse(text: str) -> Shipped:
    """Read the text of a catalogue; numbers stay exact.

    Raises:
        ValueError: unknown or missing members, wrong types, names that do not exist, no prices.
    """
    return Shipped.model_validate(tomllib.loads(text, parse_float=Decimal))


@cache
def load() -> Shipped:
    """Return what is shipped with this version."""
    return parse(FILE.read_text("utf-8"))
