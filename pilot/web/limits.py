"""How often a visitor may change something, and a program ask: counted in Redis, or in here."""

from typing import Any

from flask import Flask, request
from flask_limiter import ApplicationLimit, Limiter
from limits.storage import RedisStorage

from pilot.jobs import TIMEOUT_S
from pilot.views import is_api, visitor
from pilot.web.security import UNSAFE

WRITES = "120 per minute"
REQUESTS = "600 per minute"


class OnlyRedis(RedisStorage):
    """Takes the place of the storage that loads every client that could be: one takes 10 MB."""

    STORAGE_SCHEME = ["redis", "rediss", "redis+unix"]  # noqa: RUF012  # as the original has it
    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012


def _who() -> str:
    who = visitor()
    if who.token is not None:
        return f"token {who.token.id}"
    return who.get_id() or request.remote_addr or "unknown"


def install(app: Flask, redis_url: str) -> None:
    """Limit the unsafe requests of each visitor; who asks too often gets 429 (pilot.web.errors)."""
    options: Any = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    Limiter(
        _who,
        app=app,
        application_limits=[
            ApplicationLimit(
                WRITES, exempt_when=lambda: is_api() or request.method not in UNSAFE, scope="writes"
            ),
            ApplicationLimit(REQUESTS, exempt_when=lambda: not is_api(), scope="api"),
        ],
        storage_uri=redis_url.replace("unix://", "redis+unix://", 1),
        storage_options=options,
        in_memory_fallback_enabled=True,  # a lost Redis forgets at most one minute
        swallow_errors=True,  # of requests that were asking it at that moment: those pass
        key_prefix="pilot",
    )
