"""Every error that crosses a module: whose fault it is and what the caller may do."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

type_json = Any  # decoded JSON: dict, list, str, int, float, bool or None

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Issue:
    """One problem in a document, a form or a body.

    `path` is a JSON Pointer; `fix` is a JSON Patch (list of operations) or None.
    """

    code: str
    path: str
    message: str
    expected: str | None = None
    got: str | None = None
    fix: list[dict[str, Any]] | None = field(default=None)
    severity: Severity = "error"


@dataclass(frozen=True)
class Obstacle(Issue):
    """What keeps an agent from being started; `path` leads into the inputs or the workflow."""

    where: str = ""  # inputs, workflow, connection, people or model
    step: str = ""  # id of the step that it concerns, or empty: the agent
    link: str = ""  # the page that removes it, or empty


class ErrorClass(StrEnum):
    """Why a step failed; retry policies and pages name these."""

    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    SERVER = "server"
    AUTH = "auth"
    CONFIG = "config"
    INPUT = "input"
    REFERENCE = "reference"
    EXPRESSION = "expression"
    SCHEMA = "schema"
    SEMANTIC = "semantic"
    REFUSAL = "refusal"
    TRUNCATED = "truncated"
    BUDGET = "budget"
    LIMIT = "limit"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    EXPIRED = "expired"
    LOOP_DETECTED = "loop_detected"
    OUTPUT_TOO_LARGE = "output_too_large"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class PilotError(Exception):
    """Base of all errors with a message that a user may read."""

    status = 500
    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(PilotError):
    """Absent or not yours: alike."""

    status, code = 404, "not_found"


class UnsignedError(PilotError):
    """A webhook's request whose signature, time or headers are not right."""

    status, code = 401, "unsigned"


class ForbiddenError(PilotError):
    """Known to you, not allowed."""

    status, code = 403, "forbidden"


class ConflictError(PilotError):
    """Wrong state, or a form made from an older one; `present` is what holds now."""

    status, code = 409, "conflict"

    def __init__(self, message: str, present: type_json = None) -> None:
        super().__init__(message)
        self.present = present


class CrowdedError(ConflictError):
    """As many executions with its key go on as may."""


class InProgressError(ConflictError):
    """The first request with an idempotency key is still being worked on."""

    code = "in_progress"
    retry_after_s = 1


class PreconditionError(PilotError):
    """A change has to say which state it was made from (If-Match)."""

    status, code = 428, "precondition"


class StaleError(ConflictError):
    """The state that a change was made from is not the present one."""

    status, code = 412, "stale"


class GoneError(PilotError):
    """An expired link or approval."""

    status, code = 410, "gone"


class InvalidError(PilotError):
    """Input that cannot be accepted, with every issue found."""

    status, code = 422, "invalid"

    def __init__(self, issues: list[Issue], message: str | None = None) -> None:
        super().__init__(message or "; ".join(issue.message for issue in issues) or "Invalid.")
        self.issues = issues


class CodeNeededError(PilotError):
    """The password is right; `proof` says so to the second step of the sign-in."""

    status, code = 401, "code_needed"

    def __init__(self, proof: str) -> None:
        super().__init__("Give the code of your app too.")
        self.proof = proof


class RateLimitedError(PilotError):
    """Too many requests; try again after `retry_after_s` seconds."""

    status, code = 429, "rate_limited"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnavailableError(PilotError):
    """The database or the queue is away."""

    status, code = 503, "unavailable"


class ConfigError(PilotError):
    """The environment is wrong: a port in use, a folder not writable, a server that is away."""

    status, code = 500, "config"


class BadJsonError(PilotError):
    """Text that the strict decoder refuses; `offset` is a byte position where known."""

    status, code = 400, "bad_json"

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True)
class Hold:
    """What a step has to wait for before it is tried again, through no fault of its own."""

    kind: str  # retry: a time; turn: its turn; reconnect: that its connection is mended
    seconds: float | None = None  # at most; None: as long as the settings say
    asked: dict[str, Any] = field(default_factory=dict)  # connection (id), its label


class StepError(PilotError):
    """A step failed; its class decides whether it is retried."""

    def __init__(
        self,
        error_class: ErrorClass,
        message: str,
        *,
        code: str | None = None,
        retry_after_s: float | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.remote_code = code
        self.retry_after_s = retry_after_s
        self.sent = sent  # False: the request provably never left
        self.hold: Hold | None = None


class PluginError(StepError):
    """An action failed, with one of the classes of `ErrorClass`."""


class OutcomeUnknownError(PluginError):
    """Nobody can tell whether the action had its effect: a person says."""


class ModelError(StepError):
    """Every attempt at a model failed."""


UNITS = ("usd", "tokens")


class BudgetError(StepError):
    """A call could cost more than the budget has left: it was not sent.

    `facts`: model, needs_usd, limit_usd, left_usd, reserved_usd (decimal texts or None),
    needs_tokens, limit_tokens, left_tokens, reserved_tokens (numbers or None), payer. What other
    calls have reserved counts as left.
    """

    def __init__(self, message: str, facts: dict[str, Any]) -> None:
        super().__init__(ErrorClass.BUDGET, message, code="budget", sent=False)
        self.facts = facts

    @property
    def passing(self) -> bool:
        """Whether it may fit once the calls under way are settled, below what they reserved."""
        kinds = [(self.facts[f"needs_{one}"], self.facts[f"left_{one}"]) for one in UNITS]
        return all(left is None or Decimal(needs) <= Decimal(left) for needs, left in kinds)


class ExpressionError(PilotError):
    """An expression that cannot be compiled or evaluated; `column` counts from 1."""

    status, code = 422, "expression"

    def __init__(
        self, message: str, column: int | None = None, *, error_class: ErrorClass | None = None
    ) -> None:
        super().__init__(message)
        self.column = column
        self.error_class = error_class or ErrorClass.EXPRESSION


class FencedError(PilotError):
    """Another worker owns the execution: drop everything, write nothing."""
