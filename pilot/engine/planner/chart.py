"""A chart of what the tokens can mean: rules join edges to larger ones, bottom up.

A pattern is a row of elements such as `in|within? DET* NEXT n=NUM u=UNIT`: lower case is a word of
the goal, upper case an edge that a lexicon entry or an earlier rule has made, `name=` captures.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pilot.engine.planner.text import Token

MAX_REPEATS = 40
MAX_TRIES = 50  # readings of one rule at one place


@dataclass(frozen=True)
class Edge:
    """Tokens `start` to `end` (exclusive) can be a `tag` with this value; score is 0 to 1."""

    tag: str
    start: int
    end: int
    value: Any = None
    score: float = 1.0


@dataclass(frozen=True)
class Element:
    """One place of a pattern: alternatives, how often, and the name it is captured under."""

    name: str
    words: frozenset[str]
    tags: tuple[str, ...]
    least: int
    most: int


Captures = dict[str, list[Edge]]
Build = Callable[["Match"], Any]


@dataclass(frozen=True)
class Rule:
    """Makes a `tag` edge of what a pattern matches; a build that returns None makes none."""

    tag: str
    elements: tuple[Element, ...]
    build: Build
    opening: tuple[Element, ...]  # one of them has the first token of what is matched
    needed: tuple[Element, ...]  # what must be there


@dataclass(frozen=True)
class Match:
    """What a pattern matched."""

    chart: "Chart"
    start: int
    end: int
    captures: Captures

    def __contains__(self, name: str) -> bool:
        return name in self.captures

    def value(self, name: str, default: Any = None) -> Any:
        """Return the value of the first edge captured under this name."""
        return self.captures[name][0].value if name in self.captures else default

    def values(self, name: str) -> list[Any]:
        """Return the values of all edges captured under this name."""
        return [edge.value for edge in self.captures.get(name, [])]

    @property
    def text(self) -> str:
        """What was matched, as it was typed."""
        return self.chart.between(self.start, self.end)

    def typed(self, name: str) -> str:
        """Return what was captured under this name, as it was typed."""
        edges = self.captures[name]
        return self.chart.between(edges[0].start, edges[-1].end)

    @property
    def score(self) -> float:
        """The lowest score of what was captured."""
        return min((edge.score for some in self.captures.values() for edge in some), default=1.0)


@dataclass
class Chart:
    """Tokens and the edges found over them: by tag, then by the token that they begin at."""

    text: str
    tokens: Sequence[Token]
    edges: dict[str, dict[int, list[Edge]]] = field(default_factory=dict)
    words: tuple[Edge, ...] = field(init=False)  # each token as an edge of its word
    places: dict[str, list[int]] = field(init=False)  # where each word stands

    def __post_init__(self) -> None:
        """Note where the words stand."""
        words = [token.word for token in self.tokens]
        self.words = tuple(Edge(word, at, at + 1, word) for at, word in enumerate(words))
        self.places = {}
        for at, word in enumerate(words):
            self.places.setdefault(word, []).append(at)

    def between(self, start: int, end: int) -> str:
        """Return the text of the tokens from `start` to `end` (exclusive)."""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end]

    def add(self, edge: Edge) -> None:
        """Add an edge, unless the same is there."""
        known = self.edges.setdefault(edge.tag, {}).setdefault(edge.start, [])
        if not any(one.end == edge.end and one.value == edge.value for one in known):
            known.append(edge)
            known.sort(key=lambda one: (-one.end, -one.score))

    def at(self, start: int, tag: str) -> list[Edge]:
        """Return the edges of a tag that begin here, the longest first."""
        return self.edges.get(tag, {}).get(start, [])

    def tagged(self, tag: str) -> Iterator[Edge]:
        """Yield all edges of a tag."""
        for edges in self.edges.get(tag, {}).values():
            yield from edges

    def apply(self, rules: Iterable[Rule]) -> None:
        """Add the edges that these rules make; rules see the edges of those before them."""
        for rule in rules:
            if not self._can_match(rule):
                continue
            for start in self._beginnings(rule):
                tries = _Search(self, rule.elements).matches(0, start)
                for end, captures in islice(tries, MAX_TRIES):
                    if end == start:
                        continue
                    match = Match(self, start, end, captures)
                    value = rule.build(match)
                    if value is not None:
                        self.add(Edge(rule.tag, start, end, value, match.score))
                        break

    def _can_match(self, rule: "Rule") -> bool:
        """Say whether everything that a rule must have is somewhere in the goal."""
        words, tags = self.places.keys(), self.edges.keys()
        for element in rule.needed:
            if words.isdisjoint(element.words) and tags.isdisjoint(element.tags):
                return False
        return True

    def _beginnings(self, rule: "Rule") -> list[int]:
        """Return where something begins that the rule can begin with."""
        found: set[int] = set()
        for element in rule.opening:
            for word in self.places.keys() & element.words:
                found.update(self.places[word])
            for tag in element.tags:
                found.update(self.edges.get(tag, ()))
        return sorted(found)


@dataclass
class _Search:
    """Finds how elements can match from one place on; what failed is not tried again.

    Without this memory, a row of equal words takes a time that grows with every repeated element.
    """

    chart: Chart
    elements: tuple[Element, ...]
    failed: set[tuple[int, int, int]] = field(default_factory=set)

    def matches(self, place: int, at: int) -> Iterator[tuple[int, Captures]]:
        """Yield ends and captures, greedy first."""
        certain = self._certain(place, at)
        if certain is None:
            return
        place, at, taken = certain
        rest = self._repeated(place, at, 0) if place < len(self.elements) else iter([(at, {})])
        for end, captures in rest:
            for name, edge in taken:
                captures = {**captures, name: [edge, *captures.get(name, [])]}  # noqa: PLW2901
            yield end, captures

    def _certain(self, place: int, at: int) -> tuple[int, int, list[tuple[str, Edge]]] | None:
        """Take the places that can match in one way only; returns the next one and what was named.

        The last named comes first. None says that the rest cannot match.
        """
        taken: list[tuple[str, Edge]] = []
        while place < len(self.elements):
            element = self.elements[place]
            options = self._options(element, at)
            if options and (element.least, element.most, len(options)) != (1, 1, 1):
                break
            if options:
                at = options[0].end
                if element.name:
                    taken.insert(0, (element.name, options[0]))
            elif element.least:
                return None
            place += 1
        return place, at, taken

    def _repeated(self, place: int, at: int, count: int) -> Iterator[tuple[int, Captures]]:
        element = self.elements[place]
        known = (place, at, min(count, element.least))
        if known in self.failed:
            return
        succeeded = False
        if count < element.most:
            more = count + 1 < element.most
            for edge in self._options(element, at):
                inner = (
                    self._repeated(place, edge.end, count + 1)
                    if more
                    else self.matches(place + 1, edge.end)
                )
                for end, captures in inner:
                    succeeded = True
                    if element.name:
                        found = [edge, *captures.get(element.name, [])]
                        yield end, {**captures, element.name: found}
                    else:
                        yield end, captures
        if count >= element.least:
            for end, captures in self.matches(place + 1, at):
                succeeded = True
                yield end, captures
        if not succeeded and count < element.most:
            self.failed.add(known)

    def _options(self, element: Element, at: int) -> list[Edge]:
        chart = self.chart
        if at >= len(chart.words):
            return []
        found: list[Edge] = []
        for tag in element.tags:
            begun = chart.edges.get(tag)
            if begun and at in begun:
                found += begun[at]
        word = chart.words[at]
        if word.tag in element.words:
            found.append(word)
        return found


def rule(tag: str, pattern: str, build: Build | object = "") -> Rule:
    """Return a rule; a build that is no function is the value of every edge it makes."""
    constant = build
    make: Build = build if callable(build) else lambda _: constant
    joined = re.sub(r"\|\s+", "|", pattern)  # alternatives may go on in the next line
    elements = tuple(_element(part) for part in joined.split())
    needed = next((at for at, one in enumerate(elements) if one.least), len(elements))
    must = tuple(one for one in elements if one.least)
    return Rule(tag, elements, make, elements[: needed + 1], must)


def _element(text: str) -> Element:
    name, mark, rest = text.partition("=")
    if not mark or not name.isalpha():
        name, rest = "", text
    least, most = {"?": (0, 1), "*": (0, MAX_REPEATS), "+": (1, MAX_REPEATS)}.get(rest[-1], (1, 1))
    if (least, most) != (1, 1) and len(rest) > 1:
        rest = rest[:-1]
    else:
        least, most = 1, 1
    parts = [part for part in rest.split("|") if part] or ["|"]
    tags = tuple(part for part in parts if part.isupper())
    return Element(name, frozenset(part for part in parts if part not in tags), tags, least, most)


def best_cover(
    chart: Chart, costs: dict[str, float], unknown: float, barred: Edge | None = None
) -> list[Edge]:
    """Return the cheapest row of edges that covers all tokens.

    Args:
        chart: all edges.
        costs: what an edge of a tag costs; other tags are not used. A score below 1 adds to it.
        unknown: what a token costs that no edge covers; it becomes an edge of tag "UNKNOWN".
        barred: an edge that is not used.
    """
    count = len(chart.tokens)
    usable: list[list[tuple[float, Edge]]] = [[] for _ in chart.tokens]
    for tag, cost in costs.items():
        for edge in chart.tagged(tag):
            if edge is not barred:
                usable[edge.start].append((cost + (1 - edge.score), edge))
    best: list[tuple[float, Edge | None]] = [(0.0, None)] * (count + 1)
    for start in range(count - 1, -1, -1):
        alone = Edge("UNKNOWN", start, start + 1)
        options = [(unknown + best[start + 1][0], alone)]
        options += [(cost + best[edge.end][0], edge) for cost, edge in usable[start]]
        best[start] = min(options, key=lambda option: (option[0], -option[1].end))
    found: list[Edge] = []
    at = 0
    while at < count:
        chosen = best[at][1]
        assert chosen is not None, "every start below the count has an edge"
        found.append(chosen)
        at = chosen.end
    return found
