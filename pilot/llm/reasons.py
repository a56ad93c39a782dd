"""Why a call to a model failed, and what a failed call tells."""

from enum import StrEnum

from pilot.errors import ErrorClass


class FailureReason(StrEnum):
    """Why one attempt at a model gave nothing that could be used."""

    SCHEMA = "schema"  # the answer has not the shape that was asked for
    SEMANTIC = "semantic"  # the right shape, the wrong content
    REFUSAL = "refusal"
    TRUNCATED = "truncated"  # the output limit, or a prompt too long for the model
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    API = "api"  # the provider failed, or its reply cannot be read
    AUTH = "auth"
    CONFIG = "config"
    BUDGET = "budget"  # the gate refused: nothing was sent


R = FailureReason
CLASSES = {
    R.SCHEMA: ErrorClass.SCHEMA,
    R.SEMANTIC: ErrorClass.SEMANTIC,
    R.REFUSAL: ErrorClass.REFUSAL,
    R.TRUNCATED: ErrorClass.TRUNCATED,
    R.TIMEOUT: ErrorClass.TIMEOUT,
    R.RATE_LIMIT: ErrorClass.RATE_LIMIT,
    R.API: ErrorClass.SERVER,
    R.AUTH: ErrorClass.AUTH,
    R.CONFIG: ErrorClass.CONFIG,
    R.BUDGET: ErrorClass.BUDGET,
}
# A person has to act: another model would only hide the fault.
NEVER_ON = frozenset({R.AUTH, R.CONFIG, R.BUDGET})


class ModelFaultError(Exception):
    """One request to a provider failed; nothing of its answer can be used."""

    def __init__(
        self,
        reason: FailureReason,
        message: str,
        *,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        too_long: bool = False,
        maybe_billed: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.too_long = too_long  # the prompt is larger than the model's window
        # The provider may have done the work: what was reserved counts as spent.
        self.maybe_billed = reason is R.TIMEOUT if maybe_billed is None else maybe_billed
