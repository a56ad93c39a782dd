"""The inputs of an execution against the workflow's schema: defaults, form texts, issues."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pilot import strictjson
from pilot.engine.language import json_schemas, spelling
from pilot.engine.language.formats import EXAMPLES
from pilot.engine.language.pointers import pointer
from pilot.errors import BadJsonError, InvalidError, Issue, type_json

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_TRUE = {"true", "on", "yes", "1"}
_FALSE = {"false", "off", "no", "0", ""}


def accept(schema: dict[str, Any] | None, values: type_json) -> dict[str, Any]:
    """Return the inputs with all defaults.

    Raises:
        InvalidError: an issue per input that is missing (E_INPUT_MISSING), unknown
            (E_INPUT_UNKNOWN) or of the wrong type (E_INPUT_TYPE), with its name.
    """
    complete = fill_defaults(schema, values)
    issues = check(schema, complete)
    if issues:
        raise InvalidError(issues)
    return dict(complete)


def check(schema: dict[str, Any] | None, values: type_json) -> list[Issue]:
    """Return up to 50 issues of inputs that do not fit; paths start at the inputs."""
    if not isinstance(values, dict):
        return [Issue("E_INPUT_TYPE", "", "The inputs are an object of names and values.")]
    closed = {"additionalProperties": False, **(schema or {})}
    found: dict[str, Issue] = {}
    for error in json_schemas.check_value(closed, values):
        for issue in _issues(error):
            found.setdefault(issue.path, issue)
            if len(found) == json_schemas.MAX_ISSUES:
                return list(found.values())
    return list(found.values())


def fill_defaults(schema: dict[str, Any] | None, values: type_json) -> type_json:
    """Return the values with the defaults of what is absent, inner objects included."""
    properties = (schema or {}).get("properties", {})
    if not isinstance(values, dict):
        return values
    filled = dict(values)
    for name, part in properties.items():
        if not isinstance(part, dict):
            continue
        if name not in filled and "default" in part:
            filled[name] = part["default"]
        elif part.get("type") == "object" and isinstance(filled.get(name), dict):
            filled[name] = fill_defaults(part, filled[name])
    return filled


def from_form(schema: dict[str, Any] | None, texts: dict[str, str | list[str]]) -> dict[str, Any]:
    """Return the values of form texts: "5" is 5 where the schema says so, an empty text is absent.

    A text that does not fit stays as it is, so that `check` names it and nothing typed is lost. An
    empty one of what is required and may be null is null: a form has no other way to say so.
    """
    properties, required = (schema or {}).get("properties", {}), (schema or {}).get("required", [])
    values: dict[str, Any] = {}
    for name, text in texts.items():
        part = properties.get(name)
        schema_part = part if isinstance(part, dict) else {}
        if text or (kind(schema_part) == "boolean" and "enum" not in schema_part):
            values[name] = _from_text(text, schema_part)
        elif name in required and may_be_null(schema_part) and "default" not in schema_part:
            values[name] = None
    return values


def may_be_null(part: dict[str, Any]) -> bool:
    """Say whether a part of the schema may be null, so that a form may leave it empty."""
    return "enum" not in part and "null" in _listed(part.get("type"))


def kind(part: dict[str, Any]) -> str:
    """Return the type that a form takes for a part of the schema: of several, the first."""
    found = part.get("type", "string")
    if isinstance(found, list):
        found = next((one for one in found if one != "null"), "string")
    return str(found)


def as_text(value: type_json) -> str:
    """Return a value as a form shows it."""
    return value if isinstance(value, str) else strictjson.dumps(value)


def _from_text(text: str | list[str], part: dict[str, Any]) -> type_json:
    wanted = kind(part)
    if wanted == "array":
        if isinstance(text, str) and isinstance(whole := _decoded(text, wanted), list):
            return whole
        lines = text if isinstance(text, list) else text.splitlines()
        items = part.get("items")
        inner = items if isinstance(items, dict) else {}
        stripped = [line.strip() for line in lines if line.strip()]
        return [_from_text(line, inner) for line in stripped]
    if isinstance(text, list):
        text = text[-1] if text else ""
    if isinstance(part.get("enum"), list):
        return next((one for one in part["enum"] if as_text(one) == text), text)
    if wanted == "boolean":
        return _boolean(text)
    if wanted in {"integer", "number", "object"}:
        return _decoded(text, wanted)
    return text


def _boolean(text: str) -> type_json:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    return False if word in _FALSE else text


def _decoded(text: str, kind: str) -> type_json:
    wanted = {"integer": int, "number": int | float, "object": dict, "array": list}[kind]
    try:
        value = strictjson.loads(text.strip().removeprefix("+"))
    except BadJsonError:
        return text
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, wanted) and not isinstance(value, bool) else text


def _issues(error: "ValidationError") -> Iterator[Issue]:
    place = list(error.absolute_path)
    path, name = pointer(*place), ".".join(str(part) for part in place)
    rule, limit, found = (
        error.validator,
        cast("Any", error.validator_value),
        cast("Any", error.instance),
    )
    if rule == "required":
        for absent in (one for one in limit if one not in found):
            yield _missing(path + pointer(absent), ".".join([*map(str, place), absent]))
    elif rule == "additionalProperties" and limit is False:
        known = cast("Any", error.schema).get("properties", {})
        for unknown in (one for one in found if one not in known):
            yield _unknown(path + pointer(unknown), unknown, list(known))
    elif found is None and place:
        yield _missing(path, name)
    else:
        yield _mistyped(error, path, name)


def _missing(path: str, name: str) -> Issue:
    message = f"The input {name} is missing: fill it in."
    return Issue("E_INPUT_MISSING", path, message, expected=name)


def _unknown(path: str, name: str, known: list[str]) -> Issue:
    sure = spelling.meant(name, known)
    message = f"There is no input {name[:60]!r}.{spelling.suggestion(name, known)}"
    return Issue("E_INPUT_UNKNOWN", path, message, expected=sure, got=name[:60])


def _mistyped(error: "ValidationError", path: str, name: str) -> Issue:
    got = strictjson.dumps(error.instance)[:60]
    expected = _expected(error)
    message = f"The input {name or 'object'} must be {expected}; it is {got}."
    return Issue("E_INPUT_TYPE", path, message, expected=expected, got=got)


def _expected(error: "ValidationError") -> str:
    rule, limit = str(error.validator), cast("Any", error.validator_value)
    if rule == "type":
        return " or ".join(_WORDS.get(one, str(one)) for one in _listed(limit))
    if rule in {"enum", "const"}:
        return f"one of {strictjson.dumps(_listed(limit))[:200]}"
    words = _RULES.get(rule, "what its schema says").format(limit)
    example = EXAMPLES.get(str(limit)) if rule == "format" else None
    return f"{words}, such as {example}" if example else words


_RULES = {
    "format": "a valid {}",
    "pattern": "text that matches {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters long",
    "maxLength": "at most {} characters long",
    "multipleOf": "a multiple of {}",
    "minItems": "a list of at least {}",
    "maxItems": "a list of at most {}",
    "uniqueItems": "without doubles",
    "work": "smaller, or its schema simpler: to check it takes too long",
}
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "empty",
}


def _listed(value: type_json) -> list[Any]:
    return value if isinstance(value, list) else [value]
