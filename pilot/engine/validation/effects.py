"""What goes out: its order, what it says when there is nothing, made-up values."""

import re
from collections.abc import Iterator
from itertools import pairwise

from pilot.engine.language import pointers
from pilot.engine.validation import flow, parameters, types
from pilot.engine.validation.context import Context, Use
from pilot.engine.workflow import fields, graph
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

# A constant that stands for a value nobody gave.
_MADE_UP = re.compile(
    r"^(unknown|n/?a|not\s+(?:available|specified|provided|found|known)|tbd|placeholder|"
    r"john\s+doe|lorem\b|sample\b|default\s+\w+$)",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_FALLBACK = re.compile(r"\b(?:default|coalesce|if_else)\s*\(")


def check(context: Context) -> Iterator[Issue]:
    """Yield W_UNORDERED_EFFECTS, W_EMPTY_INPUT of effects and W_FIELD_DEFAULT."""
    if context.is_readable:
        yield from _unordered(context)
    for node in context.nodes:
        if context.has_effect(node) and node.type == "action":
            yield from _empty(context, node)
    if any(context.has_effect(node) for node in context.nodes):
        for use in context.uses:
            yield from _made_up(use)


def _unordered(context: Context) -> Iterator[Issue]:
    """Compare neighbours in list order: once each follows the one before, all are in order."""
    done: set[int] = set()
    for first in context.nodes:
        if id(first.siblings) in done:
            continue
        done.add(id(first.siblings))
        needs = context.needs(first)
        busy = [one for one in first.siblings if one.id and context.is_effectful(one)]
        for before, node in pairwise(busy):
            after = graph.descendants(needs, before.id)
            exclusive = flow.exclude_each_other(before, node)
            if node.id in after or exclusive or before.id in graph.descendants(needs, node.id):
                continue
            yield _order(before, node)


def _order(before: Node, node: Node) -> Issue:
    message = (
        f"{before.id} and {node.id} change something and may run at the same time: "
        f"let {node.id} wait for {before.id}."
    )
    path = f"{node.path}/dependencies"
    fix = [{"op": "add", "path": path, "value": [before.id]}]
    if isinstance(node.step.get("dependencies"), list):
        fix = [{"op": "add", "path": f"{path}/-", "value": before.id}]
    got = f"{before.id}, {node.id}"
    return Issue("W_UNORDERED_EFFECTS", path, message, got=got, fix=fix, severity="warning")


def _empty(context: Context, node: Node) -> Iterator[Issue]:
    """A list that the action needs, or a text that is blank when there is nothing."""
    action = context.action(node)
    for use in context.uses_of[id(node)]:
        if action is None or not use.path.startswith(f"{node.path}/params"):
            continue
        keys = tuple(use.path.removeprefix(f"{node.path}/params").split("/")[1:2])
        schema = parameters.wanted(action, keys)
        whole = types.whole_expression(str(use.written.value)) is not None
        if schema.get("minItems") and whole and types.may_be_empty(context, use):
            if not _is_guarded(context, node, use):
                message = (
                    f"{action.name} needs at least one element, and this may be empty: guard it."
                )
                yield Issue("W_EMPTY_INPUT", use.path, message, severity="warning")
        elif not _is_guarded(context, node, use):
            yield from _rendered(context, use)


def _rendered(context: Context, use: Use) -> Iterator[Issue]:
    for name in dict.fromkeys(fields.step_ids(use.compiled.reads)):
        source = context.by_id.get(name)
        if source is None or source.type != "transform":
            continue
        listed = source.step.get("operations") or [source.step]
        last = listed[-1] if isinstance(listed, list) and isinstance(listed[-1], dict) else {}
        config = last.get("config")
        if last.get("operation") != "render_text":  # a table says of itself that it is empty
            continue
        if not (isinstance(config, dict) and config.get("empty")):
            message = f"{name} says nothing where there are no rows: give its config empty a text."
            path = f"{source.path}/config"
            if "operations" in source.step:
                path = f"{source.path}/operations/{len(listed) - 1}/config"
            yield Issue("W_EMPTY_INPUT", f"{path}/empty", message, severity="warning")


def _is_guarded(context: Context, node: Node, use: Use) -> bool:
    """Say whether a condition around the step looks at what it sends or its sources."""
    sources: set[str] = set()
    fresh = set(fields.step_ids(use.compiled.reads))
    while fresh:
        sources |= fresh
        known = [context.by_id[name] for name in fresh if name in context.by_id]
        fresh = {n for one in known for n in fields.step_ids(context.reads(one))} - sources
    conditions = [one.step.get("execute_if") for one in [node, *node.containers]]
    conditions += [one.step.get(key) for one in node.containers for key in ("condition", "value")]
    texts = [text for one in conditions if one is not None for _, text in pointers.texts(one)]
    return any(
        re.search(rf"\bsteps\.{re.escape(one)}\b", text) for one in sources for text in texts
    )


def _made_up(use: Use) -> Iterator[Issue]:
    for path, text in pointers.texts(use.written.value, use.path):
        if not _FALLBACK.search(text):
            continue
        for found in _LITERAL.finditer(text):
            value = found[1] if found[1] is not None else found[2]
            if _MADE_UP.match(value.strip()):
                message = (
                    f"{value[:60]!r} would go out as if it were a fact: leave a missing value "
                    "empty, or send it to a person."
                )
                yield Issue("W_FIELD_DEFAULT", path, message, got=value[:60], severity="warning")
                break
