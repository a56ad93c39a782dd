"""What differs between two workflows: steps added, removed, moved, changed, field by field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any, Literal

from pilot import strictjson
from pilot.engine.language.pointers import pointer
from pilot.engine.workflow.outline import Node, bodies, outline
from pilot.errors import type_json

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One field; None: it is not there."""

    field: str  # JSON Pointer within the step or the document
    before: str | None
    after: str | None


@dataclass(frozen=True)
class StepChange:
    """One step that is not as it was; one that moved may have changed fields too."""

    id: str
    kind: Literal["added", "removed", "moved", "changed"]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Differences:
    """All that differs."""

    steps: tuple[StepChange, ...]
    document: tuple[Change, ...]  # outside the steps

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.steps or self.document)


def compare(before: type_json, after: type_json) -> Differences:
    """Return what differs between two documents; steps are known by their ids."""
    old, new = ({one.id: one for one in outline(each) if one.id} for each in (before, after))
    moved = _moved(old, new)
    found = [StepChange(name, "removed") for name in old if name not in new]
    for name, node in new.items():
        if name not in old:
            found.append(StepChange(name, "added"))
            continue
        changes = tuple(_changes(_own(old[name]), _own(node)))
        if name in moved or changes:
            found.append(StepChange(name, "moved" if name in moved else "changed", changes))
    return Differences(tuple(found), tuple(_changes(_around(before), _around(after))))


def text_lines(before: str, after: str) -> list[tuple[str, str]]:
    """Return the changed lines with their surroundings: ("+" added, "-" removed, " " kept).

    Each group begins with ("@", "line 12"), where it stands in the text after the change.
    """
    return marked(list(unified_diff(before.splitlines(), after.splitlines(), n=3, lineterm="")))


def marked(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines of a unified difference as `text_lines` does, without the head."""
    return [
        ("@", f"line {line.split('+')[1].split(',')[0].split()[0]}")
        if line.startswith("@")
        else (line[:1], line[1:])
        for line in lines[2:]
    ]


def _moved(old: dict[str, Node], new: dict[str, Node]) -> set[str]:
    """Return the steps in another list, or in another order among those that stayed in theirs."""
    both = [name for name in new if name in old]
    stayed = [name for name in both if _list_of(old[name]) == _list_of(new[name])]
    moved = set(both) - set(stayed)
    for place in dict.fromkeys(_list_of(new[name]) for name in stayed):
        here = [name for name in stayed if _list_of(new[name]) == place]
        there = [name for name in old if name in here]
        kept = SequenceMatcher(None, there, here, autojunk=False).get_matching_blocks()
        moved |= set(here) - {name for block in kept for name in here[block.b :][: block.size]}
    return moved


def _list_of(node: Node) -> tuple[str, str]:
    return (node.parent.id if node.parent else "", node.segment)


def _own(node: Node) -> dict[str, Any]:
    """Return a step without its inner steps."""
    inner = {path for _, path, _ in bodies(node.step)}
    own: dict[str, Any] = _without(node.step, inner, "")
    return own


def _without(value: type_json, left_out: set[str], path: str) -> type_json:
    if not any(one.startswith(path) for one in left_out):
        return value
    if isinstance(value, dict):
        kept = {key: path + pointer(key) for key in value if path + pointer(key) not in left_out}
        return {key: _without(value[key], left_out, place) for key, place in kept.items()}
    if isinstance(value, list):
        return [_without(one, left_out, f"{path}/{n}") for n, one in enumerate(value)]
    return value


def _around(document: type_json) -> type_json:
    if not isinstance(document, dict):
        return document
    return {key: value for key, value in document.items() if key != "steps"}


def _changes(before: type_json, after: type_json, path: str = "") -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            inner = path + pointer(key)
            yield from _changes(before.get(key, _ABSENT), after.get(key, _ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, f"{path}/{number}")
    elif not _equal(before, after):
        yield Change(path, _shown(before), _shown(after))


def _equal(before: type_json, after: type_json) -> bool:
    if before is _ABSENT or after is _ABSENT:
        return before is after
    return strictjson.canonical(before) == strictjson.canonical(after)


def _shown(value: type_json) -> str | None:
    return None if value is _ABSENT else strictjson.dumps(value)
