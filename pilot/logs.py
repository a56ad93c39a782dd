"""The process' log: one JSON object a line on standard error, without secrets or local values."""

import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from pilot.redaction import redact


def configure() -> None:
    """Set the form of all log lines of this process."""
    traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(traces),
            _redacted,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _redacted(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    clean: dict[str, Any] = redact(dict(line))
    return clean
