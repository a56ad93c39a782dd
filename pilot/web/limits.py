"""How often one visitor may change something: counted in Redis, without it in this process."""

from typing import Any

from flask import Flask, request
from flask_limiter import Limiter

from pilot.jobs import TIMEOUT_S
from pilot.views import visitor
from pilot.web.security import UNSAFE

WRITES = "120 per minute"


def _who() -> str:
    return visitor().get_id() or request.remote_addr or "unknown"


def install(app: Flask, redis_url: str) -> None:
    """Limit the unsafe requests of each visitor; who asks too often gets 429 (pilot.web.errors)."""
    options: Any = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    Limiter(
        _who,
        app=app,
        application_limits=[WRITES],
        application_limits_exempt_when=lambda: request.method not in UNSAFE,
        storage_uri=redis_url.replace("unix://", "redis+unix://", 1),
        storage_options=options,
        in_memory_fallback_enabled=True,  # never open: a lost Redis forgets at most one minute
        key_prefix="pilot",
    )
