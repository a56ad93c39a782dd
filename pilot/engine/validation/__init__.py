"""Checks what a document means, against the catalogue; one module per concern."""

from collections.abc import Iterable, Iterator
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
    required_approvals,
    reshaping,
    results,
    secrets,
)
from pilot.engine.validation.context import Context
from pilot.engine.validation.repairing import Repaired, apply_fix
from pilot.engine.workflow import document as documents
from pilot.engine.workflow import outline, shape
from pilot.errors import BadJsonError, InvalidError, Issue, type_json

__all__ = ["MAX_STEPS", "Repaired", "apply_fix", "repair", "validate", "with_approvals"]

MAX_STEPS = 50
_CHECKS = (
    order.check,
    references.check,
    repeats.check,
    expressions.check,
    reshaping.check,
    actions.check,
    approvals.check,
    required_approvals.check,
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
    in how many other documents this one stands. More errors than anybody reads are not looked for:
    once there are `shape.MAX_ERRORS`, the last issue says that there may be more.
    """
    if isinstance(document, str | bytes):
        try:
            document = documents.decode(document)
        except InvalidError as error:
            return error.issues
    elif too_large := documents.too_large(document):
        return [too_large]
    if isinstance(document, dict):
        count = outline.entries(document.get("steps"))
        if count > documents.MAX_STEPS_CEILING:
            return [identity.too_many(count, max_steps)]
    _, found_first = documents.read(document)
    if not isinstance(document, dict) or any(issue.code == "E_FORMAT" for issue in found_first):
        return found_first
    context = Context(document, catalogue)
    try:
        within = partial(validate, max_steps=max_steps, depth=depth + 1)
        parts = (
            identity.check(context, max_steps),
            _meaning(context),
            inner.check(context, within, depth),
        )
        found = _first(issue for part in parts for issue in part)
    except BadJsonError as error:  # nested deeper than any decoded document
        return [Issue("E_JSON", "", error.message)]
    return _in_order(context, found_first, found)


def repair(
    document: dict[str, Any], catalogue: Catalogue, *, max_steps: int = MAX_STEPS
) -> Repaired:
    """Apply every fix that has no alternative, in at most three passes, without a model.

    Returns the repaired document, each issue whose fix was applied, and the issues that are left.
    """
    return repairing.repair(document, lambda one: validate(one, catalogue, max_steps=max_steps))


def with_approvals(
    document: dict[str, Any], catalogue: Catalogue, *, max_steps: int = MAX_STEPS
) -> dict[str, Any]:
    """Return the document with the approvals that its effects need and lack."""

    def lacking(one: type_json) -> list[Issue]:
        found = validate(one, catalogue, max_steps=max_steps)
        return [issue for issue in found if issue.code == required_approvals.CODE]

    return repairing.repair(document, lacking).document


def _first(issues: Iterable[Issue]) -> list[Issue]:
    """Return the issues up to so many errors as anybody reads."""
    found: list[Issue] = []
    errors = 0
    for issue in issues:
        found.append(issue)
        errors += issue.severity == "error"
        if errors == shape.MAX_ERRORS:
            return [*found, shape.MORE]
    return found


def _meaning(context: Context) -> Iterator[Issue]:
    for check in _CHECKS:
        yield from check(context)


def _in_order(context: Context, shaped: list[Issue], found: list[Issue]) -> list[Issue]:
    """Sort by step; of two issues of the shape at one place the one with a fix stays."""
    named = {(issue.code, issue.path) for issue in found}
    kept = [issue for issue in shaped if issue.fix or (issue.code, issue.path) not in named]
    unique = {(one.code, one.path, one.message): one for one in (*kept, *found)}
    bodies = {"/steps", *(node.path.rpartition("/")[0] for node in context.nodes)}
    found = sorted(unique.values(), key=lambda issue: _place(issue.path, bodies))
    return [
        *(one for one in found if one is not shape.MORE),
        *(one for one in found if one is shape.MORE),
    ]


def _place(path: str, bodies: set[str]) -> list[tuple[int, str]]:
    """Return where the innermost step stands that a path leads into; first what is in none."""
    while path and path.rpartition("/")[0] not in bodies:
        path = path.rpartition("/")[0]
    parts = path.split("/")[1:]
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
