"""Documents of older builders, read as ours, with every change in words.

Such a document is stored as it came in and never touched: whoever reads it reads it through here,
so that all see the same steps. It stands below the tables, because their rows are read through it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pilot.errors import type_json
from pilot.older import bodies, inputs, steps
from pilot.older.references import References, refers_to
from pilot.strictjson import MAX_DEPTH

FORMAT = 1  # of what a conversion gives
_STEP_LISTS = ("pilot_steps", "pilotSteps", "workflow_steps", "workflowSteps")
_KEPT = ("name", "description", "goal", "output", "output_schema", "policies", "metadata")


@dataclass
class Conversion:
    """The converted document, and every change in words."""

    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def is_older(document: type_json) -> bool:
    """Say whether a document is of an older builder: a list of steps, or keys that only it had."""
    if isinstance(document, dict) and "format" in document:
        return False
    body = _body(document)
    if isinstance(document, dict) and "steps" not in document and body:
        return True
    found = list(bodies.walk(body))
    return bool(found) and (isinstance(document, list) or any(map(steps.is_older, found)))


def ours(document: type_json) -> type_json:
    """Return a document as ours: converted if it is of an older builder, else as it is."""
    return convert(document).document if is_older(document) else document


def convert(document: type_json, fields: type_json = None) -> Conversion:
    """Return our document for an older one; what cannot be converted stays for the validator.

    Ids, order, names, conditions and declared dependencies survive. Steps without any dependency
    or reference are chained in their order. `fields` are its inputs if it names none itself.
    """
    result = Conversion({"format": FORMAT, "steps": []})
    if bodies.is_deeper(document, MAX_DEPTH):
        result.notes.append(f"It is nested deeper than {MAX_DEPTH} levels: nothing was read.")
        return result
    source = bodies.copied(document)
    around = source if isinstance(source, dict) else {}
    body = _body(source)
    result.document |= {key: around[key] for key in _KEPT if around.get(key) is not None}
    for step in bodies.walk(body):
        _convert_workflow_within(step, result.notes)
    names = _give_ids(body, result.notes)
    references = References(names)
    body = references.rewritten(body)
    if "output" in result.document:
        result.document["output"] = references.rewritten(result.document["output"])
    given = around.get("input_schema", around.get("inputs")) or fields
    if schema := inputs.schema(given, references.inputs, result.notes):
        result.document["inputs"] = schema
    result.document["steps"] = _converted(body, names, result.notes)
    if references.count:
        told = "References like {{step1.data.x}} read {{steps.step1.output.x}}: "
        result.notes.append(f"{told}{references.count} of them.")
    return result


def _body(document: type_json) -> list[Any]:
    if isinstance(document, dict):
        lists = [document.get(key) for key in (*_STEP_LISTS, "steps")]
        document = next((one for one in lists if isinstance(one, list) and one), [])
    return document if isinstance(document, list) else []


def _convert_workflow_within(step: dict[str, Any], notes: list[str]) -> None:
    """Convert the steps of a sub_workflow: a document by itself, with ids of its own."""
    key = "workflowSteps" if "workflowSteps" in step else "steps"
    if step.get("type") == "sub_workflow" and isinstance(step.get(key), list):
        found = convert(step.pop(key))
        step["steps"] = found.document["steps"]
        notes += found.notes


def _give_ids(body: list[Any], notes: list[str]) -> dict[str, str]:
    """Give every step an id that may stand in a document; return the new ids by the old ones."""
    found = [step["id"] for step in bodies.walk(body) if isinstance(step.get("id"), str)]
    names = {name: steps.clean_id(name) for name in found}
    taken = set(names.values())

    def give(body: list[Any], around: str) -> None:
        for number, step in bodies.numbered(body):
            name = step.get("id")
            if not isinstance(name, str) or not name:
                step["id"] = _free(f"{around}_{number}" if around else f"step{number}", taken)
                where = f" of {around}" if around else ""
                notes.append(f"Step {number}{where} got the id {step['id']}.")
            elif names[name] != name:
                step["id"] = names[name]
                notes.append(f"The id {name[:80]} reads {names[name]}.")
            names.setdefault(step["id"], step["id"])
            for holder, key in bodies.within(step):
                give(holder[key], step["id"])

    give(body, "")
    return names


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _converted(
    body: list[Any], names: dict[str, str], notes: list[str], *, chained: bool = True
) -> list[Any]:
    """Convert a list of steps, the inner ones first; what is no step stays for the validator."""
    for _, step in bodies.numbered(body):
        beside = step.get("type") == "parallel_group"
        for holder, key in bodies.within(step):
            holder[key] = _converted(holder[key], names, notes, chained=not beside)
    converted = [steps.convert(one, notes) if isinstance(one, dict) else one for one in body]
    ours = [one for one in converted if isinstance(one, dict)]
    for step in ours:
        if isinstance(step.get("dependencies"), list):
            step["dependencies"] = _ids(step["dependencies"], names)
    _route([step for _, step in bodies.numbered(body)], ours, names, notes)
    if chained:
        _chain(ours, notes)
    return converted


def _route(
    body: list[dict[str, Any]],
    converted: list[dict[str, Any]],
    names: dict[str, str],
    notes: list[str],
) -> None:
    """Branches that named ids become conditions of those steps."""
    by_id = {step["id"]: step for step in converted}
    for step in body:
        for condition, targets in _branches(step):
            for name in _ids(targets, names):
                if name not in by_id:
                    notes.append(f"{step['id']} leads to {name}, which does not exist.")
                    steps.depend(by_id[step["id"]], name)  # E_BRANCH_TARGET says it
                    continue
                steps.require(by_id[name], condition)
                notes.append(f"{name} runs if {condition}.")


def _branches(step: dict[str, Any]) -> Iterator[tuple[str, type_json]]:
    source = f"steps.{step['id']}.output"
    for key in steps.TRUE_BRANCHES:
        yield f"{source}.result", step.get(key)
    for key in steps.FALSE_BRANCHES:
        yield f"not {source}.result", step.get(key)
    for number, (_, target) in enumerate(steps.cases(step)):
        yield f"{source}.branch == 'case{number}'", target
    if step.get("type") == "switch":
        yield f"{source}.branch == 'default'", step.get("default")


def _ids(value: type_json, names: dict[str, str]) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [names.get(one, one) for one in listed if isinstance(one, str)]


def _chain(converted: list[dict[str, Any]], notes: list[str]) -> None:
    """Steps that name no other of their list run one after another, as they were written."""
    own = {step["id"] for step in converted}
    if any(step.get("dependencies") or refers_to(step, own) for step in converted):
        return
    for before, step in pairwise(converted):
        step["dependencies"] = [before["id"]]
    if len(converted) > 1:
        notes.append(f"{', '.join(sorted(own))[:200]} name no other: chained in their order.")
