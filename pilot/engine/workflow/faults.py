"""Why a text does not compile, and where exactly."""

from dataclasses import dataclass, field, replace
from typing import Any

from pilot.engine.language.conditions import JOINS, compile_condition
from pilot.errors import ExpressionError, InvalidError, Issue, PilotError, type_json

Read = tuple[str | int, ...]


@dataclass
class Faults:
    """The issues, with paths within the value, and what its right parts read."""

    issues: list[Issue] = field(default_factory=list)
    reads: set[Read] = field(default_factory=set)


def of_text(text: str, error: ExpressionError) -> Faults:
    """Explain why an expression or a template does not compile."""
    at = f" (column {error.column})" if error.column else ""
    return Faults([Issue("E_EXPRESSION", "", f"{error.message}{at}", got=text[:60])])


def of_condition(value: type_json, error: PilotError, *, item_fields: bool = False) -> Faults:
    """Explain why a condition, written either way, does not compile."""
    found = Faults()
    _condition(value, "", found, item_fields=item_fields)
    if not found.issues:
        found.issues.append(_broken("", error))  # its parts are right, not how they are joined
    return found


def of_operations(operations: type_json, error: InvalidError) -> Faults:
    """Explain what is wrong with the operations of a transform."""
    found = Faults()
    for issue in error.issues:
        value = _at(operations, issue.path) if issue.code == "E_EXPRESSION" else None
        if isinstance(value, str):
            inner = of_text(value, ExpressionError(issue.message))
        elif isinstance(value, dict) and _is_condition(value):
            reason = ExpressionError(issue.message)
            inner = of_condition(value, reason, item_fields=True)
        else:
            found.issues.append(issue)
            continue
        found.issues += [_moved(one, issue.path) for one in inner.issues]
        found.reads |= inner.reads
    return found


def _condition(value: type_json, path: str, found: Faults, *, item_fields: bool) -> None:
    key = next((key for key in (*JOINS, "not") if isinstance(value, dict) and key in value), None)
    if key == "not":
        _condition(value["not"], f"{path}/not", found, item_fields=item_fields)
    elif key is not None and isinstance(value[key], list):
        for number, one in enumerate(value[key]):
            _condition(one, f"{path}/{key}/{number}", found, item_fields=item_fields)
    else:
        try:
            found.reads |= compile_condition(value, item_fields=item_fields).reads
        except ExpressionError as error:
            inner = of_text(value, error).issues if isinstance(value, str) else [_broken("", error)]
            found.issues += [replace(one, path=path) for one in inner]
        except InvalidError as error:
            found.issues += [_moved(issue, path) for issue in error.issues]


def _broken(path: str, error: PilotError) -> Issue:
    return Issue("E_EXPRESSION", path, error.message)


def _moved(issue: Issue, path: str) -> Issue:
    """Return an issue, and its fix, with places below this one."""
    keys, fix = ("path", "from"), issue.fix
    if fix is not None:
        fix = [{k: path + v if k in keys else v for k, v in one.items()} for one in fix]
    return replace(issue, path=path + issue.path, fix=fix)


def _is_condition(value: dict[str, Any]) -> bool:
    return bool(value.keys() & {*JOINS, "not", "field", "operator"})


def _at(value: type_json, path: str) -> type_json:
    for part in path.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return None
    return value
