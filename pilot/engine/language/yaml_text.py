"""YAML that says no more than JSON can: no aliases, tags, merges or doubled keys.

It is read from the parser's events, which neither construct objects nor recurse.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from pilot import strictjson
from pilot.errors import BadJsonError, type_json

MAX_DEPTH = 64
MAX_NODES = 2 * strictjson.MAX_MEMBERS + 1  # a member is a key and a value, at most
MAX_WIDTH = 1_000_000  # texts stay on their line, so that a difference shows what changed
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_BREAKS = re.compile("[\x85\u2028\u2029]")  # line ends for YAML, not for JSON
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Open:
    """A mapping or sequence whose end has not been read."""

    value: dict[str, Any] | list[Any]
    key: str | None = field(default=None)

    def add(self, value: type_json) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value[self.key], self.key = value, None
        elif not isinstance(value, str):
            raise BadJsonError("a key is not text: write it in quotes")
        elif value in self.value:
            raise BadJsonError(f"the key {value[:60]!r} stands twice")
        else:
            self.key = value


def loads(text: str | bytes, *, max_bytes: int = strictjson.MAX_BYTES) -> type_json:
    """Return the JSON value of a YAML text with one document.

    Raises:
        BadJsonError: the text is no YAML, or it uses what JSON has not.
    """
    try:
        value = _build(yaml.parse(text, Loader=Loader))
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        problem = getattr(error, "problem", None) or "wrong text"
        raise BadJsonError(f"{problem}{place}", mark.index if mark else None) from error
    return strictjson.loads(strictjson.dumps(value), max_bytes=max_bytes)


class _Dumper(yaml.SafeDumper):
    """Writes what `loads` reads as the same value: without aliases, on long lines."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if text in _WORDS or _NUMBER.fullmatch(text) or _BREAKS.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dumps(value: type_json) -> str:
    """Return a JSON value as YAML; keys keep their order."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=MAX_WIDTH,
    )
    return text


def _build(events: Any) -> type_json:
    root = _Open([])
    around = [root]
    nodes = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent) and root.value:
            raise BadJsonError("there are two documents: keep one")
        if isinstance(event, yaml.NodeEvent):
            _refuse_extras(event)
            nodes += 1
            if nodes > MAX_NODES:  # before the rest is read: that takes seconds for each megabyte
                raise BadJsonError(f"it has more than {strictjson.MAX_MEMBERS:,} members")
        if isinstance(event, yaml.CollectionStartEvent):
            inner: dict[str, Any] | list[Any] = (
                {} if isinstance(event, yaml.MappingStartEvent) else []
            )
            if len(around) > MAX_DEPTH:
                raise BadJsonError(f"it is nested deeper than {MAX_DEPTH}")
            around[-1].add(inner)
            around.append(_Open(inner))
        elif isinstance(event, yaml.CollectionEndEvent):
            around.pop()
        elif isinstance(event, yaml.ScalarEvent):
            around[-1].add(_scalar(event, is_key=_awaits_key(around[-1])))
    if not root.value:
        raise BadJsonError("it is empty")
    return root.value[0] if isinstance(root.value, list) else None


def _refuse_extras(event: Any) -> None:
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise BadJsonError("aliases (& and *) are not taken: write the value out")
    if event.tag:
        raise BadJsonError(f"the tag {event.tag[:60]} is not taken: leave it out")


def _awaits_key(place: _Open) -> bool:
    return isinstance(place.value, dict) and place.key is None


def _scalar(event: Any, *, is_key: bool) -> type_json:
    text: str = event.value
    if is_key or not event.implicit[0]:  # quoted, or a key: text as it is
        return text
    if text in _WORDS:
        return _WORDS[text]
    return strictjson.loads(text) if _NUMBER.fullmatch(text) else text
