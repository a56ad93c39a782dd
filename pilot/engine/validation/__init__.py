"""Checks what a document means, against the catalogue; one module per concern."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from pilot.engine.language.catalogue import Catalogue
from pilot.engine.validation import (
    actions,
    approvals,
    compensations,
    effects,
    expressions,
    flow,
    holders,
    identity,
    inner,
    models,
    order,
    policies,
    references,
    repairing,
    repeats,
    reshaping,
    results,
    secrets,
)
from pilot.engine.validation.context import Context
from pilot.engine.validation.repairing import Repaired, apply_fix
from pilot.engine.workflow import document as documents
from pilot.errors import BadJsonError, InvalidError, Issue, type_json

__all__ = ["MAX_STEPS", "Repaired", "apply_fix", "repair", "validate"]

MAX_STEPS = 50
_CHECKS = (
    order.check,
    references.check,
    repeats.check,
    expressions.check,
    reshaping.check,
    actions.check,
    approvals.check,
    compensations.check,
    flow.check,
    holders.check,
    models.check,
    effects.check,
    results.check,
    secrets.check,
    policies.check,
)


def validate(
    document: type_json, catalogue: Catalogue, *, max_steps: int = MAX_STEPS, depth: int = 0
) -> list[Issue]:
    """Return every issue of a document (JSON value, or JSON or YAML text), in its order.

    Errors keep it a draft; warnings do not. `max_steps` is the setting of that name; `depth` says
    in how many other documents this one stands.
    """
    if isinstance(document, str | bytes):
        try:
            document = documents.decode(document)
        except InvalidError as error:
            return error.issues
    _, shape = documents.read(document)
    if not isinstance(document, dict) or any(issue.code == "E_FORMAT" for issue in shape):
        return shape
    context = Context(document, catalogue)
    try:
        found = [*identity.check(context, max_steps), *_meaning(context)]
        within = partial(validate, catalogue=catalogue, max_steps=max_steps, depth=depth + 1)
        found += inner.check(context, within, depth)
    except BadJsonError as error:  # nested deeper than any decoded document
        return [Issue("E_JSON", "", error.message)]
    return _in_order(context, shape, found)


def repair(
    document: dict[str, Any], catalogue: Catalogue, *, max_steps: int = MAX_STEPS
) -> Repaired:
    """Apply every fix that has no alternative, in at most three passes, without a model.

    Returns the repaired document, each issue whose fix was applied, and the issues that are left.
    """
    return repairing.repair(document, lambda one: validate(one, catalogue, max_steps=max_steps))


def _meaning(context: Context) -> Iterator[Issue]:
    for check in _CHECKS:
        yield from check(context)


def _in_order(context: Context, shape: list[Issue], found: list[Issue]) -> list[Issue]:
    """Sort by step; of two issues of the shape at one place the one with a fix stays."""
    named = {(issue.code, issue.path) for issue in found}
    kept = [issue for issue in shape if issue.fix or (issue.code, issue.path) not in named]
    unique = {(one.code, one.path, one.message): one for one in (*kept, *found)}
    bodies = {"/steps", *(node.path.rpartition("/")[0] for node in context.nodes)}
    return sorted(unique.values(), key=lambda issue: _place(issue.path, bodies))


def _place(path: str, bodies: set[str]) -> list[tuple[int, str]]:
    """Return where the innermost step stands that a path leads into; first what is in none."""
    while path and path.rpartition("/")[0] not in bodies:
        path = path.rpartition("/")[0]
    parts = path.split("/")[1:]
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
