"""Asks models: a chain of them, with repair, repetition and fallback by the kind of failure.

Every attempt passes the gate before it is sent and is told to the gate when it ended.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid4

from pilot.errors import BudgetError, ErrorClass, ModelError
from pilot.llm import providers, tokens, wire
from pilot.llm.messages import Message, Model, Reply, Request, Role, ToolCall, Usage
from pilot.llm.reasons import CLASSES, NEVER_ON, FailureReason, ModelFaultError

MAX_ATTEMPTS = 6
PAUSE_S = (0.2, 0.5)
NO_TOKENS = Usage()
STOPS = {
    "truncated": FailureReason.TRUNCATED,
    "context": FailureReason.TRUNCATED,
    "refusal": FailureReason.REFUSAL,
    "unfinished": FailureReason.API,
}


@dataclass(frozen=True)
class Attempt:
    """One attempt at a model: planned, then ended."""

    id: UUID
    number: int
    role: Role
    intent: str | None
    provider: str
    model_asked: str
    key: str
    reserved: Decimal | None  # USD at worst; None: unpriced
    reserved_tokens: int = 0  # at worst
    routing: Mapping[str, Any] = field(default_factory=dict)  # why this model
    ended: bool = False
    model_billed: str | None = None
    usage: Usage = NO_TOKENS
    flags: tuple[str, ...] = ()
    cost: Decimal | None = None  # USD; None: unpriced
    latency_ms: int | None = None
    reason: FailureReason | None = None  # None: it gave an answer that could be used
    message: str = ""
    http_status: int | None = None
    issues: tuple[str, ...] = ()
    stop: str | None = None
    request_id: str | None = None


class Gate(Protocol):
    """Who has to know of each attempt, and may refuse it."""

    def allows(self, model: Model) -> bool:
        """Whether a model may be asked now; False: it rests after too many failures."""

    def open(self, attempt: Attempt) -> None:
        """Book an attempt before it is sent.

        Raises:
            BudgetError: it could take more than is left; a cheaper model may do.
            StepError: it must not be sent.
        """

    def close(self, attempt: Attempt) -> None:
        """Take note of how it ended."""


@dataclass(frozen=True)
class Response:
    """The answer that was taken, and every attempt that led to it."""

    value: Any
    text: str
    calls: tuple[ToolCall, ...]
    attempts: tuple[Attempt, ...]

    @property
    def taken(self) -> Attempt:
        """The attempt whose answer it is."""
        return self.attempts[-1]

    @property
    def total_tokens(self) -> int:
        """Tokens of all attempts."""
        return sum(one.usage.total for one in self.attempts)

    @property
    def cost(self) -> Decimal | None:
        """USD of all attempts; None if the price of one is unknown."""
        costs = [one.cost for one in self.attempts]
        return None if None in costs else sum(filter(None, costs), Decimal(0))


class Reading(NamedTuple):
    """What a reply means, and what is wrong with it; without issues it is taken."""

    value: Any
    issues: list[str]
    reason: FailureReason = FailureReason.SCHEMA  # of the issues


Read = Callable[[Reply], Reading]


def complete(
    request: Request,
    chain: Sequence[Model],
    gate: Gate,
    read: Read,
    cheaper: Sequence[Model] = (),
) -> Response:
    """Ask the models of a chain in turn until one gives an answer that `read` takes.

    When the gate refuses one for its cost, those of `cheaper` that cost less are asked instead.

    Raises:
        ModelError: none did; the class is that of the last failure, the message names all.
        BudgetError: the gate refused for the cost, also of what is cheaper, or for now alone.
        StepError: the gate refused.
    """
    course = _Course(request, gate, read)
    for place, model in enumerate(chain):
        if not course.may_ask(model):
            continue
        try:
            response = course.ask(model, "fallback" if place else request.role)
        except BudgetError as error:
            if error.passing:
                raise
            return course.ask_cheaper(model, cheaper, error)
        if response is not None:
            return response
        if course.attempts[-1].reason in NEVER_ON:
            break
    raise course.error()


@dataclass
class _Course:
    """One way through a chain."""

    request: Request
    gate: Gate
    read: Read
    attempts: list[Attempt] = field(default_factory=list)
    retry_after_s: float | None = None
    overfull: list[Model] = field(default_factory=list)  # their windows were too small
    resting: list[Model] = field(default_factory=list)  # they failed too often just now
    refused: Model | None = None  # for its cost

    def may_ask(self, model: Model) -> bool:
        """Tell whether a model has room for the prompt and does not rest."""
        if self._is_too_small(model):
            return False
        if not self.gate.allows(model):
            self.resting.append(model)
            return False
        return True

    def ask_cheaper(self, refused: Model, spare: Sequence[Model], error: BudgetError) -> Response:
        """Ask what costs less than a model that was refused, the dearest of it first.

        Raises:
            BudgetError: all of it is refused too, or there is nothing.
            ModelError: what was asked gave no answer that could be used.
        """
        self.refused = refused
        for model in self._below(refused, spare):
            if not self.may_ask(model):
                continue
            try:
                response = self.ask(model, "fallback" if self.attempts else self.request.role)
            except BudgetError as again:
                error = again
                continue
            if response is not None:
                return response
            raise self.error()
        raise error

    def _below(self, refused: Model, spare: Sequence[Model]) -> list[Model]:
        """Return the models that would cost less, the dearest first."""
        most = _worst(self.request, refused)
        costs = [(_worst(self.request, one), one) for one in spare]
        less = [(cost, one) for cost, one in costs if cost is not None and cost < (most or 0)]
        return [one for _, one in sorted(less, key=lambda each: each[0], reverse=True)]

    def _is_too_small(self, model: Model) -> bool:
        """Tell whether the prompt is known to be too long for a model."""
        windows = [one.window for one in self.overfull if one.window is not None]
        return bool(windows) and model.window is not None and model.window <= max(windows)

    def ask(self, model: Model, role: Role) -> Response | None:
        """Ask one model, again where its failure allows that; None: on to the next model."""
        request, done = self.request, set[FailureReason]()
        while len(self.attempts) < MAX_ATTEMPTS:
            attempt, reply, value = self._attempt(request, model, role)
            self.attempts.append(attempt)
            reason = attempt.reason
            if reason is None and reply is not None:
                return Response(value, reply.text, reply.calls, tuple(self.attempts))
            again = None
            if reason is not None and reason not in done:
                again = self._again(request, model, reply)
            if reason is None or again is None:
                return None
            done |= {reason}
            if reason in {FailureReason.SCHEMA, FailureReason.SEMANTIC}:
                done |= {FailureReason.SCHEMA, FailureReason.SEMANTIC}
                role = "repair"
            request = again
        return None

    def _again(self, request: Request, model: Model, reply: Reply | None) -> Request | None:
        """Return what the same model is sent once more, or None."""
        attempt = self.attempts[-1]
        match attempt.reason:
            case FailureReason.SCHEMA | FailureReason.SEMANTIC if reply is not None:
                repair = _repair(request, reply, attempt.issues)
                return repair if self.request.repairs else None
            case FailureReason.TRUNCATED if reply is not None and reply.stop == "truncated":
                longer = replace(request, max_output=request.max_output * 2)
                more = wire.max_output(longer, model) > wire.max_output(request, model)
                return longer if more else None
            case FailureReason.RATE_LIMIT:
                wait_s = self.retry_after_s
                if wait_s is None or wait_s > self.request.retry_after_max_s:
                    return None
                threading.Event().wait(wait_s)
                return request
            case FailureReason.API:
                threading.Event().wait(random.uniform(*PAUSE_S))  # noqa: S311 -- no secret
                return request
        return None

    def _attempt(
        self, request: Request, model: Model, role: Role
    ) -> tuple[Attempt, Reply | None, Any]:
        attempt = Attempt(
            uuid4(),
            len(self.attempts) + 1,
            role,
            request.intent,
            model.provider,
            model.id,
            request.key,
            _worst(request, model),
            tokens.at_most(request) + wire.max_output(request, model),
            self._routing(model),
        )
        self.gate.open(attempt)
        started = time.monotonic()
        try:
            reply = providers.load(model.provider).send(request.without_secrets(), model)
        except ModelFaultError as fault:
            self.retry_after_s = fault.retry_after_s
            self.overfull += [model] if fault.too_long else []
            attempt = replace(
                attempt,
                reason=fault.reason,
                message=fault.message,
                http_status=fault.http_status,
                cost=attempt.reserved if fault.maybe_billed else Decimal(0),
                flags=("cost_estimated",) if fault.maybe_billed else (),
            )
            reply, value = None, None
        else:
            attempt, value = self._judge(attempt, request, model, reply)
            self.overfull += [model] if reply.stop == "context" else []
        latency_ms = round((time.monotonic() - started) * 1000)
        attempt = replace(attempt, ended=True, latency_ms=latency_ms)
        self.gate.close(attempt)
        return attempt, reply, value

    def _routing(self, model: Model) -> dict[str, Any]:
        """Return why this model is asked now."""
        if model.provider == "scripted":
            return {"rule": "recorded"}
        found: dict[str, Any] = {"rule": "first"}
        if self.attempts:
            last = self.attempts[-1]
            found["rule"] = "again" if last.model_asked == model.id else "next"
            found["after"] = {"model": last.model_asked, "reason": last.reason}
        if self.refused is not None:
            found |= {"rule": "cheaper", "refused": self.refused.id}
        resting = [one.id for one in self.resting]
        return found | ({"resting": resting} if resting else {})

    def _judge(
        self, attempt: Attempt, request: Request, model: Model, reply: Reply
    ) -> tuple[Attempt, Any]:
        value, issues = None, list[str]()
        reason = STOPS.get(reply.stop)
        if reason is None:
            value, issues, why = self.read(reply)
            reason = why if issues else None
        usage, flags = reply.usage, reply.flags
        if usage is None:
            usage, flags = _estimated(request, reply), (*flags, "usage_estimated")
        price = model.price_as(reply.billed)
        cost = None if price is None else price.cost(usage)
        if wire.UNUSABLE in flags:  # nobody knows what will be billed: at most what was reserved
            cost, flags = attempt.reserved, (*flags, "cost_estimated")
        message = "; ".join(issues[:5]) or SAID.get(reply.stop, "")
        ended = replace(
            attempt,
            model_billed=reply.billed,
            usage=usage,
            flags=flags,
            cost=cost,
            reason=reason,
            message=message,
            issues=tuple(issues),
            stop=reply.stop,
            request_id=reply.request_id,
        )
        return ended, value

    def error(self) -> ModelError:
        """Return the error that names every failure."""
        if not self.attempts and self.resting:
            names = ", ".join(one.id for one in self.resting)
            text = f"{names} failed too often just now and will be asked again in a moment."
            return ModelError(ErrorClass.SERVER, text, sent=False)
        if not self.attempts:
            return ModelError(ErrorClass.CONFIG, "No model is set up.", sent=False)
        last = self.attempts[-1]
        told = [f"{one.model_asked}: {one.message or one.reason}" for one in self.attempts]
        text = "; ".join(dict.fromkeys(told))
        reason = last.reason or FailureReason.API
        return ModelError(
            CLASSES[reason],
            text if len(self.attempts) == 1 else f"{len(self.attempts)} attempts failed. {text}",
            code=str(reason),
            retry_after_s=self.retry_after_s if reason is FailureReason.RATE_LIMIT else None,
        )


SAID = {
    "truncated": "The answer was cut at the output limit.",
    "context": "The prompt is too long for the model.",
    "refusal": "The model refused to answer.",
    "unfinished": "The provider broke the answer off.",
}


def _worst(request: Request, model: Model) -> Decimal | None:
    """Return what an attempt costs at most."""
    return worst_cost(model, tokens.at_most(request), wire.max_output(request, model))


def worst_cost(model: Model, sent: int, made: int) -> Decimal | None:
    """Return what so many tokens cost at most, in USD; None: the model has no price."""
    if model.price is None:
        return None
    # Writing a cache may cost more than sending afresh.
    ways = (Usage(input=sent, output=made), Usage(cache_write=sent, output=made))
    return max(map(model.price.cost, ways))


def _estimated(request: Request, reply: Reply) -> Usage:
    return Usage(input=tokens.of_request(request), output=tokens.estimate(reply.text))


def _repair(request: Request, reply: Reply, issues: Sequence[str]) -> Request:
    """Return the same question once more, with the answer and what is wrong with it."""
    wrong = "\n".join(f"- {issue}" for issue in issues[:20])
    text = f"That answer cannot be used:\n{wrong}\nGive the whole answer again, corrected."
    said = Message("assistant", reply.text or "(empty)")
    return replace(request, messages=(*request.messages, said, Message("user", text)))
