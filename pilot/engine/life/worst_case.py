"""What a workflow can take at worst: how many steps run, how often models are asked, at what cost.

Of branches the longest counts, every error branch runs, every step with I/O needs all of its
attempts. How many items there are is what was seen, or what the workflow allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pilot.engine import steps
from pilot.engine.acting.repeating import MAX_ITEMS
from pilot.engine.language.step_fields import MODEL_STEPS, Retry, StepFields
from pilot.engine.life import forecast
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

    retry: Retry
    known: forecast.Known
    items: Mapping[str, int] | None  # seen, by path of the loop; None: as many as may be
    most_items: int


def of(
    workflow: Workflow,
    known: forecast.Known,
    items: Mapping[str, int] | None = None,
    most_items: int = MAX_ITEMS,
) -> Bounds:
    """Return the bounds of a workflow, for so many items or for as many as it allows."""
    facts = _Facts(workflow.defaults.retry or Retry(), known, items, most_items)
    return _all(workflow.steps, "", facts)


def _all(body: Sequence[StepFields], prefix: str, facts: _Facts) -> Bounds:
    return sum((_one(step, prefix + step.id, facts) for step in body), Bounds())


def _one(step: StepFields, path: str, facts: _Facts) -> Bounds:
    module = steps.load(step.type)
    tries = (step.retry or facts.retry).max_attempts if getattr(module, "IO", False) else 1
    found = Bounds(1, 1, tries) + _asks(step, path, tries, facts)
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
