"""How well each action fits a clause: its rare words, the verb and object first, then the rest."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pilot.engine.clause_planner import literals
from pilot.engine.clause_planner.described import Described, Known
from pilot.engine.clause_planner.splitting import QUOTED, bare
from pilot.engine.clause_planner.words import (
    DELIVERS,
    PLAIN,
    PREPOSITIONS,
    READS,
    VERBS,
    normal,
    normals,
)
from pilot.plugins import Effect

VERB, OBJECT, REST, HINT = 1.5, 1.0, 0.65, 0.4  # weights of a clause's words
PLAIN_VERB = 0.5
NAME_WORD = 0.25  # of a word within a longer name
KNOWN_OBJECT, KNOWN_REST = 0.65, 0.35  # factors for words of what earlier steps gave
CLAUSE_SHARE, GOAL_SHARE = 0.75, 0.25
NAME_SHARE = 0.5  # of the score that depends on how much of the action's name is said
OTHER_VERB = 0.45
NO_OBJECT = 0.3
FEEDS, SAME_PLUGIN = 0.8, 1.25
_WORD = re.compile(r"[A-Za-z][A-Za-z-]*(?:'s)?")
_HINTS = (
    (re.compile(r"[\w.+-]+@[\w-]+\.\w+"), "email address"),
    (re.compile(r"https?://|www\.", re.IGNORECASE), "url website"),
    (
        re.compile(r"[$€£]\s?\d|\b(?:usd|eur|gbp|inr|jpy|dollars?|euros?)\b", re.IGNORECASE),
        "currency amount price",
    ),
    (re.compile(r"\b(?:km|kilomet\w+|miles?|meters?)\b", re.IGNORECASE), "distance"),
    (re.compile(r"\d\s?%"), "rate percentage"),
    (re.compile(r"\b\d{3}-\d{3,4}(?:-\d{4})?\b|\b\d{10}\b"), "phone number"),
)


@dataclass(frozen=True)
class Word:
    """One word of a clause as it is compared; `start` is its place."""

    normal: str
    weight: float
    start: int


@dataclass(frozen=True)
class Reading:
    """The words of a clause, with what they weigh."""

    words: tuple[Word, ...]
    verb: str | None
    weights: dict[str, float]

    @property
    def objects(self) -> frozenset[str]:
        """The words that say what it is about."""
        return frozenset(
            word for word, weight in self.weights.items() if word not in VERBS and weight >= 0.2
        )


@dataclass(frozen=True)
class Rated:
    """An action with its score for a clause."""

    action: Described
    score: float


def read(clause: str, explained: frozenset[str] = frozenset()) -> Reading:
    """Weigh the words of a clause; `explained` are words of what earlier steps give."""
    shown = QUOTED.sub(lambda found: " " * len(found[0]), clause)
    begin = clause.find(bare(clause)[:20]) if bare(clause) else 0
    names = [one for one in literals.values(clause) if one.kind == "name" and " " in one.value]
    verb: str | None = None
    words: list[Word] = []
    zone = OBJECT
    for match in _WORD.finditer(shown, max(begin, 0)):
        low = match[0].lower()
        if low in PREPOSITIONS and (words or verb):
            zone = REST
        elif verb is None and not words and normal(low) in VERBS:
            verb = normal(low)
        else:
            in_name = any(one.start <= match.start() < one.end for one in names)
            factor = NAME_WORD if in_name else 1.0
            words += [Word(one, zone * factor, match.start()) for one in normals(match[0])]
    return Reading(tuple(words), verb, _weights(clause, words, verb, explained))


def _weights(
    clause: str, words: Iterable[Word], verb: str | None, explained: frozenset[str]
) -> dict[str, float]:
    weights: dict[str, float] = {}
    for pattern, text in _HINTS:
        if pattern.search(clause):
            weights |= dict.fromkeys(normals(text), HINT)
    says_much = verb is not None and verb not in PLAIN
    for one in words:
        weight = one.weight
        if one.normal in explained:
            is_rest = weight <= REST
            weight *= KNOWN_REST if is_rest else (KNOWN_OBJECT if says_much else 1.0)
        weights[one.normal] = max(weights.get(one.normal, 0.0), weight)
    if verb is not None:
        weights[verb] = VERB if says_much else PLAIN_VERB
    if verb in DELIVERS:
        weights[normal("send")] = VERB
    return weights


def goal_scores(known: Known, goal: str) -> list[float]:
    """Return what the whole goal says for each action; one of a plugin speaks for its others."""
    words = normals(QUOTED.sub(" ", goal))
    own = known.index.scores(dict.fromkeys(words, 1.0))
    best: dict[str, float] = {}
    for action, score in zip(known.actions, own, strict=True):
        best[action.plugin] = max(best.get(action.plugin, 0.0), score)
    several = len(best) > 1
    return [
        score * 0.4 + (0.6 * best[action.plugin] if several else 0.0)
        for action, score in zip(known.actions, own, strict=True)
    ]


def rate(
    known: Known, reading: Reading, goal: Sequence[float], before: Sequence[Described] = ()
) -> list[Rated]:
    """Return the actions by how well they fit the clause, the best first.

    Args:
        known: all actions.
        reading: the clause.
        goal: what the whole goal says for each.
        before: the actions of earlier clauses; those that they feed fit better.
    """
    scores = known.index.scores(reading.weights)
    objects = reading.objects
    plugins = {one.plugin for one in before}
    several = len({one.plugin for one in known.actions}) > 1
    found: list[Rated] = []
    for number, action in enumerate(known.actions):
        covered = coverage(known, action, reading.weights)
        score = CLAUSE_SHARE * scores[number] + GOAL_SHARE * goal[number]
        score *= (1 - NAME_SHARE) + NAME_SHARE * covered * 1.5
        score *= _verb_factor(known, action, reading.verb)
        feeds = fed(action, before) if before and action not in before else 0.0
        if objects and not feeds and not objects & action.bag.keys():
            score *= NO_OBJECT
        score *= 1 + FEEDS * feeds
        if action.effect != Effect.PURE and reading.verb in READS:
            score *= OTHER_VERB
        if several and action.plugin in plugins and action not in before:
            score *= SAME_PLUGIN
        found.append(Rated(action, score))
    return sorted(found, key=lambda one: (-one.score, one.action.name))


def coverage(known: Known, action: Described, weights: dict[str, float]) -> float:
    """Return which share of an action's name the words say, by rarity."""
    parts = [(known.rarity(word) * (0.4 if word in PLAIN else 1.0), word) for word in action.words]
    whole = sum(part for part, _ in parts) or 1.0
    return sum(part * min(weights.get(word, 0.0), 1.0) for part, word in parts) / whole


def _verb_factor(known: Known, action: Described, verb: str | None) -> float:
    says_other = (
        verb in known.verbs and verb not in PLAIN and verb not in action.words
        if verb is not None
        else False
    )
    return OTHER_VERB if says_other else 1.0


def fed(action: Described, before: Sequence[Described]) -> float:
    """Return which share of what an action needs the earlier ones give, by equal names."""
    given = {one.leaf for other in before for one in other.outputs}
    given |= {one.full for other in before for one in other.outputs}
    keys = [one for one in action.wanted if one.is_key]
    if keys:
        return float(all(one.words in given for one in keys))
    hits = [one for one in action.wanted if one.words in given]
    telling = any(len(one.words) > 1 for one in hits)
    return len(hits) / len(action.wanted) if telling else 0.0
