"""The process' log: one JSON object a line on standard error, without secrets or local values."""

import sys
from collections.abc import MutableMapping
from typing import Any

import psycopg
import structlog

from pilot.redaction import redact

_OF_SQLALCHEMY = "(Background on this error at"  # its messages end with it, after all parameters
# Messages of these hold values of the statement that was refused.
_QUOTING = frozenset(
    name
    for name, one in vars(psycopg.errors).items()
    if isinstance(one, type)
    and issubclass(one, psycopg.Error)
    and not issubclass(one, psycopg.OperationalError)  # tell what is wrong with the server
)


def configure() -> None:
    """Set the form of all log lines of this process."""
    traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(traces),
            _without_data,
            _redacted,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _without_data(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Leave out what a database says of a refused statement: it quotes the data."""
    for one in line.get("exception", ()):
        if one["exc_type"] in _QUOTING or _OF_SQLALCHEMY in one["exc_value"]:
            one["exc_value"] = "(not shown: it may quote what was to be stored)"
    return line


def _redacted(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    clean: dict[str, Any] = redact(dict(line))
    return clean
