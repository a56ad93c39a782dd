"""The few actions that a goal may need, of many: BM25 and the votes of accepted workflows.

Pure: no model, no database. Names weigh three times, summaries twice, parameters once.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pilot.engine.language.catalogue import Action

TOP = 12
K1 = 1.2
B = 0.75
NAME_WEIGHT, SUMMARY_WEIGHT, PARAMETER_WEIGHT = 3, 2, 1
NEAREST = 8
OWN_WEIGHT = 0.5  # of BM25; that of the votes is 1
NEEDED = 0.5  # of its score goes to the actions that give the ids it needs
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_SHORTEST_PLURAL = 4
_NO_PLURAL = ("ss", "us", "is")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text that lists them."""
    return frozenset(text.split())


STOP_WORDS = word_set(
    "a an the of to in on for from with by at as is are be was were been and or then that this "
    "these those it its i me my you your we our us please want need would like can could will "
    "shall do does all any some after finally also which what where who how many much if into "
    "using use let know"
)

Weights = Mapping[str, float]


@dataclass(frozen=True)
class Past:
    """An accepted workflow: its goal and the names of its actions."""

    goal: str
    actions: frozenset[str]


class Index:
    """Documents of weighted words, scored by BM25; what does not depend on a query is kept."""

    def __init__(self, documents: Sequence[Weights]) -> None:
        self.size = len(documents)
        lengths = [sum(one.values()) for one in documents]
        mean = (sum(lengths) / self.size if self.size else 0) or 1.0
        found = Counter(word for one in documents for word in one)
        self.rarity = {
            word: math.log(1 + (self.size - count + 0.5) / (count + 0.5))
            for word, count in found.items()
        }
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for number, one in enumerate(documents):
            norm = K1 * (1 - B + B * lengths[number] / mean)
            for word, weight in one.items():
                gain = self.rarity[word] * weight * (K1 + 1) / (weight + norm)
                self._postings.setdefault(word, []).append((number, gain))

    def scores(self, query: Weights) -> list[float]:
        """Return the score of every document, in their order."""
        found = [0.0] * self.size
        for word, weight in query.items():
            for number, gain in self._postings.get(word, ()):
                found[number] += weight * gain
        return found


class Shortlist:
    """The index of a catalogue's actions."""

    def __init__(self, names: Sequence[str], index: Index) -> None:
        self.names = names
        self.index = index

    @staticmethod
    def of(actions: Iterable[Action]) -> "Shortlist":
        """Return the shortlist of these actions; the same one for equal actions."""
        return _built(tuple((one.name, one.summary, _parameters(one)) for one in actions))

    def scores(self, goal: str, clauses: Iterable[str] = ()) -> dict[str, float]:
        """Return for each action the best BM25 score of the goal and of its clauses."""
        rows = [self.index.scores(dict.fromkeys(tokens(text), 1.0)) for text in (goal, *clauses)]
        return dict(zip(self.names, map(max, *rows) if len(rows) > 1 else rows[0], strict=True))

    def top(
        self,
        goal: str,
        clauses: Iterable[str] = (),
        *,
        past: Sequence[Past] = (),
        needs: Mapping[str, Collection[str]] | None = None,
        count: int = TOP,
    ) -> list[str]:
        """Return the names of the likeliest actions, the best first.

        Args:
            goal: what the user typed.
            clauses: its clauses; the best of all counts.
            past: accepted workflows; the nearest ones vote for their actions.
            needs: by action those that give the ids it needs; they count half as much as it.
            count: how many names.
        """
        own = _of_best(self.scores(goal, clauses))
        votes = _of_best(_votes(goal, past, own))
        said = {name: OWN_WEIGHT * own[name] + votes.get(name, 0.0) for name in self.names}
        total = dict(said)
        for name, sources in (needs or {}).items():
            for source in sources:
                total[source] = max(total[source], NEEDED * said[name])
        return sorted(total, key=lambda name: (-total[name], name))[:count]


def tokens(text: str) -> list[str]:
    """Return the words of a text as they are compared: lower case, no plural s, no stop words."""
    words = (word.lower() for word in _WORD.findall(_POSSESSIVE.sub("", text)))
    return [_singular(word) for word in words if word not in STOP_WORDS]


def nearest(goal: str, past: Sequence[Past], count: int = NEAREST) -> list[tuple[Past, float]]:
    """Return the accepted workflows with the most similar goals, the nearest first.

    A similarity is the score of the goal as a share of that of the workflow's own goal.
    """
    bags = [Counter(tokens(one.goal)) for one in past]
    index = Index([{word: float(n) for word, n in one.items()} for one in bags])
    scores = index.scores(dict.fromkeys(tokens(goal), 1.0))
    found: list[tuple[Past, float]] = []
    for number in sorted(range(len(past)), key=lambda one: -scores[one])[:count]:
        own = index.scores(dict.fromkeys(bags[number], 1.0))[number]
        if scores[number] > 0:
            found.append((past[number], min(scores[number] / own, 1.0)))
    return found


def _votes(goal: str, past: Sequence[Past], known: Collection[str]) -> dict[str, float]:
    votes: dict[str, float] = {}
    for one, similarity in nearest(goal, past):
        for name in one.actions:
            if name in known:
                votes[name] = votes.get(name, 0.0) + similarity
    return votes


def _of_best(scores: Mapping[str, float]) -> dict[str, float]:
    """Return scores as shares of the best."""
    best = max(scores.values(), default=0.0) or 1.0
    return {name: score / best for name, score in scores.items()}


def _parameters(action: Action) -> tuple[str, ...]:
    return tuple(action.params_schema.get("properties", ()))


@lru_cache(16)
def _built(described: tuple[tuple[str, str, tuple[str, ...]], ...]) -> Shortlist:
    documents: list[dict[str, float]] = []
    for name, summary, parameters in described:
        words: Counter[str] = Counter()
        for text, weight in (
            (name, NAME_WEIGHT),
            (summary, SUMMARY_WEIGHT),
            (" ".join(parameters), PARAMETER_WEIGHT),
        ):
            for word in tokens(text):
                words[word] += weight
        documents.append({word: float(weight) for word, weight in words.items()})
    return Shortlist([name for name, _, _ in described], Index(documents))


def _singular(word: str) -> str:
    plural = len(word) >= _SHORTEST_PLURAL and word.endswith("s") and not word.endswith(_NO_PLURAL)
    return word[:-1] if plural else word
