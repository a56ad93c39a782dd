"""Puts steps before others that need what only they give: a lookup before a use of its id."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pilot.engine.clause_planner import literals
from pilot.engine.clause_planner.binding import Call, bind
from pilot.engine.clause_planner.choosing import Pick
from pilot.engine.clause_planner.described import Described, Known, Parameter, alike, same_name
from pilot.engine.clause_planner.splitting import Part
from pilot.engine.clause_planner.words import VERBS, normals
from pilot.plugins import Effect

MAX_DEPTH = 3


@dataclass
class Chain:
    """The calls so far, in the order in which they run."""

    known: Known
    goal: str
    parts: Sequence[Part]
    scores: dict[str, float]  # of the whole goal
    calls: list[Call] = field(default_factory=list)
    filled: dict[int, int] = field(default_factory=dict)  # the call that a clause only fills in

    def add(self, pick: Pick) -> None:
        """Append what a clause asks for, behind what it needs."""
        text = self.parts[pick.clause].text
        for number, call in enumerate(self.calls):
            again = not any(one.kind != "name" for one in literals.values(text))
            if call.action is pick.action and (call.implied or call.missing or again):
                call.implied, call.text = False, f"{call.text}; {text}"
                call.bound = {}
                bind(call, self.calls[:number], self.goal)
                return
        self._append(pick.action, pick.clause, text, implied=False, role="", depth=0)

    def fill(self, clause: int, text: str) -> None:
        """Give the values that a clause states to the call before it, if that takes them."""
        before = [n for n, one in enumerate(self.calls) if one.clause <= clause and not one.implied]
        if not before or not literals.values(text):
            return
        call = self.calls[before[-1]]
        old = (call.text, call.bound)
        call.text, call.bound = f"{call.text}; {text}", {}
        bind(call, self.calls[: before[-1]], self.goal)
        stated = [name for name, one in call.bound.items() if one.call is None]
        if len(stated) > sum(one.call is None for one in old[1].values()):
            self.filled[clause] = before[-1]
        else:
            call.text, call.bound = old

    def _append(
        self, action: Described, clause: int, text: str, *, implied: bool, role: str, depth: int
    ) -> None:
        call = Call(action, clause, text, {}, implied, role, self._looked_up(action))
        bind(call, self.calls, self.goal)
        if depth < MAX_DEPTH:
            needed = self._needed(call)
            for (name, part), _ in sorted(needed.items(), key=lambda one: one[1]):
                source = self.known.by_name[name]
                self._append(source, clause, text, implied=True, role=part, depth=depth + 1)
            if needed:
                call.bound = {}
                bind(call, self.calls, self.goal)
        self.calls.append(call)

    def _looked_up(self, action: Described) -> frozenset[str]:
        """Return the parameters that another action of the plugin finds out and does not take."""
        if not self._several:
            return frozenset()
        return frozenset(
            one.name
            for one in action.parameters
            for other in self.known.actions
            if other.plugin == action.plugin and other is not action
            if other.effect == Effect.PURE
            if all(taken.words != one.words for taken in other.parameters)
            if any(output.leaf == one.words for output in other.outputs)
        )

    def _needed(self, call: Call) -> dict[tuple[str, str], int]:
        """Return which actions give what the call lacks, by name and role."""
        found: dict[tuple[str, str], int] = {}
        lacking = [one for one in call.action.wanted if one.name not in call.bound]
        for one in lacking:
            source = self._source(call, one)
            if source is not None:
                found.setdefault(source, len(found))
        return found

    def _source(self, call: Call, one: Parameter) -> tuple[str, str] | None:
        """Return the action that gives a parameter, if one surely does, and for which role."""
        rated: list[tuple[tuple[float, ...], str, str]] = []
        own = set(normals(f"{call.action.name} {one.name}")) - VERBS
        for action in self.known.actions:
            if action is call.action or action.effect != Effect.PURE:
                continue
            if any(other.words == one.words for other in action.wanted):
                continue
            matches = [
                (quality, alike(one, output), output)
                for output in action.outputs
                if (quality := same_name(one, output))
            ]
            if not matches:
                continue
            quality, about, output = max(matches, key=lambda pair: pair[:2])
            shared = set(action.words) - VERBS
            if not one.is_key and not (
                (action.plugin == call.action.plugin and self._several)
                or set(one.words) & set(normals(action.name))
            ):
                continue
            keys = sum(other.is_key for other in action.wanted)
            rank = (quality, -keys, about, len(shared & own), self.scores[action.name])
            role = " ".join(one.words[: len(one.words) - len(output.leaf)]) if quality < 3 else ""
            rated.append((rank, action.name, role))
        if not rated:
            return None
        _, name, role = max(rated)
        return name, role

    @property
    def _several(self) -> bool:
        return len({one.plugin for one in self.known.actions}) > 1


def chain(
    known: Known, goal: str, parts: Sequence[Part], picks: Sequence[Pick], scores: Sequence[float]
) -> Chain:
    """Return the calls of all picks with their bound parameters.

    A clause that asks for nothing itself ("I arrive on October 5") fills in the call before it.
    """
    by_name = {one.name: score for one, score in zip(known.actions, scores, strict=True)}
    found = Chain(known, goal, parts, by_name)
    for pick in picks:
        found.add(pick)
    asked = {one.clause for one in picks}
    for number, part in enumerate(parts):
        if part.kind == "action" and part.text and number not in asked:
            found.fill(number, part.text)
    return found
