"""Where a workflow may name a secret: headers and body of an HTTP request, and nowhere else."""

import re
from collections.abc import Iterator
from typing import Any

from pilot import strictjson
from pilot.egress.handles import HANDLE
from pilot.engine.language import references
from pilot.engine.language.pointers import texts
from pilot.errors import ErrorClass, StepError

SINKS = {"http.request": frozenset({"headers", "json", "text", "form"})}
MARK = "{{secret:"
_TOP = re.compile(r"/([^/]*)")
TELL = "name secrets in headers, json, text or form of http.request only"


def names(action: str, given: Any) -> frozenset[str]:
    """Return the secrets that the parameters of an action name; they were checked by `refuse`."""
    if action not in SINKS:
        return frozenset()
    return frozenset(name for _, text in texts(given) for name in HANDLE.findall(text))


def may_hold(action: str, path: str) -> bool:
    """Tell whether a parameter (JSON Pointer in the params) of an action may name secrets."""
    top = _TOP.match(path)
    return top is not None and top[1] in SINKS.get(action, ())


def refuse(action: str, written: Any, given: Any) -> None:
    """Refuse parameters that name a secret where none may be, or that got its name from data.

    `written` are the parameters as the workflow has them: only a name that stands there counts, so
    nobody who writes a mail or an input has a secret sent along.

    Raises:
        StepError: the reason (class input).
    """
    if MARK in strictjson.dumps(given):
        _refuse_others(action, given, dict(_written(action, written)))


def refuse_new(action: str, before: Any, given: Any) -> None:
    """Refuse parameters that a person changed if they name other secrets than before, or elsewhere.

    Raises:
        StepError: the reason (class input).
    """
    if MARK in strictjson.dumps(given):
        shown = {path: HANDLE.findall(text) for path, text in texts(before) if MARK in text}
        _refuse_others(action, given, shown)


def _refuse_others(action: str, given: Any, allowed: dict[str, list[str]]) -> None:
    for path, found in texts(given):
        if MARK in found and not may_hold(action, path):
            raise StepError(ErrorClass.INPUT, f"{path[1:]} names a secret: {TELL}.", sent=False)
        if HANDLE.findall(found) != allowed.get(path, []):
            raise _from_data(path[1:])
    if strictjson.dumps(given).count(MARK) != sum(len(found) for found in allowed.values()):
        raise _from_data("A name")


def _written(action: str, written: Any) -> Iterator[tuple[str, list[str]]]:
    for path, text in texts(written):
        if MARK in text and may_hold(action, path):
            yield path, references.handles(text)


def _from_data(place: str) -> StepError:
    text = f"{place} holds {MARK}...}}}} that came from data: secrets are named in the workflow."
    return StepError(ErrorClass.INPUT, text, sent=False)
