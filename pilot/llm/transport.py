"""How providers are reached: one request through the one client for foreign addresses."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pilot.egress import Egress, sdk
from pilot.errors import StepError
from pilot.llm import faults
from pilot.llm.messages import Model
from pilot.llm.reasons import FailureReason, ModelFaultError

MAX_REPLY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Connection:
    """What a model's connection says, complete. Its key is left out of every text."""

    model: Model

    @property
    def key(self) -> str:
        """The key.

        Raises:
            ModelFaultError: config; there is none.
        """
        key = self.model.connection.get("key", "")
        if not key:
            text = f"{faults.provider_of(self.model)} has no key: enter one under System config."
            raise ModelFaultError(FailureReason.CONFIG, text)
        return key

    @property
    def base_url(self) -> str:
        """The address.

        Raises:
            ModelFaultError: config; there is none.
        """
        url = self.model.connection.get("base_url", "")
        if not url:
            text = f"{faults.provider_of(self.model)} has no address: enter it under System config."
            raise ModelFaultError(FailureReason.CONFIG, text)
        return url

    def client(self, headers: Mapping[str, str], timeout_s: float) -> Any:
        """Return the client for one request, as an SDK takes it.

        `connection["allow"]` names the entries `host:port` that an administrator opened.
        """
        allow = self.model.connection.get("allow", "")
        egress = Egress((entry for entry in allow.split(",") if entry), follows=False)
        ends = time.monotonic() + timeout_s
        return sdk.client(egress, headers, deadline=ends, max_bytes=MAX_REPLY_BYTES)


@dataclass(frozen=True)
class Received:
    """The body of a reply, decoded strictly, and the id that the provider gave to the request."""

    body: Mapping[str, Any]
    request_id: str | None


@dataclass(frozen=True)
class Kit:
    """What differs between SDKs around a request."""

    status_error: type[Exception]  # for every status but success
    connection_error: type[Exception]  # for what the client raised, which is its cause
    id_header: str  # where the provider names the request


def exchange(model: Model, kit: Kit, create: Callable[[], Any]) -> Received:
    """Make one request with an SDK and return its reply; `create` returns a raw response.

    Raises:
        ModelFaultError: it failed, or its reply is no JSON object.
    """
    # Faults are not chained: what an SDK raises holds the request with its key.
    try:
        answered = create().http_response
    except kit.status_error as error:
        raise faults.of_status(model, vars(error)["response"]) from None
    except (StepError, kit.connection_error) as error:
        cause = error if isinstance(error, StepError) else error.__cause__
        if not isinstance(cause, StepError):
            raise
        raise faults.of_egress(model, cause) from None
    body = faults.object_of(model, answered.read())
    return Received(body, answered.headers.get(kit.id_header))
