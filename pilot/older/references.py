"""How older builders referred to data: `{{step1.data.x}}`, `{{input.x}}`, `{{current.x}}`."""

import re
from collections.abc import Mapping

from pilot.errors import type_json

# Keys whose texts are expressions, so that references stand there without braces too.
_BARE = frozenset(
    {
        *("field", "input", "condition", "execute_if", "executeIf", "evaluate", "iterateOver"),
        *("items", "from", "left", "right"),
    }
)
# What is within these is data: only what stands in braces is a reference.
_DATA = frozenset(
    {"params", "inputs", "output", "context", "metadata", "schema", "outputSchema", "output_schema"}
)
_ROOTS = {"input": "inputs", "current": "item"}
_TEXT = re.compile(r"\{\{[^{}]*\}\}")
_END = r"(?:\.(?:data|output)\b)?(?!\w|\s*\()"
_NAME = re.compile(rf"(?<![\w.'\"\]])(?:(loop\.(?:item|current))\b|([A-Za-z_]\w*){_END})")
_DASHED = re.compile(
    rf"(?<![\w.'\"\]-])(?:(loop\.(?:item|current))\b|([A-Za-z_]\w*(?:-\w+)*){_END})"
)
_THEIRS = re.compile(r"(?<![\w.'\"\]])steps\.(\w+)\.data\b")
_FIELD = re.compile(r"\.([A-Za-z_]\w*)")
_OURS = re.compile(r"\bsteps\.(\w+)\.")


class References:
    """Rewrites the references of one document, and counts them; `names` are ids by older ids."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """Take the ids of all steps."""
        self.count = 0
        self.inputs: dict[str, None] = {}  # names of those that are read, in order
        self._names = names
        self._pattern = _DASHED if any("-" in name for name in names) else _NAME

    def rewritten(self, value: type_json, key: str = "", *, is_data: bool = False) -> type_json:
        """Return a value with our references in all its texts."""
        if isinstance(value, dict):
            routes = value.get("type") == "switch"
            return {
                name: self.rewritten(
                    inner,
                    "evaluate" if routes and name == "value" else name,
                    is_data=is_data or name in _DATA,
                )
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.rewritten(inner, key, is_data=is_data) for inner in value]
        if not isinstance(value, str):
            return value
        if key in _BARE and not is_data and "{{" not in value:
            return self._expression(value)
        return _TEXT.sub(lambda found: self._expression(found[0]), value)

    def _expression(self, text: str) -> str:
        found = _THEIRS.sub(lambda match: f"steps.{match[1]}.output", text)
        found = self._pattern.sub(self._ours, found)
        self.count += found != text
        return found

    def _ours(self, match: re.Match[str]) -> str:
        if match[1]:
            return "item"
        if match[2] in self._names:
            return f"steps.{self._names[match[2]]}.output"
        if match[2] in {"input", "inputs"}:
            field = _FIELD.match(match.string, match.end(2))
            self.inputs |= {field[1]: None} if field else {}
        return _ROOTS[match[2]] + match[0][len(match[2]) :] if match[2] in _ROOTS else match[0]


def refers_to(value: type_json, ids: set[str]) -> bool:
    """Say whether a text in a converted value names one of these steps."""
    if isinstance(value, dict):
        return any(refers_to(inner, ids) for inner in value.values())
    if isinstance(value, list):
        return any(refers_to(inner, ids) for inner in value)
    return isinstance(value, str) and any(found in ids for found in _OURS.findall(value))
