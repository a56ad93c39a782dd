"""Parts of a document in plain words, for sentences about steps."""

import re
from typing import Any

from pilot import strictjson

MAX_CHARACTERS = 120
MOST_READ = 2_000  # of a text: what is beyond would not be shown, and must not cost
_GAP = re.compile(r"\{\{((?:(?!\{\{).)*?)\}\}")
_OPERATORS = {
    "equals": "is",
    "==": "is",
    "not_equals": "is not",
    "!=": "is not",
    "greater_than": "is more than",
    ">": "is more than",
    "greater_than_or_equal": "is at least",
    ">=": "is at least",
    "less_than": "is less than",
    "<": "is less than",
    "less_than_or_equal": "is at most",
    "<=": "is at most",
    "in": "is one of",
    "not_in": "is none of",
    "exists": "is there",
    "not_exists": "is not there",
    "within_next_days": "is within the next days:",
    "within_last_days": "is within the last days:",
}
_SIGNS = {"==": "is", "!=": "is not", ">=": "≥", "<=": "≤", "&&": "and", "||": "or"}


KINDS = {
    "ai_processing": "model",
    "llm_decision": "model decides",
    "human_approval": "approval",
    "wait_for_event": "event",
}


def kind(step: dict[str, Any]) -> str:
    """Return what a step is in a word or two: its action, its operation or its type."""
    if step.get("type") == "action" and step.get("plugin"):  # not one inside a step
        return f"{step['plugin']}.{step.get('action', '')}"
    name = str(step.get("type", ""))
    if name == "transform" and step.get("operation"):
        return str(step["operation"]).replace("_", " ")
    return KINDS.get(name, name.replace("_", " "))


_LIST = r"\[((?:[^\[\]])*)\]"
# Calls that people say in other words; the innermost are replaced first.
_PHRASES = (
    (r"\blower\(text\(([\w ]+)\)\)", r"\1"),
    (r"\b(?:lower|text|trim|number)\(([\w ]+)\)", r"\1"),
    (r"\bnot is_empty\(([\w ]+)\)", r"\1 is filled in"),
    (r"\bis_empty\(([\w ]+)\)", r"\1 is empty"),
    (rf"\bcontains_any\(([\w ]+), {_LIST}\)", r"\1 contains one of \2"),
    (rf" not in {_LIST}", r" is none of \1"),
    (rf" in {_LIST}", r" is one of \1"),
)


def shortened(text: str) -> str:
    """Return the first line, cut at a word if it has any."""
    line = text.strip().partition("\n")[0].strip()
    if len(line) <= MAX_CHARACTERS:
        return line
    cut = line[:MAX_CHARACTERS]
    return (cut.rpartition(" ")[0] or cut) + " …"


def template(value: Any) -> str:
    """Return a template with its expressions in words."""
    text = _read(value)
    return shortened(_GAP.sub(lambda found: _inside(found[1], text), text))


def _read(value: Any) -> str:
    return (value if isinstance(value, str) else strictjson.dumps(value))[:MOST_READ]


def _inside(part: str, whole: str) -> str:
    """Return an expression of a template: alone in words, within other text as a gap to fill."""
    words = expression(part)
    alone = whole.strip() == f"{{{{{part}}}}}"
    return words if alone else f"[{words.removeprefix('the input ')}]"


def expression(value: Any) -> str:
    """Return an expression with references in words."""
    text = _read(value).strip().removeprefix("{{").removesuffix("}}").strip()
    text = re.sub(r"\bsteps\.(\w+)(?:\.output)?\.(?!output\b)(\w+)", r"\2 of \1", text)
    text = re.sub(r"\bsteps\.(\w+)(?:\.output)?", r"the result of \1", text)
    text = re.sub(r"\binputs\.(\w+)", r"the input \1", text)
    text = re.sub(r"\bitem(?:\.(\w+)|\[['\"]([^'\"]+)['\"]\])", r"\1\2", text)
    for pattern, words in _PHRASES:
        text = re.sub(pattern, words, text)
    pattern = "|".join(map(re.escape, _SIGNS))
    return shortened(re.sub(pattern, lambda sign: _SIGNS[sign[0]], text))


def condition(value: Any) -> str:
    """Return a condition, written either way, in words."""
    if not isinstance(value, dict):
        return expression(value)
    for keys, word in ((("and", "all"), " and "), (("or", "any"), " or ")):
        for key in keys:
            if isinstance(value.get(key), list):
                return shortened(word.join(condition(one) for one in value[key]))
    if "not" in value:
        return f"not ({condition(value['not'])})"
    operator = str(value.get("operator", ""))
    words = _OPERATORS.get(operator, operator.replace("_", " "))
    operand = value.get("value")
    shown = "" if operand is None else literal(operand)
    return shortened(f"{expression(str(value.get('field', '')))} {words} {shown}".strip())


def literal(value: Any) -> str:
    """Return a value: a list as its elements."""
    if isinstance(value, list):
        return ", ".join(map(literal, value))
    return template(value)


def people(named: Any) -> str:
    """Return who is asked, of a list like owner, user:ann@example.com, role:approver."""
    names = [str(one) for one in named] if isinstance(named, list) else []
    told = ", ".join(template(one.removeprefix("user:")).replace("role:", "any ") for one in names)
    return told or "nobody"


def duration(seconds: Any) -> str:
    """Return a number of seconds in its largest whole unit."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return f"{template(seconds)} seconds"
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return f"{seconds:g} second" + ("" if seconds == 1 else "s")


def parameters(params: Any, count: int = 3) -> str:
    """Return the first parameters as a list in brackets, or an empty text."""
    if not isinstance(params, dict) or not params:
        return ""
    shown = [f"{name}: {literal(value)}" for name, value in list(params.items())[:count]]
    return f" ({'; '.join(shown)})"
