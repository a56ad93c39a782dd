"""Which actions the clauses of a goal ask for, in the order in which they are said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pilot.engine.clause_planner import literals, matching
from pilot.engine.clause_planner.described import Described, Known
from pilot.engine.clause_planner.matching import Rated, Reading
from pilot.engine.clause_planner.splitting import Part, masked
from pilot.engine.clause_planner.words import PLAIN, VERBS

# Scores, as shares of the rarity of a word that only one action has.
FLOOR = 0.05  # nothing fits
LEAST = 0.35  # below, a later clause asks for nothing known
LEAST_SHARE = 0.2  # of what a later clause says
PIECE_SCORE, PIECE_COVERED = 0.47, 0.6
TIE = 0.05
AGAIN = 1.5  # how much better an action that is there already fits, to be meant again
END = 1_000_000  # of a clause: behind all words
_JOINTS = re.compile(r",\s*(?:and\s+)?|\s+and\s+|\s+with\s+|\s+&\s+")


@dataclass(frozen=True)
class Pick:
    """An action that a clause asks for; `rivals` fit it nearly as well."""

    action: Described
    clause: int
    margin: float = 1.0
    rivals: tuple[Described, ...] = ()
    named: float = 1.0  # share of its name that the clause says
    is_weak: bool = False  # the clause says little that it does


def choose(known: Known, goal: str, parts: Sequence[Part]) -> list[Pick]:
    """Return the actions that the clauses ask for; one may ask for several, or for none."""
    scores = matching.goal_scores(known, goal)
    found: list[Pick] = []
    explained = frozenset[str]()
    for number, part in enumerate(parts):
        if part.kind != "action" or not part.text:
            continue
        reading = matching.read(part.text, explained)
        before = [one.action for one in found]
        best = _best(known, reading, scores, before, part.text)
        if best is None:
            continue
        picks = [_pick(known, best, reading, number)]
        picks += _others(known, part.text, reading, picks[0], before, explained)
        picks.sort(key=lambda one: _place(one.action, reading))
        found += [one for one in picks if not found or one.action != found[-1].action]
        explained |= frozenset().union(*(one.action.gives for one in picks))
    return found


def _best(
    known: Known, reading: Reading, goal: Sequence[float], before: list[Described], text: str
) -> list[Rated] | None:
    """Return the actions that fit, best first; one that is there already only for new values."""
    rated = matching.rate(known, reading, goal, before)
    if not any(one.kind != "name" for one in literals.values(text)):
        fresh = [one for one in rated if one.action not in before]
        said_again = not fresh or rated[0].score > AGAIN * fresh[0].score
        rated = rated if said_again else fresh
    if not rated or rated[0].score <= FLOOR * known.scale:
        return None
    rated = _supplied_first(rated)
    return rated if not before or _says_enough(known, reading, rated[0]) else None


def _says_enough(known: Known, reading: Reading, best: Rated) -> bool:
    """Say whether the action does a good part of what the clause says."""
    whole = sum(w * known.index.rarity.get(t, known.scale) for t, w in reading.weights.items())
    bag = best.action.bag
    own = sum(w * known.rarity(word) for word, w in reading.weights.items() if word in bag)
    return best.score >= LEAST * known.scale and own >= LEAST_SHARE * whole


def _supplied_first(rated: list[Rated]) -> list[Rated]:
    """Prefer, of actions that fit nearly alike, the one whose ids other actions give."""
    near = [one for one in rated if rated[0].score - one.score < TIE * rated[0].score]
    near.sort(key=lambda one: -one.action.supplied)
    return near + rated[len(near) :]


def _pick(known: Known, rated: list[Rated], reading: Reading, number: int) -> Pick:
    first = rated[0]
    second = rated[1].score if len(rated) > 1 else 0.0
    near = tuple(one.action for one in rated[1:3] if first.score - one.score < TIE * first.score)
    return Pick(
        action=first.action,
        clause=number,
        margin=(first.score - second) / first.score,
        rivals=near,
        named=matching.coverage(known, first.action, reading.weights),
        is_weak=not _says_enough(known, reading, first),
    )


def _others(
    known: Known,
    text: str,
    reading: Reading,
    main: Pick,
    before: list[Described],
    explained: frozenset[str],
) -> list[Pick]:
    """Return the actions that joined parts of a clause ask for: "the details and reviews of X"."""
    said = {word for word, weight in main.action.bag.items() if weight >= 1} | explained
    chosen = [*before, main.action]
    found: list[Pick] = []
    for start, end in pieces(text):
        least = matching.OBJECT if start == 0 else 0.3
        own = [one for one in reading.words if start <= one.start < end and one.weight >= least]
        left = {one.normal: 1.0 for one in own if one.normal not in said | VERBS}
        if not left:
            continue
        piece = Reading(tuple(own), None, left)
        best = matching.rate(known, piece, [0.0] * len(known.actions), chosen)[0]
        covered = _covered(known, best.action, left)
        if any(verb not in PLAIN and verb != reading.verb for verb in best.action.verbs):
            continue  # its verb would have been said
        if (
            best.action in chosen
            or covered < PIECE_COVERED
            or best.score < PIECE_SCORE * known.scale
        ):
            continue
        found.append(Pick(best.action, main.clause, named=covered))
        chosen.append(best.action)
        said |= set(best.action.bag)
    return found


def pieces(text: str) -> list[tuple[int, int]]:
    """Return where the parts of a clause stand that commas, "and" and "with" join."""
    cuts = [match.span() for match in _JOINTS.finditer(masked(text))]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    return list(zip(starts, ends, strict=True))


def _covered(known: Known, action: Described, words: dict[str, float]) -> float:
    whole = sum(known.rarity(word) for word in action.nouns) or 1.0
    return sum(known.rarity(word) for word in action.nouns if word in words) / whole


def _place(action: Described, reading: Reading) -> int:
    """Return where a clause first names an action."""
    places = [one.start for one in reading.words if one.normal in action.nouns]
    return min(places, default=END)
