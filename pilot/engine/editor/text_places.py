"""Where the values of a document stand in its text, JSON or YAML: line and column from 1."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from pilot import strictjson
from pilot.engine.language.pointers import pointer
from pilot.engine.language.yaml_text import Loader

# Possessive, as in the strict decoder: a text without its closing quote costs one pass.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]|[^\s\[\]{}:,"]+', re.DOTALL)


class Place(NamedTuple):
    """One character of a text."""

    line: int
    column: int


@dataclass
class _Open:
    """A list or object whose end has not been read."""

    path: str
    is_object: bool
    count: int = 0
    key: str | None = None

    @property
    def awaits_key(self) -> bool:
        return self.is_object and self.key is None

    def take(self) -> str:
        """Return the path of the value that begins now."""
        if self.key is not None:
            found, self.key = self.path + pointer(self.key), None
            return found
        self.count += 1
        return f"{self.path}/{self.count - 1}"


def at(text: str, offset: int) -> Place:
    """Return the place of one character."""
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def places(text: str) -> dict[str, Place]:
    """Return the place of each value by its JSON Pointer; the text must have been decoded."""
    if text.lstrip()[:1] in {"{", "["}:
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        found = {}
        for path, offset in _in_json(text):
            line = bisect_right(starts, offset)
            found[path] = Place(line, offset - starts[line - 1] + 1)
        return found
    return dict(_in_yaml(text))


def nearest(known: dict[str, Place], path: str) -> Place | None:
    """Return the place of a path, or of the innermost part of it that is there."""
    while path and path not in known:
        path = path.rpartition("/")[0]
    return known.get(path)


def _in_json(text: str) -> Iterator[tuple[str, int]]:
    around = [_Open("", is_object=False)]
    for match in _TOKEN.finditer(text):
        mark = match.group()
        if mark in "]}":
            around.pop()
        elif around[-1].awaits_key:
            around[-1].key = strictjson.loads(mark)
        else:
            path = around[-1].take() if len(around) > 1 else ""
            yield path, match.start()
            if mark in "[{":
                around.append(_Open(path, is_object=mark == "{"))


def _in_yaml(text: str) -> Iterator[tuple[str, Place]]:
    around = [_Open("", is_object=False)]
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            around.pop()
        elif isinstance(event, yaml.ScalarEvent) and around[-1].awaits_key:
            around[-1].key = event.value
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            path = around[-1].take() if len(around) > 1 else ""
            mark: Any = event.start_mark
            yield path, Place(mark.line + 1, mark.column + 1)
            if isinstance(event, yaml.CollectionStartEvent):
                around.append(_Open(path, isinstance(event, yaml.MappingStartEvent)))
