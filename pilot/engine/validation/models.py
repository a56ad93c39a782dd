"""Steps that ask a model: only for what needs one, and not about nothing."""

import re
from collections.abc import Iterator

from pilot.engine.language import json_schemas
from pilot.engine.language.step_fields import MODEL_STEPS
from pilot.engine.validation import types
from pilot.engine.validation.context import Context
from pilot.engine.workflow.outline import Node
from pilot.errors import Issue

# A command to do what an operation of a transform does, at the start of a sentence or clause.
_RULE_WORK = re.compile(
    r"(?:^|(?:[.;:!?\n]|,)\s{0,9}|\b(?:then|and)\s+)"
    r"(filter|count|sort|deduplicate|remove\s+(?:the\s+)?duplicates|sum(?!\s*mar|\s+up\b)|"
    r"sum\s+up(?=.{0,30}\b(?:amount|number|price|value|total|cost|quantit|figure|column))|"
    r"add\s+up|compare\s+(?:the\s+)?dates|"
    r"calculate\s+(?:the\s+)?(?:sum|total|average|number)|"
    r"(?:keep|select|find|list)\s+(?:only\s+)?(?:the\s+)?(?:rows|items|entries|records)\s+"
    r"(?:where|with|whose))\b",
    re.IGNORECASE,
)
_OPERATIONS = {
    "filter": "filter",
    "count": "reduce",
    "sort": "sort",
    "deduplicate": "deduplicate",
    "remove": "deduplicate",
    "sum": "reduce",
    "add": "reduce",
    "compare": "with_fields and filter",
    "calculate": "reduce",
}


def check(context: Context) -> Iterator[Issue]:
    """Yield W_LLM_FOR_RULE, W_EMPTY_INPUT of model steps, and issues of answer schemas."""
    for node in context.nodes:
        if node.type not in MODEL_STEPS:
            continue
        yield from _rule_work(node)
        yield from _empty(context, node)
        schema = node.step.get("output_schema")
        if isinstance(schema, dict):
            yield from json_schemas.check_schema(schema, f"{node.path}/output_schema")


def _rule_work(node: Node) -> Iterator[Issue]:
    prompt = node.step.get("prompt")
    found = _RULE_WORK.search(prompt) if isinstance(prompt, str) else None
    if found:
        work = found[1].lower()
        operation = _OPERATIONS.get(work.split()[0], "filter")
        message = (
            f"The prompt asks a model to {work}: a transform ({operation}) does that exactly "
            "and for nothing."
        )
        path = f"{node.path}/prompt"
        yield Issue("W_LLM_FOR_RULE", path, message, got=work, severity="warning")


def _empty(context: Context, node: Node) -> Iterator[Issue]:
    if node.step.get("on_empty") != "call":
        return
    for use in context.uses_of[id(node)]:
        if use.path == f"{node.path}/input" and types.may_be_empty(context, use):
            message = (
                "The input may be an empty list, and the model is asked all the same: "
                "it would invent. Leave on_empty out, or guard the step."
            )
            path = f"{node.path}/on_empty"
            fix = [{"op": "remove", "path": path}]
            yield Issue("W_EMPTY_INPUT", path, message, fix=fix, severity="warning")
