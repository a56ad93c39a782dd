"""Conditions: an expression as text, or structured; both become one expression.

A structured condition is printed as expression text and compiled from it, so there is one meaning.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pilot.engine.expressions import ROOTS, Compiled, Scope, compile_expression
from pilot.engine.expressions.paths import printed
from pilot.engine.expressions.values import boolean, decimal
from pilot.engine.language.references import compile_field
from pilot.errors import ExpressionError, InvalidError, Issue

MAX_DEPTH = 16
_PATH = re.compile(
    r"""[A-Za-z_]\w*(?:\s*(?:\.\s*[A-Za-z_]\w*
    |\[\s*(?:-?\d+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*\]))*""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_REFERENCE = re.compile(r"\{\{(?:(?!\{\{|\}\}).)*\}\}", re.DOTALL)
COMPARE = {
    "equals": "==",
    "not_equals": "!=",
    "greater_than": ">",
    "greater_than_or_equal": ">=",
    "less_than": "<",
    "less_than_or_equal": "<=",
    "before": "<",
    "after": ">",
}
SIGNS = {sign: sign for sign in COMPARE.values()}
CALLS = {
    "contains_any": "contains_any",
    "contains_all": "contains_all",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "matches": "matches",
}
NO_VALUE = {
    "exists": "exists({f})",
    "not_exists": "not exists({f})",
    "is_null": "{f} == null",
    "is_empty": "is_empty({f})",
    "is_not_empty": "not is_empty({f})",
    "is_true": "{f} == true",
    "is_false": "{f} == false",
}
ALIASES = {
    "is_not_null": "exists",
    "not_null": "exists",
    "neq": "not_equals",
    "eq": "equals",
    "gt": "greater_than",
    "gte": "greater_than_or_equal",
    "lt": "less_than",
    "lte": "less_than_or_equal",
    "ne": "not_equals",
}
OPERATORS = (
    *COMPARE,
    *SIGNS,
    "between",
    "in",
    "not_in",
    "contains",
    "not_contains",
    *CALLS,
    *NO_VALUE,
    "within_last_days",
    "within_next_days",
)
ROW_KNOWN = ROOTS - {"event"}  # a row may have a field of this name
KEYS = frozenset({"field", "operator", "value", "ignore_case", "conditionType"})
JOINS = {"and": " and ", "all": " and ", "or": " or ", "any": " or "}


@dataclass(frozen=True)
class Condition:
    """A compiled condition: evaluates to true or false, or is an error."""

    text: str
    reads: frozenset[tuple[str | int, ...]]
    run: Callable[[Scope], Any]

    def evaluate(self, scope: Scope) -> bool:
        """Return whether it holds.

        Raises:
            ExpressionError: a path is missing, values do not fit, or the result is not boolean.
        """
        return boolean(self.run(scope))


def compile_condition(value: Any, *, item_fields: bool = False) -> Compiled:
    """Compile a condition: text, true or false, or structured.

    With `item_fields`, a bare name as field means the field of `item`.

    Raises:
        ExpressionError: syntax.
        InvalidError: an unknown operator (E_OPERATOR), with the nearest as fix.
    """
    if isinstance(value, bool):
        return Condition(str(value).lower(), frozenset(), lambda _scope: value)
    if isinstance(value, str):
        inner = compile_field(value)
        return Condition(value, inner.reads, inner.evaluate)
    return _structured(value, "", item_fields=item_fields)


def _structured(value: Any, at: str, *, item_fields: bool) -> Condition:
    if not isinstance(value, dict) or at.count("/") > 2 * MAX_DEPTH:
        text = "A condition is text, or an object with field, operator and value; at most 16 deep."
        raise ExpressionError(text)
    for name, join in JOINS.items():
        if name in value:
            parts = value[name]
            if not isinstance(parts, list) or not parts or set(value) - {name, "conditionType"}:
                raise ExpressionError(f"{name!r} holds a list of conditions, and stands alone.")
            inner = [
                _any(one, f"{at}/{name}/{n}", item_fields=item_fields)
                for n, one in enumerate(parts)
            ]
            return _joined(join, inner)
    if "not" in value:
        if set(value) - {"not", "conditionType"}:
            raise ExpressionError("'not' holds one condition, and stands alone.")
        one = _any(value["not"], f"{at}/not", item_fields=item_fields)
        return Condition(f"not ({one.text})", one.reads, lambda scope: not one.evaluate(scope))
    text = _printed(value, at, item_fields=item_fields)
    compiled = compile_expression(text)
    return Condition(text, compiled.reads, compiled.evaluate)


def _any(value: Any, at: str, *, item_fields: bool) -> Condition:
    if isinstance(value, str | bool):
        found = compile_condition(value, item_fields=item_fields)
        return Condition(f"({found.text})", found.reads, found.evaluate)
    return _structured(value, at, item_fields=item_fields)


def _joined(join: str, parts: list[Condition]) -> Condition:
    text = join.join(f"({part.text})" for part in parts)
    reads = frozenset().union(*(part.reads for part in parts))
    combine = all if join == " and " else any
    return Condition(text, reads, lambda scope: combine(part.evaluate(scope) for part in parts))


def _printed(value: dict[str, Any], at: str, *, item_fields: bool) -> str:
    unknown = set(value) - KEYS
    if unknown or not isinstance(value.get("field"), str):
        text = "A condition has field, operator, value and ignore_case"
        raise ExpressionError(f"{text}; {', '.join(sorted(unknown)) or 'field'} does not fit.")
    operator = value.get("operator")
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise InvalidError([operator_issue(str(operator)[:60], f"{at}/operator")])
    field = _field(value["field"], item_fields=item_fields)
    if operator in NO_VALUE:
        return NO_VALUE[operator].format(f=field)
    if "value" not in value:
        raise ExpressionError(f"The operator {operator} needs a value.")
    return _with_value(operator, field, value["value"], fold=bool(value.get("ignore_case")))


def operator_issue(name: str, at: str) -> Issue:
    """Return E_OPERATOR for an operator that does not exist, with the nearest as fix."""
    near = [ALIASES[name]] if name in ALIASES else get_close_matches(name, OPERATORS, 1, 0.6)
    hint = f" The nearest is {near[0]}." if near else f" Known: {', '.join(OPERATORS)}."
    fix = [{"op": "replace", "path": at, "value": near[0]}] if near else None
    text = f"There is no operator {name!r}.{hint}"
    expected = near[0] if near else None
    return Issue("E_OPERATOR", at, text, expected=expected, got=name, fix=fix)


def _field(name: str, *, item_fields: bool) -> str:
    text = name.strip().removeprefix("{{").removesuffix("}}").strip()
    root = text.split(".", 1)[0].split("[", 1)[0]
    bare = root == text and text not in {"item", "index"}
    if item_fields and (bare or root not in ROW_KNOWN):
        return printed(("item", text))
    reads = compile_expression(text).reads
    if len(reads) != 1 or not _PATH.fullmatch(text):
        raise ExpressionError("A field is a path: write a computed condition as text.")
    return text


def _with_value(operator: str, field: str, value: Any, *, fold: bool) -> str:
    if operator == "between":
        return _between(field, value, fold=fold)
    if operator == "matches" and fold and isinstance(value, str):
        fold, value = False, "(?i)" + value  # the pattern's own letters stay: \S is not \s
    left = f"lower({field})" if fold else field
    right = _folded(value) if fold else literal(value)
    if operator in COMPARE or operator in SIGNS:
        return f"{left} {COMPARE.get(operator, operator)} {right}"
    if operator in {"in", "not_in"}:
        return f"{left} {operator.replace('_', ' ')} {right}"
    if operator in {"contains", "not_contains"}:
        return f"{'not ' if operator != 'contains' else ''}{right} in {left}"
    if operator in CALLS:
        return f"{CALLS[operator]}({left}, {right})"
    direction = "last" if operator == "within_last_days" else "next"
    return f"within_{direction}({field}, {literal(value)}, 'days')"


def _between(field: str, value: Any, *, fold: bool) -> str:
    if not isinstance(value, list) or len(value) != 2:
        raise ExpressionError("between needs a list of two values: [from, to].")
    low, high = (_folded(one) if fold else literal(one) for one in value)
    left = f"lower({field})" if fold else field
    return f"{left} >= {low} and {left} <= {high}"


def _folded(value: Any) -> str:
    """Return a value as expression text in lower case, also what references in it give."""
    if isinstance(value, list):
        return f"[{', '.join(_folded(one) for one in value)}]"
    if isinstance(value, str):
        return f"lower({literal(value)})" if _REFERENCE.fullmatch(value) else literal(value.lower())
    return literal(value)


def literal(value: Any) -> str:
    """Return a value as expression text; a text that is one `{{ e }}` stands for e."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return format(decimal(value), "f")
    if isinstance(value, str):
        if _REFERENCE.fullmatch(value):
            inner = value[2:-2].strip()
            compile_expression(inner)  # alone, so that brackets in it cannot close those around it
            return f"({inner})"
        plain = value.replace("\\", "\\\\").replace("'", "\\'")
        return "'" + plain.replace("\n", "\\n").replace("\t", "\\t") + "'"
    if isinstance(value, list):
        return f"[{', '.join(literal(one) for one in value)}]"
    raise ExpressionError("The value of a condition is a text, number, boolean, null or a list.")
