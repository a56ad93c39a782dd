"""The header Retry-After: how long a receiver asks to wait."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 10 * 366 * 86_400.0  # any longer is as good as never
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")  # some give parts of a second


def seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long to wait; None: it is not said, or not so that it counts.

    A date counts from the receiver's own date, as clocks differ; from ours where it tells none.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_S)
    until = _moment(text)
    if until is None:
        return None
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), LONGEST_S)


def _moment(text: str) -> datetime | None:
    """Return the moment of a date in any of the three forms of HTTP: all are in UTC."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # such as of a year of many digits
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
