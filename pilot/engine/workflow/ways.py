"""The ways through a workflow: branches, cases and error branches, and how to take each of them.

A way is a step with one of its lists: a conditional with `then`, a switch with `case0`, any step
with `on_error` or `on_timeout`. That nothing comes in time is one too where the execution goes on
then, and an approval can be `rejected`. A simulation takes one way at each of these steps. Those
within the own steps of a sub_workflow belong to it, as `sub_workflow/step`; an agent's are that
agent's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pilot.engine.language.step_fields import StepFields
from pilot.engine.workflow import document
from pilot.engine.workflow.outline import AFTER, ON_TIMEOUT
from pilot.errors import InvalidError, Issue

MOST = 50  # simulations at once
DECIDING = ("conditional", "switch")
REJECTED = "rejected"
GOES_ON = ("continue", "approve")  # when nothing came in time
Ways = dict[str, str]


@dataclass(frozen=True)
class Way:
    """What may come at a step, mostly a list of steps: its name, and the path of the step."""

    step: StepFields
    name: str
    path: str  # of the step, as it is recorded, without the numbers of rounds
    key: str  # by which it is told: the step's id, behind those of the sub_workflows around it


def all_of(body: Sequence[StepFields], prefix: str = "", around: str = "") -> Iterator[Way]:
    """Yield every way through these steps, outer before inner, in the order of the document."""
    for step in body:
        path, key = prefix + step.id, around + step.id
        for name in names(step):
            yield Way(step, name, path, key)
        for segment, inner in document.bodies(step):
            inside = f"{path}/{segment}/" if segment in AFTER else f"{path}/"
            yield from all_of(inner, inside, around)
        own = document.inner(step)
        if own is not None:
            yield from all_of(own.steps, f"{path}/", f"{key}/")


def within(chosen: Mapping[str, str], step_id: str) -> Ways:
    """Return which of the ways that were chosen belong to the steps of a sub_workflow."""
    around = f"{step_id}/"
    return {
        key.removeprefix(around): name for key, name in chosen.items() if key.startswith(around)
    }


def names(step: StepFields) -> list[str]:
    """Return the names of the ways at a step; none where it only goes on."""
    found = [segment for segment, _ in document.bodies(step)]
    if step.type not in DECIDING:
        late = [one for one in found if one in AFTER]
        late += [ON_TIMEOUT] if getattr(step, ON_TIMEOUT, None) in GOES_ON else []
        return late + ([REJECTED] if step.type == "human_approval" else [])
    usual = ["then", "else"] if step.type == "conditional" else ["default"]
    return [*dict.fromkeys([*found, *usual])]


def check(body: Sequence[StepFields], wanted: Mapping[str, str]) -> None:
    """Refuse ways that the workflow does not have.

    Raises:
        InvalidError: with each of them, and what there is.
    """
    known: dict[str, list[str]] = {}
    for way in all_of(body):
        known.setdefault(way.key, []).append(way.name)
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

    A refusal that ends the execution has one of its own, as nothing that follows would run.

    Raises:
        InvalidError: they are too many.
    """
    found = [*(_through(body) or [{}]), *_refusals(body)]
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


def _refusals(body: Sequence[StepFields]) -> Iterator[Ways]:
    """Yield the way to each refusal that ends the execution."""
    for step in body:
        if REJECTED in names(step) and _ends(step):
            yield {step.id: REJECTED}
        for name, inner in document.bodies(step):
            around = {step.id: name} if step.type in DECIDING or name in AFTER else {}
            yield from (around | one for one in _refusals(inner))
        own = document.inner(step)
        if own is not None:
            yield from (_named(step, one) for one in _refusals(own.steps))


def _ends(step: StepFields) -> bool:
    """Whether a failure of a step ends the execution, for all that the step says."""
    return step.on_error in {None, "fail"}


def _named(step: StepFields, chosen: Ways) -> Ways:
    """Return ways within a step as they are told."""
    return {f"{step.id}/{key}": name for key, name in chosen.items()}


def _within(step: StepFields) -> list[Ways]:
    """Return the ways of the workflow that stands within a step."""
    own = document.inner(step)
    found = _through(own.steps) if own is not None else []
    return [_named(step, one) for one in found]


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
        normal += _within(step)
    late = [
        {step.id: name} | inner
        for name in names(step)
        if name in AFTER or (name == REJECTED and not _ends(step))
        for inner in _through(lists.get(name, [])) or [{}]
    ]
    return (normal or [{}]) + late if late else normal
