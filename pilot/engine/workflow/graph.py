"""The order of steps: declared dependencies, and those that their references imply."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pilot.engine.language.step_fields import StepFields
from pilot.engine.workflow import fields
from pilot.engine.workflow.faults import Read
from pilot.engine.workflow.outline import bodies

Dependencies = Mapping[str, frozenset[str]]


def dependencies(body: Sequence[StepFields | dict[str, Any]]) -> dict[str, frozenset[str]]:
    """Return what each step of a list waits for: ids of steps in the same list.

    That is what it declares, the steps that it or its inner steps read (of an inner step of
    another, the outer one), and the approvals that guard it.
    """
    written = [step if isinstance(step, dict) else step.model_dump(by_alias=True) for step in body]
    named = [step for step in written if isinstance(step.get("id"), str)]
    return of_steps(named, [fields.reads(step) for step in named])


def of_steps(
    body: Sequence[dict[str, Any]], reads: Sequence[frozenset[Read]]
) -> dict[str, frozenset[str]]:
    """Return the same for steps as they are written, each with an id and the paths it reads."""
    own = [_ids(step) for step in body]
    outer = {name: names[0] for names in reversed(own) for name in names}
    found = {
        names[0]: {*_texts(step.get("dependencies")), *fields.step_ids(paths)} - {*names[1:]}
        for step, names, paths in zip(body, own, reads, strict=True)
    }
    for step in body:
        for guarded in _texts(step.get("guards")):
            if guarded in outer:
                found[outer[guarded]].add(step["id"])
    needs = {
        name: frozenset(outer[one] for one in needed if one in outer and outer[one] != name)
        | ({name} & needed)
        for name, needed in found.items()
    }
    return _ask_when_all_is_known(body, needs)


def _ask_when_all_is_known(
    body: Sequence[dict[str, Any]], needs: dict[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Let approvals wait for what the actions behind them read: approvers see what will happen."""
    for step in body:
        if step.get("type") != "human_approval":
            continue
        asked = step["id"]
        behind = descendants(needs, asked)
        guarded = [
            one["id"] for one in body if one.get("type") == "action" and asked in needs[one["id"]]
        ]
        known = {name for one in guarded for name in needs[one]} - behind - {asked}
        needs[asked] |= known
    return needs


def ready(needs: Dependencies, finished: Iterable[str], started: Iterable[str] = ()) -> list[str]:
    """Return, in list order, the steps that may start: not started, and all they need finished."""
    done = frozenset(finished)
    begun = done.union(started)
    return [name for name, needed in needs.items() if name not in begun and needed <= done]


def cycle(needs: Dependencies) -> list[str] | None:
    """Return the ids of one cycle, each waiting for the next, or None."""
    behind = _behind(needs)
    open_ = {name: sum(one in needs for one in needed) for name, needed in needs.items()}
    free = [name for name, count in open_.items() if not count]
    while free:
        name = free.pop()
        del open_[name]
        for one in behind.get(name, ()):
            open_[one] -= 1
            if not open_[one]:
                free.append(one)
    left = {name: needs[name] for name in needs if name in open_}
    if not left:
        return None
    path = [next(iter(left))]
    while True:
        following = next(name for name in left if name in left[path[-1]])
        if following in path:
            return path[path.index(following) :]
        path.append(following)


def descendants(needs: Dependencies, name: str) -> frozenset[str]:
    """Return all steps that wait for this one, directly or through others."""
    behind = _behind(needs)
    found: set[str] = set()
    fresh = [name]
    while fresh:
        new = [one for one in behind.get(fresh.pop(), ()) if one not in found]
        found.update(new)
        fresh += new
    return frozenset(found)


def skipped_with(needs: Dependencies, names: Iterable[str]) -> frozenset[str]:
    """Return these steps and all that are skipped when they are: what waits for such ones alone."""
    behind = _behind(needs)
    open_ = {name: len(needed) for name, needed in needs.items()}
    found = set(names)
    fresh = list(found)
    while fresh:
        for one in behind.get(fresh.pop(), ()):
            open_[one] -= 1
            if not open_[one] and one not in found:
                found.add(one)
                fresh.append(one)
    return frozenset(found)


def _behind(needs: Dependencies) -> dict[str, list[str]]:
    """Return which steps wait for each."""
    found: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for one in needed:
            found.setdefault(one, []).append(name)
    return found


def _ids(step: dict[str, Any]) -> list[str]:
    """Return the id of a step and those of all steps within it."""
    found = _texts([step.get("id")])
    for _, _, body in bodies(step):
        for inner in body if isinstance(body, list) else ():
            if isinstance(inner, dict):
                found += _ids(inner)
    return found


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
