"""The ways through a workflow: branches, cases and error branches, and how to take each of them.

A way is a step with one of its lists: a conditional with `then`, a switch with `case0`, any step
with `on_error` or `on_timeout`. A simulation takes one way at each of these steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pilot.engine.language.step_fields import StepFields
from pilot.engine.workflow import document
from pilot.engine.workflow.outline import AFTER
from pilot.errors import InvalidError, Issue

MOST = 50  # simulations at once
DECIDING = ("conditional", "switch")
Ways = dict[str, str]


@dataclass(frozen=True)
class Way:
    """One list of steps that may run: of which step, under which name, at which path."""

    step: StepFields
    name: str
    path: str  # of the step, as it is recorded, without the numbers of rounds


def all_of(body: Sequence[StepFields], prefix: str = "") -> Iterator[Way]:
    """Yield every way through these steps, outer before inner, in the order of the document."""
    for step in body:
        path = prefix + step.id
        for name in names(step):
            yield Way(step, name, path)
        for segment, inner in document.bodies(step):
            yield from all_of(inner, f"{path}/{segment}/" if segment in AFTER else f"{path}/")


def names(step: StepFields) -> list[str]:
    """Return the names of the ways at a step; none where it only goes on."""
    found = [segment for segment, _ in document.bodies(step)]
    if step.type not in DECIDING:
        return [one for one in found if one in AFTER]
    usual = ["then", "else"] if step.type == "conditional" else ["default"]
    return [*dict.fromkeys([*found, *usual])]


def check(body: Sequence[StepFields], wanted: Mapping[str, str]) -> None:
    """Refuse ways that the workflow does not have.

    Raises:
        InvalidError: with each of them, and what there is.
    """
    known: dict[str, list[str]] = {}
    for way in all_of(body):
        known.setdefault(way.step.id, []).append(way.name)
    issues = []
    for step_id, name in wanted.items():
        there = known.get(step_id, [])
        if name not in there:
            has = f"it has {', '.join(there)}" if there else "there is no choice at this step"
            message = f"{step_id} has no way {name!r}: {has}."
            issues.append(Issue("E_INPUT", f"/force/{step_id}", message))
    if issues:
        raise InvalidError(issues)


def covering(body: Sequence[StepFields]) -> list[Ways]:
    """Return the fewest simulations that take every way once: steps side by side share them.

    Raises:
        InvalidError: they are too many.
    """
    found = _through(body) or [{}]
    if len(found) > MOST:
        message = f"Every way once takes {len(found)} simulations, {MOST} at most: name the ways."
        raise InvalidError([Issue("E_LIMIT", "/force", message)])
    return found


def _through(body: Sequence[StepFields]) -> list[Ways]:
    together: list[Ways] = []
    for step in body:
        mine = _at(step)
        last = mine[-1] if mine else {}
        before = together[-1] if together else {}
        together = [
            (before if one is None else one) | (last if other is None else other)
            for one, other in zip_longest(together, mine)
        ]
    return together


def _at(step: StepFields) -> list[Ways]:
    """Return the ways at a step and inside it, one simulation each."""
    lists = dict(document.bodies(step))
    if step.type in DECIDING:
        normal = [
            {step.id: name} | inner
            for name in names(step)
            if name not in AFTER
            for inner in _through(lists.get(name, [])) or [{}]
        ]
    else:  # its lists run together
        normal = _through(
            [one for name, body in lists.items() if name not in AFTER for one in body]
        )
    late = [
        {step.id: name} | inner
        for name in AFTER
        if name in lists
        for inner in _through(lists[name]) or [{}]
    ]
    return (normal or [{}]) + late if late else normal
