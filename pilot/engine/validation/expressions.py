"""Expressions that do not compile, and conditions that are neither true nor false."""

from collections.abc import Iterator

from pilot.engine.language.step_fields import CONDITIONS
from pilot.engine.validation import reshaping, schemas, types
from pilot.engine.validation.context import Context, Use
from pilot.errors import Issue


def check(context: Context) -> Iterator[Issue]:
    """Yield E_EXPRESSION, E_OPERATOR, E_CONDITION_TYPE and what transforms say of themselves."""
    for use in context.uses:
        yield from (reshaping.placed(use, issue) for issue in use.compiled.issues)
        text = use.written.value
        if not use.compiled.failed and use.written.kind in CONDITIONS and isinstance(text, str):
            yield from _condition(context, use, text)


def _condition(context: Context, use: Use, text: str) -> Iterator[Issue]:
    given = types.of_text(context, text, use.compiled.reads)
    found = schemas.kinds(given)
    if found is None or "boolean" in found:
        return
    got = schemas.in_words(given)
    message = f"A condition is true or false; this is {got}. Compare it: {text.strip()[:60]} == ..."
    if found == {"array"}:
        message = f"A condition is true or false; this is {got}. Ask: not is_empty({text.strip()})"
    yield Issue("E_CONDITION_TYPE", use.path, message, expected="true or false", got=got)
