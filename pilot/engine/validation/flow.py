"""Which steps run together: never reached ones, and results that may not be there."""

import re
from collections.abc import Iterator
from typing import Any

from pilot import strictjson
from pilot.engine.language import pointers
from pilot.engine.validation import repeats, types
from pilot.engine.validation.context import Context, Use
from pilot.engine.workflow import fields, graph
from pilot.engine.workflow.outline import AFTER, Node
from pilot.errors import Issue

Guard = tuple[str, str]


def check(context: Context) -> Iterator[Issue]:
    """Yield E_UNREACHABLE, W_REF_MAYBE_SKIPPED and W_NO_DEFAULT."""
    for node in context.nodes:
        yield from _constant(context, node)
        if node.type == "switch":
            yield from _open_switch(context, node)
        elif node.type == "conditional":
            yield from _one_sided(context, node)
    yield from _behind_stops(context)
    for use in context.uses:
        yield from _reads(context, use)


def _behind_stops(context: Context) -> Iterator[Issue]:
    """What waits for a stop that always runs never does: nothing runs after it."""
    stopping = [node for node in context.nodes if node.type == "stop" and node.id]
    ended: dict[int, str] = {}
    for stop in stopping:
        tolerated = stop.step.get("on_error") not in (None, "fail")
        if tolerated or stop.id in _skippable(context, stop):
            continue
        behind = graph.descendants(context.needs(stop), stop.id) - {stop.id}
        for node in stop.siblings:
            if node.id in behind and ended.setdefault(id(node), stop.id) == stop.id:
                message = (
                    f"This waits for {stop.id}, which ends the execution: it never runs. Take it "
                    f"out, or say with execute_if when {stop.id} is to stop."
                )
                yield Issue("E_UNREACHABLE", node.path, message, got=stop.id)


def _skippable(context: Context, one: Node) -> set[str]:
    """Return the steps of a list that may be skipped, themselves or with all they wait for."""
    needs = context.needs(one)
    found: set[str] = set()
    for node in one.siblings:
        needed = needs.get(node.id, frozenset())
        conditional = node.step.get("execute_if") not in (None, True)
        if conditional or skips_itself(context, node) or (needed and needed <= found):
            found.add(node.id)
    return found


def _constant(context: Context, node: Node) -> Iterator[Issue]:
    for use in context.uses_of[id(node)]:
        key = use.path.removeprefix(node.path)
        if key in {"/execute_if", "/condition"}:
            yield from _never(node, key, types.constant(use))
    for key in ("/execute_if", "/condition"):
        yield from _never(node, key, node.step.get(key[1:]))


def _never(node: Node, key: str, value: Any) -> Iterator[Issue]:
    path = node.path + key
    if value is False and (key == "/execute_if" or node.step.get("then")):
        message = "This is never true: what it guards never runs. Correct it or take it out."
        yield Issue("E_UNREACHABLE", path, message, got="false")
    elif value is True and key == "/condition" and node.step.get("else"):
        message = "This is always true: the else branch never runs. Correct it or take it out."
        yield Issue("E_UNREACHABLE", f"{node.path}/else", message, got="true")


def _open_switch(context: Context, node: Node) -> Iterator[Issue]:
    cases = node.step.get("cases")
    if node.step.get("default") or not isinstance(cases, list):
        return
    covered: list[str] = []
    for case in cases:
        when = case.get("when") if isinstance(case, dict) else None
        covered += [strictjson.dumps(one) for one in (when if isinstance(when, list) else [when])]
    if {"true", "false"} <= set(covered):
        return
    for use in context.uses_of[id(node)]:
        if use.path == f"{node.path}/value":
            possible = types.of_use(context, use).get("enum")
            if possible and {strictjson.dumps(one) for one in possible} <= set(covered):
                return
    message = "A value that no case names runs nothing: add default, even an empty one is a choice."
    if "default" not in node.step:
        yield Issue("W_NO_DEFAULT", f"{node.path}/default", message, severity="warning")


def _one_sided(context: Context, node: Node) -> Iterator[Issue]:
    """Both branches do something, but only one of them where others see it."""
    if not (node.step.get("then") and node.step.get("else")):
        return
    inner = list(context.within(node))
    effects = {branch(one, node) for one in inner if context.has_effect(one)} - {*AFTER}
    if len(effects) == 1:
        other = "else" if "then" in effects else "then"
        message = f"Only one branch has an effect: is {other} to send or change nothing?"
        yield Issue("W_NO_DEFAULT", f"{node.path}/{other}", message, severity="warning")


def _reads(context: Context, use: Use) -> Iterator[Issue]:
    for name in dict.fromkeys(fields.step_ids(use.compiled.reads)):
        source = context.by_id.get(name)
        if source is None or not _reads_output(use, name):
            continue
        if use.node is not None and _exclude_each_other(source, use.node):
            message = f"{name} and this step are in branches of which only one runs."
            yield Issue("E_UNREACHABLE", use.path, message, got=f"steps.{name}")
        elif may_be_missing(context, source, use):
            message = (
                f"{name} may be skipped, then it has no output: put this step under the same "
                f"condition, or write default(steps.{name}.output..., ...)."
            )
            got = f"steps.{name}"
            yield Issue("W_REF_MAYBE_SKIPPED", use.path, message, got=got, severity="warning")


def _reads_output(use: Use, name: str) -> bool:
    return any(path[:3] == ("steps", name, "output") for path in use.compiled.reads)


def may_be_missing(context: Context, source: Node, use: Use) -> bool:
    """Say whether a step's output may not be there when a text that reads it is evaluated."""
    open_guards = _guards(context, source)
    if use.node is None:
        return bool(open_guards) and not _is_tolerant(use, source)
    open_guards -= _guards(context, use.node) - {("skip", use.node.path)}
    open_guards -= {(use.node.path, "steps")} if repeats.sees_inside(use) else set()
    if not open_guards or _is_tolerant(use, source):
        return False
    return not (_is_skipped_too(context, source, use.node) or _is_asked(use, use.node, source))


def _guards(context: Context, node: Node) -> set[Guard]:
    """Return what must hold for a step to have an output."""
    found: set[Guard] = set()
    if node.step.get("on_error") == "continue" or skips_itself(context, node):
        found.add(("skip", node.path))
    inner = node
    for one in [node, *node.containers]:
        condition = one.step.get("execute_if")
        if condition not in (None, True):
            found.add(("if", strictjson.canonical(condition)))
        if one is not node:
            if one.type != "parallel_group" or one.step.get("join", "all") != "all":
                found.add((one.path, inner.segment))
            inner = one
    return found


def skips_itself(context: Context, node: Node) -> bool:
    """Say whether a step that runs may count as skipped."""
    if node.type == "validation":
        return node.step.get("on_invalid") == "skip"
    return node.type in {"ai_processing", "llm_decision"} and _skips_empty(context, node)


def _skips_empty(context: Context, node: Node) -> bool:
    if node.step.get("batch") is not None:
        return False  # without rows it has an output without items
    uses = [use for use in context.uses_of[id(node)] if use.path == f"{node.path}/input"]
    skips = node.step.get("on_empty", "skip") == "skip"
    return skips and any(types.may_be_empty(context, use) for use in uses)


def _is_tolerant(use: Use, source: Node) -> bool:
    """A text that asks whether the result is there, or says what stands for it."""
    name = re.escape(source.id)
    pattern = rf"\b(?:exists|default|is_empty)\(\s*steps\.{name}\b"
    if any(re.search(pattern, text) for _, text in pointers.texts(use.written.value)):
        return True
    value = use.written.value
    return isinstance(value, dict) and "exists" in strictjson.dumps(value)


def _is_skipped_too(context: Context, source: Node, reader: Node) -> bool:
    """Say whether the reader, or what contains it, is skipped whenever the source is."""
    around = next((n for n in [reader, *reader.containers] if n in source.siblings), None)
    if around is None:
        return False
    needs = context.needs(source)
    skipped = {source.id}
    for node in source.siblings:
        needed = needs.get(node.id, frozenset())
        if needed and needed <= skipped:
            skipped.add(node.id)
    return around.id in skipped


def _is_asked(use: Use, reader: Node, source: Node) -> bool:
    """Say whether a condition around the reader, other than what reads, looks at the source."""
    pattern = re.compile(rf"\bsteps\.{re.escape(source.id)}\b")
    places = [(one, "execute_if") for one in [reader, *reader.containers]]
    places += [(one, key) for one in reader.containers for key in ("condition", "value")]
    others = [(one, key) for one, key in places if not use.path.startswith(f"{one.path}/{key}")]
    found = (text for one, key in others for _, text in pointers.texts(one.step.get(key)))
    return any(pattern.search(text) for text in found)


def branch(node: Node, container: Node) -> str:
    """Return the branch of the container that a step stands in."""
    inner = node
    while inner.parent is not None and inner.parent is not container:
        inner = inner.parent
    return inner.segment


def _exclude_each_other(one: Node, other: Node) -> bool:
    for container in one.containers:
        if container in other.containers and container.type != "parallel_group":
            segments = {branch(one, container), branch(other, container)}
            return len(segments) == 2 and segments.isdisjoint(AFTER)
    return False


def exclude_each_other(one: Node, other: Node) -> bool:
    """Say whether two steps stand in branches of which only one runs, or under opposite ifs."""
    if _exclude_each_other(one, other):
        return True
    left, right = one.step.get("execute_if"), other.step.get("execute_if")
    pairs = ((left, right), (right, left))
    return any(
        isinstance(a, str) and isinstance(b, str) and a in {f"not {b}", f"not ({b})", f"!{b}"}
        for a, b in pairs
    )
