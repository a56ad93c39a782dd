"""What the workflow gives in the end, and results that nobody uses."""

from collections.abc import Iterator
from typing import Any

from pilot.engine.language import json_schemas
from pilot.engine.validation import flow, schemas, types
from pilot.engine.validation.context import Context
from pilot.engine.workflow import fields
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

# By type of step, the field that is a schema, and the type that it has to describe.
SCHEMAS = {
    "validation": ("schema", ""),
    "wait_for_event": ("schema", ""),
    "form": ("fields", "object"),
}


def check(context: Context) -> Iterator[Issue]:
    """Yield E_OUTPUT, W_OUTPUT_UNUSED, and what is wrong with the schemas of the document."""
    for key in ("inputs", "output_schema"):
        schema = context.document.get(key)
        if isinstance(schema, dict):
            root = "object" if key == "inputs" else ""
            yield from json_schemas.check_schema(schema, f"/{key}", root=root)
    for node in context.nodes:
        key, root = SCHEMAS.get(node.type, ("", ""))
        schema = node.step.get(key)
        if isinstance(schema, dict):
            yield from json_schemas.check_schema(schema, f"{node.path}/{key}", root=root)
    yield from _output(context)
    if context.is_readable:
        yield from _unused(context)


def _output(context: Context) -> Iterator[Issue]:
    schema = context.document.get("output_schema")
    for use in context.uses:
        if use.node is not None or not isinstance(schema, dict):
            continue
        for name in dict.fromkeys(fields.step_ids(use.compiled.reads)):
            source = context.by_id.get(name)
            if source is not None and flow.may_be_missing(context, source, use):
                message = (
                    f"{name} may be skipped, and then the workflow has no output: say what then."
                )
                yield Issue("E_OUTPUT", use.path, message, got=f"steps.{name}")
    if isinstance(schema, dict):
        yield from _misfit(context, schemas.declared(schema))


def _misfit(context: Context, schema: dict[str, Any]) -> Iterator[Issue]:
    given = types.of_output(context)
    wanted = schema
    if schema.get("format") == "table":
        wanted = {**schema, "type": "array"}
    if not schemas.fits(given, wanted):
        expected, got = schemas.in_words(wanted), schemas.in_words(given)
        message = f"The output is {got}; output_schema wants {expected}."
        yield Issue("E_OUTPUT", "/output", message, expected=expected, got=got)
        return
    for name in schema.get("required", ()) if isinstance(schema.get("required"), list) else ():
        found = schemas.follow(given, (str(name),))
        if isinstance(found, schemas.Missing):
            message = f"The output has no {name}, which output_schema requires: add it."
            yield Issue("E_OUTPUT", "/output", message, expected=str(name))


def _unused(context: Context) -> Iterator[Issue]:
    """A step without effect that nothing reads, where the output is something else."""
    has_output = context.document.get("output") is not None
    acts = any(context.has_effect(node) for node in context.nodes)
    for node in context.nodes:
        if not node.id or not _only_gives(context, node):
            continue
        ends_body = node.parent is not None and node is node.siblings[-1]
        is_result = not (has_output or acts) or ends_body
        if not is_result and node.id not in context.readers and not _is_last(context, node):
            message = f"Nothing uses the output of {node.id}: use it or take the step out."
            yield Issue("W_OUTPUT_UNUSED", node.path, message, got=node.id, severity="warning")


def _only_gives(context: Context, node: Node) -> bool:
    """Say whether a step is there for its output alone."""
    if node.type == "action":
        return context.action(node) is not None and not context.has_effect(node)
    if node.type == "llm_decision":
        return not node.step.get("actions")
    return node.type in {"ai_processing", "transform"}


def _is_last(context: Context, node: Node) -> bool:
    """Without an output, that of the only step nothing depends on counts."""
    if context.document.get("output") is not None:
        return False
    needs = context.needs(node)
    waited_for = frozenset[str]().union(*needs.values())
    return [name for name in needs if name not in waited_for] == [node.id]
