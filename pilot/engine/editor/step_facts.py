"""What holds for each step of a workflow, in words: parameters and sources, when, how often."""

from dataclasses import dataclass
from typing import Any

from pilot import strictjson
from pilot.engine import steps
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.pointers import pointer
from pilot.engine.language.step_fields import Branch, Continue, Retry, StepFields
from pilot.engine.validation.context import Context, effect_of
from pilot.engine.workflow import document as documents
from pilot.engine.workflow.document import Workflow
from pilot.engine.workflow.outline import Node, bodies
from pilot.errors import type_json

MOST_SHOWN = 600  # characters of one value; the text of the workflow has all
EFFECTS = {
    "pure": "changes nothing outside",
    "keyed": "may be sent again: its key makes it count once",
    "probe": "asked first whether it happened, before it is sent again",
    "once": "never repeated by itself",
}
# What every step has, and what its action is called: told in sentences of their own.
_COMMON = StepFields.model_fields.keys() | {"plugin", "action"}


@dataclass(frozen=True)
class Parameter:
    """One thing that a step is given."""

    name: str
    value: str
    sources: tuple[tuple[str, str], ...]  # ("input", name), ("step", id), ("", another root)


@dataclass(frozen=True)
class Facts:
    """One step."""

    kind: str
    parameters: tuple[Parameter, ...]
    when: str  # the condition; empty: always
    needs: tuple[str, ...]  # ids of the steps it waits for
    retry: str  # empty: it has nothing to repeat
    failure: str
    effect: str  # effect class of an action, else empty
    timeout_s: float | None

    @property
    def effect_words(self) -> str:
        """What its effect class means when it is tried again."""
        return EFFECTS.get(self.effect, "")


def facts(document: type_json, catalogue: Catalogue) -> dict[str, Facts]:
    """Return the facts of each step by its id; none of a document that cannot be read."""
    workflow, issues = documents.read(document)
    if workflow is None or issues:
        return {}
    context = Context(document, catalogue)
    known = {step.id: step for step in documents.walk(workflow.steps)}
    return {
        node.id: _facts(context, node, known[node.id], workflow)
        for node in context.nodes
        if node.id in known
    }


def _facts(context: Context, node: Node, step: StepFields, workflow: Workflow) -> Facts:
    module = steps.load(step.type)
    effect = _effect(context, node, step)
    usual = getattr(module, "TIMEOUT_S", None)
    return Facts(
        kind=wording.kind(node.step),
        parameters=tuple(_parameters(context, node)),
        when="" if step.execute_if is None else wording.condition(step.execute_if),
        needs=tuple(sorted(context.needs(node).get(node.id, ()))),
        retry=_retry(step.retry or workflow.defaults.retry or Retry(), effect) if module.IO else "",
        failure=_failure(step, workflow),
        effect=effect,
        timeout_s=step.timeout_s or workflow.defaults.timeout_s or usual,
    )


def _effect(context: Context, node: Node, step: StepFields) -> str:
    action = context.action(node)
    if action is None:
        return ""
    return step.effect or effect_of(action, node.step.get("params"))


def _parameters(context: Context, node: Node) -> list[Parameter]:
    inner = {path.split("/")[1] for _, path, _ in bodies(node.step)}
    found = []
    for name, value in node.step.items():
        if name in _COMMON or name in inner:
            continue
        path = node.path + pointer(name)
        if name == "params" and isinstance(value, dict):
            found += [
                _parameter(context, node, key, one, path + pointer(key))
                for key, one in value.items()
            ]
        else:
            found.append(_parameter(context, node, name.replace("_", " "), value, path))
    return found


def _parameter(context: Context, node: Node, name: str, value: Any, path: str) -> Parameter:
    reads = [
        read
        for use in context.uses_of[id(node)]
        if use.path == path or use.path.startswith(f"{path}/") or not use.written.path
        for read in use.compiled.reads
    ]
    shown = value if isinstance(value, str) else strictjson.dumps(value)
    if len(shown) > MOST_SHOWN:
        shown = f"{shown[:MOST_SHOWN]} …"
    return Parameter(name, shown, tuple(sorted({_source(read) for read in reads})))


def _source(read: tuple[str | int, ...]) -> tuple[str, str]:
    kinds = {"inputs": "input", "steps": "step"}
    if read[0] in kinds and len(read) > 1:
        return kinds[str(read[0])], str(read[1])
    return "", str(read[0])


def _retry(rule: Retry, effect: str) -> str:
    if rule.max_attempts == 1:
        return "one attempt"
    classes = ", ".join(rule.retry_on).replace("_", " ")
    text = f"up to {rule.max_attempts} attempts on {classes}"
    return f"{text}, only if it provably never left" if effect == "once" else text


def _failure(step: StepFields, workflow: Workflow) -> str:
    undone = f"; undone by {step.compensate.action_name}" if step.compensate else ""
    return _answered(step, workflow) + undone


def _answered(step: StepFields, workflow: Workflow) -> str:
    chosen = step.on_error or workflow.defaults.on_error or "fail"
    if isinstance(chosen, Branch):
        return f"{', '.join(one.id for one in chosen.branch)} in its place"
    if isinstance(chosen, Continue):
        return f"goes on with {strictjson.dumps(chosen.tolerated.output)[:MOST_SHOWN]} as output"
    if chosen == "continue":
        return "goes on without its output"
    if workflow.policies.on_error == "finish":
        return "what does not need it runs on, then the execution fails"
    return "the execution fails; nothing new starts"
