"""How many tokens a text has, without a tokenizer: rather a few too many than too few."""

import re
from math import ceil

from pilot import strictjson
from pilot.llm.messages import Request

MARGIN = 1.15
_PLAIN = (
    r"(?P<word>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<marks>[!-/:-@\[-`{-~]+)"
    r"|(?P<space>\s+)|(?P<other>[^\x00-\x7f]+)|(?P<control>[\x00-\x1f\x7f])"
)
# What looks like a code is found as a whole and judged then: looking ahead from each of its
# characters takes the square of their number, and a mail may be one long line of signs.
_PARTS = re.compile(rf"(?P<run>[A-Za-z0-9+/=_-]{{25,}})|{_PLAIN}")
_OF_A_RUN = re.compile(_PLAIN)
_LETTER, _DIGIT = re.compile("[A-Za-z]"), re.compile("[0-9]")
_ASTRAL = 0xFFFF


def estimate(text: str) -> int:
    """Return about how many tokens a text has."""
    return ceil(_sum(_PARTS, text))


def _sum(pattern: re.Pattern[str], text: str) -> float:
    return sum(_part(str(one.lastgroup), one.group()) for one in pattern.finditer(text))


def _part(kind: str, text: str) -> float:
    size = len(text)
    if kind == "run":  # a code has letters and digits
        return size / 1.5 if _LETTER.search(text) and _DIGIT.search(text) else _sum(_OF_A_RUN, text)
    if kind == "other":
        return sum(len(c.encode("utf-8", "replace")) / _bytes_a_token(c) for c in text)
    counts: dict[str, float] = {
        "word": 1 if size <= 8 else size / 6,
        "digits": ceil(size / 3),
        "marks": max(1, size / 2.6),
        "control": 1,
    }
    return counts.get(kind, 0)


def _bytes_a_token(character: str) -> float:
    return 1.3 if ord(character) > _ASTRAL else 3.4


def of_request(request: Request) -> int:
    """Return about how many tokens a request sends."""
    parts = [request.system]
    for message in request.messages:
        parts.append(message.text)
        parts += [f"{call.name} {strictjson.dumps(call.params)}" for call in message.calls]
        parts += [result.text for result in message.results]
    parts += [f"{t.name} {t.summary} {strictjson.dumps(t.params_schema)}" for t in request.tools]
    if request.schema is not None:
        parts.append(strictjson.dumps(request.schema))
    return sum(map(estimate, parts)) + 4 * len(request.messages)


def at_most(request: Request) -> int:
    """Return the number of prompt tokens that a reservation counts with."""
    return ceil(of_request(request) * MARGIN) + 20
