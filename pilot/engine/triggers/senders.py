"""What webhooks receive, and how its senders prove that they know the secret."""

import hmac
from dataclasses import dataclass
from typing import NoReturn

from pilot.engine.secrets import signatures
from pilot.errors import UnsignedError


@dataclass(frozen=True)
class Message:
    """A request as it came in; nothing of it is believed yet."""

    id: str
    timestamp: str
    signature: str
    body: bytes
    address: str
    request_id: str
    authorization: str = ""


def check_bearer(authorization: str, known: list[str]) -> None:
    """Refuse a header that holds none of the known secrets."""
    scheme, _, given = authorization.partition(" ")
    offered = given.strip().encode(errors="replace")
    found = [hmac.compare_digest(one.encode(), offered) for one in known]
    if scheme.lower() != "bearer" or not any(found):
        unsigned("Send the webhook's secret as Authorization: Bearer whsec_...")


def check_signature(message: Message, known: list[str], now: float) -> None:
    """Refuse a message that is not signed with one of the known secrets, or not just now."""
    if not (message.id and message.timestamp and message.signature):
        unsigned("Send webhook-id, webhook-timestamp and webhook-signature.")
    digits = message.timestamp
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        unsigned("webhook-timestamp is the time in seconds since 1970.")
    if abs(int(digits) - now) > signatures.TOLERANCE_S:
        unsigned("webhook-timestamp is more than 5 minutes from now: sign it again.")
    right = signatures.is_signed(message.signature, known, message.id, int(digits), message.body)
    if not right:
        unsigned("No signature is right: sign id, timestamp and body with the webhook's secret.")


def unsigned(reason: str) -> NoReturn:
    """Refuse a message: its sender did not prove to know the secret."""
    raise UnsignedError(reason)
