"""Turns "if the total is above 100" into a condition over what earlier steps give."""

import re
from collections.abc import Callable, Sequence

from pilot.engine.clause_planner import literals
from pilot.engine.clause_planner.binding import Call
from pilot.engine.clause_planner.described import Output
from pilot.engine.clause_planner.words import normal, normals
from pilot.engine.validation import schemas

LEAST_SHARE = 0.5  # of a field's name that the condition says
_LEAD = re.compile(
    r"^(?:but\s+)?(?:only\s+)?(if|when|in case|provided(?: that)?|unless)\s+", re.IGNORECASE
)
_COMPARED = (
    (re.compile(r"\b(?:at least|or more|no less than|not less than)\b", re.IGNORECASE), ">="),
    (re.compile(r"\b(?:at most|or less|no more than|not more than)\b", re.IGNORECASE), "<="),
    (re.compile(r"\b(?:more|greater|higher|larger|over|above|exceeds?)\b", re.IGNORECASE), ">"),
    (re.compile(r"\b(?:less|lower|smaller|below|under|fewer)\b", re.IGNORECASE), "<"),
    (re.compile(r"\b(?:is|are) not\b|\b(?:differs?|other than)\b", re.IGNORECASE), "!="),
    (re.compile(r"\b(?:is|are|equals?|says?)\b", re.IGNORECASE), "=="),
)
_NOTHING = re.compile(r"\b(?:no|none|nothing|empty|not any|zero)\b", re.IGNORECASE)
_SOMETHING = re.compile(r"\b(?:there (?:is|are)|any|some|found|exists?)\b", re.IGNORECASE)

Refer = Callable[[int, Output], str]


def expression(text: str, before: Sequence[Call], refer: Refer) -> str | None:
    """Return the expression of a condition, or None if it speaks of nothing known.

    Args:
        text: the clause, from its "if" on.
        before: the earlier calls.
        refer: how a field of one is written.
    """
    lead = _LEAD.match(text)
    body = text[lead.end() :] if lead else text
    found = _compared(body, before, refer) or _counted(body, before, refer)
    if found is None:
        return None
    negated = lead is not None and lead[1].lower() == "unless"
    return f"not ({found})" if negated else found


def _compared(body: str, before: Sequence[Call], refer: Refer) -> str | None:
    stated = [one for one in literals.values(body) if one.kind in {"number", "text", "name"}]
    sign = next((sign for pattern, sign in _COMPARED if pattern.search(body)), None)
    if not stated or sign is None:
        return None
    value = stated[-1]
    is_number = value.kind == "number"
    if not is_number and sign not in {"==", "!="}:
        return None
    wanted = {"type": "number"} if is_number else {"type": "string"}
    field = _field(body[: value.start], before, wanted)
    if field is None:
        return None
    right = str(value.value) if is_number else "'" + str(value.value).replace("'", "\\'") + "'"
    return f"{refer(*field)} {sign} {right}"


def _counted(body: str, before: Sequence[Call], refer: Refer) -> str | None:
    if not (_NOTHING.search(body) or _SOMETHING.search(body)):
        return None
    field = _field(body, before, {"type": "array"})
    if field is None:
        return None
    return f"len({refer(*field)}) {'==' if _NOTHING.search(body) else '>'} 0"


def _field(text: str, before: Sequence[Call], wanted: dict[str, str]) -> tuple[int, Output] | None:
    """Return the newest field of a type whose name the text says best."""
    said = set(normals(text))
    best: tuple[float, int, Output] | None = None
    for number, call in enumerate(before):
        for output in call.action.outputs:
            words = {normal(word) for word in output.leaf}
            share = len(words & said) / len(words) if words else 0.0
            fits = len(output.path) == 1 and schemas.fits(output.schema, wanted)
            if fits and share >= LEAST_SHARE and (best is None or share >= best[0]):
                best = (share, number, output)
    return (best[1], best[2]) if best else None
