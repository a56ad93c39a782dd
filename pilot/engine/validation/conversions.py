"""How an expression of one type is written so that it gives another, where only one way exists."""

from typing import Any

from pilot.engine.validation import schemas
from pilot.engine.validation.schemas import Schema


def convert(expression: str, given: Schema, wanted: Schema) -> Any:
    """Return the value for the parameter: a template, or a list with one; None if it is unclear."""
    text = expression.strip()
    if schemas.fits({"type": "array", "items": given}, wanted):
        return [f"{{{{{text}}}}}"]
    written = in_expression(text, given, wanted)
    return None if written is None else f"{{{{{written}}}}}"


def in_expression(text: str, given: Schema, wanted: Schema) -> str | None:
    """Return the expression that gives the wanted type."""
    field = None if text.endswith(")") else _only_field(given, wanted)  # calls have no fields
    if field is not None:
        return f"{text}.{field}" if field.isidentifier() else f"{text}['{field}']"
    have, need = schemas.kinds(given), schemas.kinds(wanted)
    if have is None or need is None:
        return None
    if "string" in need and have <= {"integer", "number", "boolean"}:
        return f"text({text})"
    if need & {"integer", "number"} and have == {"string"}:
        return f"number({text})"
    option = schemas.options(given)[0]
    if have == {"array"} and "array" not in need and schemas.fits(option.get("items"), wanted):
        return f"first({text})" if schemas.kinds(option.get("items")) else None
    return None


def _only_field(given: Schema, wanted: Schema) -> str | None:
    """Return the single field of an object that has the wanted type."""
    if schemas.kinds(given) != frozenset({"object"}) or schemas.kinds(wanted) is None:
        return None
    named = schemas.options(given)[0].get("properties", {})
    good = [k for k, part in named.items() if schemas.kinds(part) and schemas.fits(part, wanted)]
    return str(good[0]) if len(good) == 1 else None
