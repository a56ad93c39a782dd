"""Signatures of webhooks as Standard Webhooks has them: HMAC-SHA256 over id, time and body."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SCHEME = "v1"
TOLERANCE_S = 300


def new_secret() -> str:
    """Return a new secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of one message: `v1,` and its digest in base64.

    Source: https://github.com/standard-webhooks/standard-webhooks, "signature scheme".
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"{SCHEME},{base64.b64encode(digest).decode()}"


def is_signed(given: str, known: Sequence[str], message_id: str, when: int, body: bytes) -> bool:
    """Tell whether one of the first 20 signatures in a header is of one of the known secrets.

    All are compared, each in a time that does not depend on it; other schemes count for nothing.
    """
    right = [sign(secret, message_id, when, body).encode() for secret in known]
    offered = [one.encode(errors="replace") for one in given.split(" ")[:20]]
    found = [hmac.compare_digest(one, other) for one in right for other in offered]
    return any(found)
