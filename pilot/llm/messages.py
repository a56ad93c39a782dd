"""What is sent to a model and what comes back, alike for all providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pilot.redaction import redact

Role = Literal["draft", "repair", "fallback", "step", "summary", "test"]
Effort = Literal["low", "medium", "high"]
# context: larger than the model's window; unfinished: for a reason of the provider
Stop = Literal["end", "calls", "truncated", "refusal", "context", "unfinished"]
PER = Decimal(1_000_000)


@dataclass(frozen=True)
class ToolSpec:
    """An action that the model may ask for."""

    name: str  # mail.send
    summary: str
    params_schema: dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """An action that the model asks for; `params` is what it wrote, not checked yet."""

    id: str
    name: str
    params: Any


@dataclass(frozen=True)
class ToolResult:
    """What became of an action that the model asked for."""

    id: str
    name: str
    text: str
    ok: bool


@dataclass(frozen=True)
class Message:
    """One line of the conversation."""

    role: Literal["user", "assistant", "results"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()  # of the assistant
    results: tuple[ToolResult, ...] = ()

    def without_secrets(self) -> "Message":
        """Return the same line as it may leave."""
        calls = tuple(replace(one, params=redact(one.params)) for one in self.calls)
        results = tuple(replace(one, text=redact(one.text)) for one in self.results)
        return replace(self, text=redact(self.text), calls=calls, results=results)


@dataclass(frozen=True)
class Request:
    """One question to a model, whichever it is."""

    system: str
    messages: tuple[Message, ...]
    name: str = ""  # the step that asks
    role: Role = "step"
    intent: str | None = None
    schema: dict[str, Any] | None = None
    tools: tuple[ToolSpec, ...] = ()
    max_output: int = 2_000  # tokens
    temperature: float = 0.0
    effort: Effort = "low"  # of models that know it instead
    timeout_s: float = 60  # of one attempt
    key: str = ""  # idempotency key
    repairs: bool = True  # whether a model is told once what is wrong with its answer
    retry_after_max_s: float = 8.0  # longer waits that a provider asks for are not waited for

    def without_secrets(self) -> "Request":
        """Return the same question as it may leave."""
        messages = tuple(one.without_secrets() for one in self.messages)
        return replace(self, system=redact(self.system), messages=messages)


@dataclass(frozen=True)
class Usage:
    """Tokens of one request, in buckets that never overlap: their sum is the provider's total."""

    input: int = 0  # neither read from nor written to a cache
    cache_read: int = 0
    cache_write: int = 0
    cache_write_long: int = 0  # kept for an hour or longer
    output: int = 0  # without reasoning
    reasoning: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt + self.output + self.reasoning

    @property
    def prompt(self) -> int:
        """All tokens that were sent."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_long


@dataclass(frozen=True)
class Price:
    """USD per million tokens; `pilot.llm.prices` makes them."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    cache_write_long: Decimal
    long_from: int | None = None  # above so many sent tokens all tokens cost the long price
    long: "Price | None" = None
    row_id: UUID | None = None  # in the price table

    @classmethod
    def flat(cls, given: Decimal, output: Decimal) -> "Price":
        """Return a price without special prices of caches."""
        return cls(given, output, given, given, given)

    def rates(self, prompt: int) -> "Price":
        """Return the numbers that count when so many tokens are sent: these, or the long ones."""
        if self.long is None or self.long_from is None or prompt <= self.long_from:
            return self
        return self.long

    def cost(self, usage: Usage) -> Decimal:
        """Return what these tokens cost, in USD, exactly."""
        rates = self.rates(usage.prompt)
        return (
            usage.input * rates.input
            + usage.cache_read * rates.cache_read
            + usage.cache_write * rates.cache_write
            + usage.cache_write_long * rates.cache_write_long
            + (usage.output + usage.reasoning) * rates.output
        ) / PER


FREE = Price.flat(Decimal(0), Decimal(0))


@dataclass(frozen=True)
class Model:
    """A model that can be asked."""

    id: str  # as people choose it
    provider: str  # the name of a file in providers/
    name: str  # as the provider calls it
    price: Price | None = None  # None: unpriced, which is not free
    connection: Mapping[str, str] = field(default_factory=dict, repr=False)  # key, address ...
    offered_by: str = ""  # whose model it is; several providers may share an adapter
    tier: str | None = None
    window: int | None = None  # tokens
    max_output: int | None = None  # tokens
    flags: Mapping[str, Any] = field(default_factory=dict)  # see models.toml
    others: Mapping[str, Price] = field(default_factory=dict, repr=False)  # by what they are called

    def answering(self, said: str) -> str | None:
        """Return which known model a reply names, maybe with a date behind it; None: none."""
        known = [name for name in (self.name, *self.others) if said.startswith(name)]
        return max(known, key=len, default=None)

    def price_as(self, said: str | None) -> Price | None:
        """Return the price that counts when a reply names a model: of that one, if it has any.

        What costs nothing costs nothing under any name: servers of one's own borrow names.
        """
        if self.price is None or not (self.price.input or self.price.output) or said is None:
            return self.price
        return self.others.get(self.answering(said) or "", self.price)


@dataclass(frozen=True)
class Reply:
    """What a provider answered to one request."""

    text: str
    calls: tuple[ToolCall, ...]
    stop: Stop
    billed: str  # the model that the reply names
    usage: Usage | None  # None: the provider did not say
    request_id: str | None = None
    flags: tuple[str, ...] = ()
