"""What a workflow can take at worst: how many steps run, how often models are asked, at what cost.

Of branches the longest counts, every error branch runs, every step with I/O needs all of its
attempts, all that can be undone is undone. How many items there are is what was seen, or what the
workflow allows. A workflow within a step counts with all that it takes, an agent's in the version
that would be started. Steps are those of the document: not the turns of a decision, nor the calls
of a batch. A question to a model counts once, also where its answer is mended or another is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pilot.engine import steps
from pilot.engine.acting.repeating import MAX_ITEMS
from pilot.engine.agents.nesting import MAX_DEPTH
from pilot.engine.language.step_fields import MODEL_STEPS, Retry, StepFields
from pilot.engine.life import forecast
from pilot.engine.life.past_runs import Find, Known
from pilot.engine.workflow import document
from pilot.engine.workflow.document import Workflow
from pilot.engine.workflow.outline import AFTER

BRANCHING = ("conditional", "switch")


@dataclass(frozen=True)
class Bounds:
    """From and to: steps, attempts at them, calls to models, and what those cost."""

    least: int = 0
    most: int = 0
    attempts: int = 0
    asks: int = 0
    usd: Decimal = Decimal(0)
    unpriced: int = 0  # calls whose price nobody knows

    def __add__(self, other: "Bounds") -> "Bounds":
        """Return what both take."""
        return Bounds(*(a + b for a, b in zip(_parts(self), _parts(other), strict=True)))

    def times(self, least: int, most: int) -> "Bounds":
        """Return what it takes so often."""
        return Bounds(self.least * least, *(one * most for one in _parts(self)[1:]))


def _parts(one: Bounds) -> list[Any]:
    return [getattr(one, name) for name in Bounds.__dataclass_fields__]


@dataclass(frozen=True)
class _Facts:
    """What the bounds depend on beside the steps."""

    known: Known
    items: Mapping[str, int] | None  # seen, by path of the loop; None: as many as may be
    most_items: int
    find: Find
    retry: Retry = field(default_factory=Retry)
    undoes: bool = True  # what is finished, if the execution fails
    depth: int = 0  # of executions within executions
    found: dict[Any, Bounds] = field(default_factory=dict)  # of agents, which may come often


def of(
    workflow: Workflow,
    known: Known,
    items: Mapping[str, int] | None = None,
    most_items: int = MAX_ITEMS,
    find: Find = lambda _agent, _version: None,
) -> Bounds:
    """Return the bounds of a workflow, for so many items or for as many as it allows."""
    return _whole(workflow, _Facts(known, items, most_items, find))


def _whole(workflow: Workflow, facts: _Facts) -> Bounds:
    retry, undoes = workflow.defaults.retry or Retry(), workflow.policies.compensate
    return _all(workflow.steps, "", replace(facts, retry=retry, undoes=undoes))


def _all(body: Sequence[StepFields], prefix: str, facts: _Facts) -> Bounds:
    return sum((_one(step, prefix + step.id, facts) for step in body), Bounds())


def _one(step: StepFields, path: str, facts: _Facts) -> Bounds:
    module = steps.load(step.type)
    attempts = (step.retry or facts.retry).max_attempts
    tries = attempts if getattr(module, "IO", False) else 1
    found = Bounds(1, 1, tries) + _asks(step, path, tries, facts) + _within(step, path, facts)
    if step.compensate is not None and facts.undoes:
        found += Bounds(0, 1, attempts)
    lists = document.bodies(step)
    inner = [_all(body, f"{path}/", facts) for name, body in lists if name not in AFTER]
    if step.type in BRANCHING:
        found += _longest(inner, whole=step.type == "conditional" and len(inner) > 1)
    else:
        found += sum(inner, Bounds()).times(*_rounds(step, path, facts))
    for name, body in lists:
        if name in AFTER:
            after = _all(body, f"{path}/{name}/", facts)
            found += after.times(0, 1)
    return found if step.execute_if is None else found.times(0, 1)


def _within(step: Any, path: str, facts: _Facts) -> Bounds:
    """Return what the execution takes that a step starts."""
    if step.type != "sub_workflow" or facts.depth >= MAX_DEPTH:
        return Bounds()
    items = facts.items
    if items is not None:
        below = f"{path}/"
        items = {key[len(below) :]: n for key, n in items.items() if key.startswith(below)}
    facts = replace(facts, items=items, depth=facts.depth + 1)
    own = document.inner(step)
    if own is not None:
        return _whole(own, replace(facts, known=facts.known.within(path)))
    seen = None if items is None else frozenset(items.items())
    key = step.agent, step.version, facts.depth, seen
    if key not in facts.found:
        ran = facts.find(step.agent, step.version)
        facts.found[key] = _whole(ran[0], replace(facts, known=ran[1])) if ran else Bounds()
    return facts.found[key]


def _longest(inner: list[Bounds], *, whole: bool) -> Bounds:
    """Return the bounds of one of several lists; `whole`: there is none but these."""
    if not inner:
        return Bounds()
    least = min(one.least for one in inner) if whole else 0
    return Bounds(least, *(max(parts) for parts in zip(*map(_most, inner), strict=True)))


def _most(one: Bounds) -> list[Any]:
    return _parts(one)[1:]


def _rounds(step: Any, path: str, facts: _Facts) -> tuple[int, int]:
    """Return how often the steps in a loop run: at least and at most."""
    if not hasattr(steps.load(step.type), "REPEATS"):
        return 1, 1
    bound = min(getattr(step, "max_iterations", facts.most_items), facts.most_items)
    if getattr(step, "items", None) is None:
        return 0, bound
    if isinstance(step.items, list):
        return len(step.items), len(step.items)
    if facts.items is not None and path in facts.items:
        return facts.items[path], facts.items[path]
    return 0, bound


def _asks(step: Any, path: str, tries: int, facts: _Facts) -> Bounds:
    """Return what a step asks models: a decision in every turn, and again for each attempt.

    A batch asks about its rows call by call, and at worst about each once more.
    """
    if step.type not in MODEL_STEPS:
        return Bounds()
    asks = tries * getattr(step, "max_iterations", 1)
    if getattr(step, "batch", None) is not None:
        seen = facts.most_items if facts.items is None else facts.items.get(path, facts.most_items)
        asks *= 2 * forecast.row_calls(step, forecast.rows_of(step, seen))
    usd, priced = forecast.rarely_above(step, path, facts.known)
    return Bounds(asks=asks, usd=usd * asks, unpriced=0 if priced else asks)
