"""Applies fixes: one that a person chose, or unasked all that have no alternative."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import jsonpatch

from pilot.errors import InvalidError, Issue, type_json

MAX_PASSES = 3
# Their fixes are one way among others: only a person chooses them.
ASKED = frozenset({"E_PARAM_MISSING", "W_EMPTY_INPUT", "W_NOT_CONNECTED"})


@dataclass(frozen=True)
class Repaired:
    """A document after its repair."""

    document: dict[str, Any]
    applied: list[Issue] = field(default_factory=list)  # whose fixes were applied
    issues: list[Issue] = field(default_factory=list)  # that are left

    @property
    def counts(self) -> dict[str, int]:
        """How many fixes were applied, per code."""
        return dict(Counter(issue.code for issue in self.applied))

    @property
    def notes(self) -> list[Issue]:
        """A warning W_COERCED for each fix, to show what was changed."""
        return [
            Issue(
                "W_COERCED", one.path, f"Repaired: {one.message}", got=one.code, severity="warning"
            )
            for one in self.applied
        ]


def apply_fix(document: dict[str, Any], issue: Issue) -> dict[str, Any]:
    """Return the document with the issue's fix.

    Raises:
        InvalidError: it has no fix, or the document has changed so that the fix no longer fits.
    """
    patched = _patched(document, issue)
    if patched is None:
        message = "This fix does not fit the document any more: check it again."
        raise InvalidError([Issue(issue.code, issue.path, message)], message)
    return patched


def repair(document: dict[str, Any], check: Callable[[type_json], list[Issue]]) -> Repaired:
    """Apply, in up to three passes, the fixes of `check` that have no alternative."""
    applied: list[Issue] = []
    issues = check(document)
    for _ in range(MAX_PASSES):
        chosen = _choose(issues)
        for issue in chosen:
            patched = _patched(document, issue)
            if patched is not None:
                document = patched
                applied.append(issue)
        if not chosen:
            break
        issues = check(document)
    return Repaired(document, applied, issues)


def _choose(issues: list[Issue]) -> list[Issue]:
    """Take fixes that touch different places; last those that move elements of a list.

    Of these it is one, or all that insert one element each: the last first, so places still fit.
    """
    chosen: list[Issue] = []
    touched: list[str] = []
    shifting: list[Issue] = []
    for issue in issues:
        if not issue.fix or issue.code in ASKED:
            continue
        places = [one[key] for one in issue.fix for key in ("path", "from") if key in one]
        if any(_overlap(place, other) for place in places for other in touched):
            continue
        if any(_shifts(one) for one in issue.fix):
            if not shifting or (_inserts(issue) and all(map(_inserts, shifting))):
                shifting.append(issue)
            continue
        touched += places
        chosen.append(issue)
    return [*chosen, *reversed(shifting)]


def _inserts(issue: Issue) -> bool:
    return [one["op"] for one in issue.fix or ()] == ["add"]


def _overlap(place: str, other: str) -> bool:
    return place == other or place.startswith(f"{other}/") or other.startswith(f"{place}/")


def _shifts(change: dict[str, Any]) -> bool:
    last = str(change["path"]).rpartition("/")[2]
    return change["op"] in {"add", "remove", "move"} and last.isdecimal()


def _patched(document: dict[str, Any], issue: Issue) -> dict[str, Any] | None:
    if not issue.fix:
        return None
    try:
        patched: dict[str, Any] = jsonpatch.apply_patch(deepcopy(document), issue.fix)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        return None
    return patched
