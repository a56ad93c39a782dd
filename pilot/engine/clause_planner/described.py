"""What the clause planner knows of each action: its words, parameters, outputs and effect."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from pilot.engine.clause_planner.words import VERBS, normal, normals
from pilot.engine.language.catalogue import Action, Catalogue
from pilot.engine.shortlist import Index
from pilot.engine.validation import schemas
from pilot.plugins import Effect, Model

MAX_DEPTH = 3
MAX_OUTPUTS = 12
MAX_CHOICES = 40
COMMON = 0.6  # rarity of a word that no action has, of the rarest
SOFT = 0.7  # weight of words that only outputs and choices have
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LOOKED_UP = re.compile(
    r"\b(?:extracted|retrieved|obtained|returned) (?:from|through|by)\b|\bidentifier\b",
    re.IGNORECASE,
)
_IDS = {"id", "ids", "cik", "uuid", "guid"}
_SEARCH = {"query", "q", "keyword", "keywords", "search", "term", "topic"}
USERNAME = ("username",)
Path = tuple[str | int, ...]
Words = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Parameter:
    """One parameter of an action."""

    name: str
    words: tuple[str, ...]
    about: frozenset[str]  # words of its description
    schema: dict[str, Any]
    required: bool
    choices: tuple[str, ...]
    is_key: bool  # nobody knows it by heart: it comes from another action
    is_search: bool

    @property
    def kind(self) -> str:
        """The first JSON type it takes."""
        return str(schemas.options(self.schema)[0].get("type", "string"))


@dataclass(frozen=True, eq=False)
class Output:
    """One field that an action gives."""

    path: Path
    leaf: tuple[str, ...]
    full: tuple[str, ...]
    about: frozenset[str]
    schema: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Described:
    """One action."""

    name: str
    plugin: str
    title: str
    effect: Effect
    words: tuple[str, ...]  # of its name, without what others begin with too
    nouns: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    bag: dict[str, float]
    supplied: float = 0.0  # how well other actions give the ids it needs

    @cached_property
    def wanted(self) -> list[Parameter]:
        """The parameters that a call must have; where none is, the one that says of what."""
        required = [one for one in self.parameters if one.required]
        telling = [one for one in self.parameters if one.is_key or one.is_search]
        return required or telling[:1]

    @property
    def verbs(self) -> list[str]:
        """The verbs of its name."""
        return [word for word in self.words[:1] if word in VERBS]

    @property
    def gives(self) -> frozenset[str]:
        """The words of what it is about and gives: later clauses repeat them."""
        return self._gives

    def __post_init__(self) -> None:
        named = {word for one in self.outputs if len(one.path) == 1 for word in one.leaf}
        own = {normal(word) for word in named} | set(self.words)
        object.__setattr__(self, "_gives", frozenset(own - VERBS))

    _gives: frozenset[str] = frozenset()


class Known:
    """All actions of a catalogue, with the index of their words."""

    def __init__(self, actions: list[Described]) -> None:
        self.actions = actions
        self.by_name = {one.name: one for one in actions}
        self.index = Index([dict(one.bag) for one in actions])
        # The rarity of a word that one action has: what scores are measured by.
        self.scale = math.log(1 + (len(actions) - 0.5) / 1.5)
        self.verbs = {word for one in actions for word in one.words[:1] if word in VERBS}

    def rarity(self, word: str) -> float:
        """Return how much a word says about which action is meant."""
        return self.index.rarity.get(word, COMMON * self.scale)


def known(catalogue: Catalogue) -> Known:
    """Return what is known of the granted actions of a catalogue; kept for equal ones."""
    granted = [one for one in catalogue.actions.values() if catalogue.is_granted(one.name)]
    return _known(tuple(map(_key, granted)))


def needs(catalogue: Catalogue) -> dict[str, frozenset[str]]:
    """Return by action the ones that give the ids it needs."""
    actions = known(catalogue).actions
    offers = _Offers(actions)
    return {
        one.name: frozenset(
            other.name for key in one.wanted if key.is_key for other, _ in offers.of(one, key)
        )
        for one in actions
    }


class _Offers:
    """What all actions give, by the names of its fields."""

    def __init__(self, actions: list[Described]) -> None:
        self._by_name: defaultdict[Words, list[tuple[Described, Output]]] = defaultdict(list)
        self._wanted = {one.name: {own.words for own in one.wanted} for one in actions}
        for one in actions:
            for output in one.outputs:
                for name in {output.leaf, output.full}:
                    self._by_name[name].append((one, output))

    def of(self, action: Described, key: Parameter) -> Iterator[tuple[Described, Output]]:
        """Yield what answers a parameter of an action, of those that do not ask for it too."""
        ends = {key.words[-length:] for length in range(2, len(key.words))}
        for name in {key.words, USERNAME, *ends}:
            for other, output in self._by_name.get(name, ()):
                asks_too = key.words in self._wanted[other.name]
                if other is not action and not asks_too and same_name(key, output):
                    yield other, output


_Key = tuple[str, str, str, str, Effect, type[Model], type[Model]]


def _key(one: Action) -> _Key:
    return (
        *(one.name, one.plugin, one.title, one.summary),
        *(one.effect, one.params_model, one.output_model),
    )


@lru_cache(16)
def _known(keys: tuple[_Key, ...]) -> Known:
    names = [_own_name(name, plugin) for name, plugin, *_ in keys]
    lists = [normals(name) for name in names]
    plain = [_described(key, _telling(one, lists)) for key, one in zip(keys, lists, strict=True)]
    offers = _Offers(plain)
    return Known([replace(one, supplied=_supplied(one, offers)) for one in plain])


def _supplied(action: Described, offers: _Offers) -> float:
    """Return how well others give the ids of an action: by name, and by what is said of them."""
    keys = [one for one in action.wanted if one.is_key]
    best = [
        max(
            (same_name(one, output) + alike(one, output) for _, output in offers.of(action, one)),
            default=0.0,
        )
        for one in keys
    ]
    return sum(best) / len(best) if best else 0.0


def same_name(one: Parameter, output: Output) -> float:
    """Return how well a field's name answers a parameter's: 3 equal, 2 its end, 0 not."""
    if one.words in (output.leaf, output.full):
        return 3.0
    length = len(output.leaf)
    if length > 1 and one.words[-length:] == output.leaf:
        return 2.0
    return 2.0 if one.is_key and output.leaf == USERNAME and "username" in one.words else 0.0


def alike(one: Parameter, output: Output) -> float:
    """Return how much the descriptions of a parameter and of a field share."""
    return len(one.about & output.about) / (len(one.about | output.about) or 1)


def _own_name(name: str, plugin: str) -> str:
    return name.removeprefix(f"{plugin}.")


def _telling(own: list[str], lists: list[list[str]]) -> tuple[str, ...]:
    """Return the words of a name without those that it and others begin with, verbs kept."""
    if not own or own[0] in VERBS:
        return tuple(own)
    shared = 0
    for other in lists:
        if other is own:
            continue
        same = 0
        while same < min(len(own), len(other)) - 1 and own[same] == other[same]:
            same += 1
        shared = max(shared, same)
    return tuple(own[shared:])


def _described(key: _Key, words: tuple[str, ...]) -> Described:
    name, plugin, title, summary, effect, params_model, output_model = key
    parameters = tuple(_parameters(schemas.params_of(params_model)))
    outputs = tuple(_outputs(schemas.output_of(output_model), (), ()))
    bag = Counter[str]()
    for word in normals(name):
        bag[word] += 3
    for word in normals(summary):
        bag[word] += 2
    for one in parameters:
        for word in normals(one.name):
            bag[word] += 1
    soft = {w for one in parameters for text in one.choices for w in normals(text)}
    top = [one for one in outputs if len(one.path) == 1]
    if len(top) <= MAX_OUTPUTS:
        soft |= {normal(word) for one in top for word in one.leaf}
    weighted = {word: float(n) for word, n in bag.items()}
    weighted |= {word: SOFT for word in soft if word not in bag and not word.isdigit()}
    nouns = tuple(word for word in words if word not in VERBS)
    return Described(
        *(name, plugin, title, effect, words, nouns or words, parameters, outputs),
        bag=weighted,
    )


def _parameters(schema: dict[str, Any]) -> Iterator[Parameter]:
    required = set(schema.get("required", ()))
    for name, one in schema.get("properties", {}).items():
        words = split_name(name)
        about = str(one.get("description", ""))
        choices = tuple(
            str(value)
            for option in schemas.options(one)
            for value in option.get("enum", ())[:MAX_CHOICES]
        )
        is_key = words[-1:] and (bool(_IDS & set(words)) or bool(_LOOKED_UP.search(about)))
        yield Parameter(
            name=name,
            words=words,
            about=frozenset(normals(about)),
            schema=one,
            required=name in required,
            choices=choices,
            is_key=bool(is_key),
            is_search=bool(_SEARCH & set(words)),
        )


def _outputs(schema: dict[str, Any], path: Path, words: tuple[str, ...]) -> Iterator[Output]:
    for option in schemas.options(schema):
        for name, one in option.get("properties", {}).items():
            leaf = split_name(name)
            found = Output(
                path=(*path, name),
                leaf=leaf,
                full=(*words, *leaf),
                about=frozenset(normals(str(one.get("description", "")))),
                schema=one,
            )
            yield found
            if len(found.full) - len(leaf) < MAX_DEPTH and len(path) < MAX_DEPTH:
                yield from _inside(one, found)


def _inside(schema: dict[str, Any], outer: Output) -> Iterator[Output]:
    for option in schemas.options(schema):
        if option.get("type") == "array":
            yield from _outputs(option.get("items", {}), (*outer.path, 0), outer.full)
        elif option.get("type") == "object":
            yield from _outputs(option, outer.path, outer.full)


def split_name(name: str) -> tuple[str, ...]:
    """Return the words of a parameter's or field's name."""
    return tuple(word.lower() for word in _WORD.findall(name))
