"""Reads the parts of a document into their models, and says what is wrong with their shape."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pilot import strictjson
from pilot.engine import steps
from pilot.engine.language import spelling
from pilot.engine.language.pointers import pointer
from pilot.engine.language.step_fields import Part, StepFields
from pilot.engine.workflow.outline import MAX_NESTING, bodies
from pilot.errors import Issue, type_json

MAX_ERRORS = 50  # of one document: more than these are not looked for
MORE = Issue(
    "E_LIMIT", "", f"After {MAX_ERRORS} errors no others are looked for: mend these first."
)
MAX_METADATA_BYTES = 8 * 1024
_PLACEHOLDER = StepFields.model_construct(id="", type="")
_BOUNDS = ("too_", "string_too_", "greater_than", "less_than", "seconds_")
_LENGTHS = ("too_short", "too_long")
_WORDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
}
_ALTERNATIVES = {"tolerate": 'a whole number from 0, or a percentage like "10%"'}
_KEY = "[key]"  # stands behind a key that is wrong itself
_NAMES = "letters, digits and _, no digit first, 63 characters at most"
_MAX_OFFERED = 12


def read_steps(body: type_json, path: str, issues: list[Issue], depth: int = 1) -> list[StepFields]:
    """Return a list of steps as models; what cannot be read is a placeholder and an issue."""
    if not isinstance(body, list):
        return []
    return [_read_step(step, f"{path}/{n}", issues, depth) for n, step in enumerate(body)]


def read_part(
    model: type[Part], value: dict[str, Any], path: str, issues: list[Issue]
) -> Part | None:
    """Return one part as its model, or None and the issues."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        room = max(MAX_ERRORS - len(issues), 0)
        issues += _issues(model, problems[:room], value, path)
        if len(problems) > room and MORE not in issues:
            issues.append(MORE)
        return None


def check_metadata(value: type_json, path: str) -> Iterator[Issue]:
    """Say where metadata is too large."""
    if isinstance(value, dict) and len(strictjson.dumps(value).encode()) > MAX_METADATA_BYTES:
        message = "The metadata is larger than 8 KiB: keep large data elsewhere."
        yield Issue("E_LIMIT", f"{path}/metadata", message, expected="8 KiB")


def replaced(value: type_json, place: str, new: type_json) -> type_json:
    """Return a copy of a value with another value at a JSON Pointer without escapes."""
    first, _, rest = place.removeprefix("/").partition("/")
    if isinstance(value, list):
        changed, at = list(value), int(first)
        changed[at] = replaced(value[at], rest, new) if rest else new
        return changed
    return {**value, first: replaced(value[first], rest, new) if rest else new}


def _read_step(step: type_json, path: str, issues: list[Issue], depth: int) -> StepFields:
    if not isinstance(step, dict):
        message = "A step is an object with id and type."
        issues.append(Issue("E_SCHEMA", path, message, expected="an object", got=kind_of(step)))
        return _PLACEHOLDER
    if depth > MAX_NESTING:
        message = f"Steps are nested deeper than {MAX_NESTING}: move this one further out."
        issues.append(Issue("E_LIMIT", path, message, expected=str(MAX_NESTING)))
        return _PLACEHOLDER
    values: type_json = step
    for _, place, body in bodies(step):
        if isinstance(body, list):
            inner = read_steps(body, path + place, issues, depth + 1)
            values = replaced(values, place, inner)
    issues += check_metadata(step.get("metadata"), path)
    problem = _type_issue(step, path)
    if problem:
        issues.append(problem)
        return _PLACEHOLDER
    read = read_part(steps.load(step["type"]).Params, values, path, issues)
    return read if isinstance(read, StepFields) else _PLACEHOLDER


def _type_issue(step: dict[str, Any], path: str) -> Issue | None:
    kind, known = step.get("type"), steps.names()
    if kind is None and "step_type" in step:
        message = (
            f"A step says what it is with type, one of {', '.join(known)}; not with step_type."
        )
        fix = None
        if step["step_type"] in known and "type" not in step:
            fix = [{"op": "move", "from": f"{path}/step_type", "path": f"{path}/type"}]
        got = str(step["step_type"])[:60]
        if fix is None and not (step.get("plugin") and step.get("action")):
            who = f"The step {str(step.get('id'))[:60]}" if "id" in step else "A step"
            message = (
                f"{who}, {got}, names no action: give it plugin and action, or a type, one of "
                f"{', '.join(known)}."
            )
        return Issue("E_SCHEMA", f"{path}/step_type", message, expected="type", got=got, fix=fix)
    if not isinstance(kind, str):
        message = f"The step has no type. It is one of: {', '.join(known)}."
        return Issue("E_SCHEMA", f"{path}/type", message, expected="a step type")
    if kind in known:
        return None
    if kind == "fail":  # its other name
        message = "A step that ends an execution as failed is of type stop, with outcome failed."
        fix = [{"op": "replace", "path": f"{path}/type", "value": "stop"}]
        fix.append({"op": "add", "path": f"{path}/outcome", "value": "failed"})
        return Issue("E_UNKNOWN_TYPE", f"{path}/type", message, expected="stop", got=kind, fix=fix)
    sure = spelling.meant(kind, known)
    fix = [{"op": "replace", "path": f"{path}/type", "value": sure}] if sure else None
    message = f"There is no step type {kind[:60]!r}. There are: {', '.join(known)}."
    return Issue("E_UNKNOWN_TYPE", f"{path}/type", message, expected=sure, got=kind[:60], fix=fix)


def kind_of(value: type_json) -> str:
    """Return what a JSON value is, in words."""
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _issues(
    model: type[Part], problems: list[ErrorDetails], value: type_json, path: str
) -> Iterator[Issue]:
    """Yield an issue for each problem: one for all the types that a value may have and has not."""
    tried: dict[str, list[ErrorDetails]] = {}
    for problem in problems:
        keys = _keys(problem)
        if _is_alternative(problem, keys, value):
            tried.setdefault(pointer(*keys[:-1]), []).append(problem)
        else:
            yield _issue(model, problem, keys, value, path)
    for place, several in tried.items():
        around = _keys(several[0])[:-1]
        field = _named(around)
        wanted = " or ".join(dict.fromkeys(map(_expected, several)))
        expected, found = _ALTERNATIVES.get(field, wanted), _at(value, around)
        got = strictjson.dumps(found)[:60] if isinstance(found, str) else _shown(found)
        message = f"{field} must be {expected}; it is {got}."
        yield Issue("E_SCHEMA", path + place, message, expected=expected, got=got)


def _keys(problem: ErrorDetails) -> list[str | int]:
    """Return where a problem is, without the tags of unions.

    These begin with #; so may a key that nobody knows, which stands last.
    """
    *around, last = problem["loc"] or ("",)
    named = not str(last).startswith("#") or problem["type"] == "extra_forbidden"
    keys = [part for part in around if not str(part).startswith("#")]
    return keys + ([last] if problem["loc"] and named else [])


def _named(keys: list[str | int]) -> str:
    """Return what a place is called: its name, and the number of an element of a list."""
    names = [place for place, key in enumerate(keys) if isinstance(key, str)]
    last = names[-1] if names else 0
    return "".join(str(key) if isinstance(key, str) else f"[{key}]" for key in keys[last:])


def _is_alternative(problem: ErrorDetails, keys: list[str | int], value: type_json) -> bool:
    """Say whether the last key is no place but one of the types that the value may have."""
    if not keys or problem["type"] in {"missing", "extra_forbidden"}:
        return False
    around = _at(value, keys[:-1])
    present = isinstance(around, dict) and keys[-1] in around
    return isinstance(keys[-1], str) and keys[-1] != _KEY and not present


def _issue(
    model: type[Part], problem: ErrorDetails, keys: list[str | int], value: type_json, path: str
) -> Issue:
    kind, place = problem["type"], path + pointer(*keys)
    field = _named(keys)
    if kind == "extra_forbidden":
        return _unknown_key(_model_at(model, keys[:-1]), keys, value, path)
    if kind == "missing":
        return _missing_key(field, value, place)
    if field == _KEY:
        return _bad_name(str(keys[-2]), path + pointer(*keys[:-1]))
    found = _at(value, keys)
    if kind == "value_error":  # the sentence of a model's own check
        return Issue("E_SCHEMA", place, str(problem["ctx"]["error"]))
    if field == "id" and kind == "string_pattern_mismatch":
        return _bad_id(found, place)
    code = "E_LIMIT" if kind.startswith(_BOUNDS) and found is not None else "E_SCHEMA"
    expected = _expected(problem)
    got = _shown(found) if kind.endswith("_type") else strictjson.dumps(found)[:60]
    verb = "have" if kind.endswith(_LENGTHS) else "be"
    message = f"{field} must {verb} {expected}; it is {got}."
    return Issue(code, place, message, expected=expected, got=got, fix=_coerced(kind, place, found))


def _shown(value: type_json) -> str:
    """Return what a value of a wrong type is: a number and a truth value as they are."""
    return strictjson.dumps(value)[:60] if isinstance(value, int | float) else kind_of(value)


def _bad_name(name: str, place: str) -> Issue:
    message = f"The name {name[:80]!r} is not allowed: {_NAMES}."
    return Issue("E_SCHEMA", place, message, expected="a name like late_orders", got=name[:80])


def _bad_id(found: type_json, place: str) -> Issue:
    message = f"The id {str(found)[:80]!r} is not allowed: {_NAMES}."
    return Issue("E_BAD_ID", place, message, expected="an id like read_tasks", got=str(found)[:80])


def _missing_key(field: str, value: type_json, place: str) -> Issue:
    kind = value.get("type") if isinstance(value, dict) else None
    owner = f"A step of type {kind}" if isinstance(kind, str) else "This part"
    return Issue("E_SCHEMA", place, f"{owner} needs {field}: add it.", expected=field)


def _unknown_key(
    model: type[Part] | None, keys: list[str | int], value: type_json, path: str
) -> Issue:
    """Rename to the key that is surely meant; drop what is too small to hold a meaning."""
    field, place, around = str(keys[-1]), path + pointer(*keys), _at(value, keys[:-1])
    fields = model.model_fields if model else {}
    own_first = sorted(fields, key=lambda name: name in StepFields.model_fields)
    known = [fields[name].alias or name for name in own_first]
    sure = spelling.meant(field, [name for name in known if name not in around])
    found = around[field]
    fix: list[dict[str, Any]] | None = None
    if sure:
        fix = [{"op": "move", "from": place, "path": path + pointer(*keys[:-1], sure)}]
    elif not (isinstance(found, dict | list) and found):
        fix = [{"op": "remove", "path": place}]
    message = f"There is no field {field[:60]!r} here."
    if near := spelling.nearest(field, known):
        message += f" Nearest: {', '.join(near)}."
    if not sure and known:
        message += f" It takes: {', '.join(known[:_MAX_OFFERED])}."
    return Issue("E_SCHEMA", place, message, expected=sure, got=field[:60], fix=fix)


def _expected(problem: ErrorDetails) -> str:
    kind, bounds = problem["type"], problem.get("ctx", {})
    word = _WORDS.get(kind.split("_")[0])
    if word and kind.endswith(("_type", "_parsing", "_attributes_type")):
        return word
    if kind == "string_pattern_mismatch":
        return f"text that matches {bounds['pattern']}"
    if kind.endswith(_LENGTHS):
        least = kind.endswith("too_short")
        count = bounds["min_length" if least else "max_length"]
        what = "character" if kind.startswith("string") else "element"
        held = f"{count:,} {what}" + ("" if count == 1 else "s")
        return f"at least {held}" if least else f"at most {held}"
    said = problem["msg"].removeprefix("Input should be ")
    return said if said == bounds.get("expected") else said.lower()  # our own words, or values


def _coerced(kind: str, place: str, found: type_json) -> list[dict[str, Any]] | None:
    """Offer the value in the wanted type where that loses nothing."""
    wanted: type_json = None
    if kind == "list_type" and isinstance(found, str):
        wanted = [found]
    elif kind == "string_type" and isinstance(found, int | float):
        wanted = strictjson.dumps(found)
    elif kind in {"int_type", "float_type"} and isinstance(found, str):
        wanted = strictjson.whole(found)
    elif kind == "bool_type" and found in ("true", "false"):  # it may be a list: no set
        wanted = found == "true"
    return None if wanted is None else [{"op": "replace", "path": place, "value": wanted}]


def _at(value: type_json, keys: list[str | int]) -> type_json:
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _model_at(model: type[Part], keys: list[str | int]) -> type[Part] | None:
    """Follow keys to the model that stands there."""
    found: type[Part] | None = model
    for key in keys:
        if isinstance(key, int):
            continue  # the list's model was found with its key
        fields = found.model_fields.items() if found else ()
        kinds = [field.annotation for name, field in fields if key in {name, field.alias}]
        found = next((one for kind in kinds for one in _parts(kind)), None)
    return found


def _parts(annotation: Any) -> Iterator[type[Part]]:
    """Yield the models within an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)
