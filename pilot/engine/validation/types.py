"""What type an expression will have, as far as that shows before anything runs."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pilot.engine import steps
from pilot.engine.acting import rows as answers
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import CONDITIONS
from pilot.engine.validation import rows, schemas
from pilot.engine.validation.context import Context, Use
from pilot.engine.validation.schemas import ANY, Schema
from pilot.engine.workflow.faults import Read
from pilot.engine.workflow.outline import Node
from pilot.errors import ExpressionError

TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
_WHOLE = re.compile(r"\s*\{\{((?:(?!\{\{|\}\}).)*)\}\}\s*", re.DOTALL)
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[(?:-?\d+|'[^']*'|\"[^\"]*\")\])*")
_CALL = re.compile(r"([a-z_]+)\s*\(")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_LOGIC = re.compile(r"==|!=|<=|>=|<|>|&&|\|\||!|\b(?:and|or|not|in)\b")
_RETURNS = {
    **dict.fromkeys(("len", "number", "round", "abs", "floor", "ceil", "date_diff"), "number"),
    **dict.fromkeys(("sum", "avg"), "number"),
    **dict.fromkeys(("text", "lower", "upper", "trim", "replace", "join", "substring"), "string"),
    **dict.fromkeys(("json", "type", "today", "now", "format_date", "html_escape"), "string"),
    **dict.fromkeys(("date", "date_add", "day_of_week"), "string"),
    **dict.fromkeys(("contains", "contains_any", "contains_all", "starts_with"), "boolean"),
    **dict.fromkeys(("exists", "is_empty", "ends_with", "matches"), "boolean"),
    **dict.fromkeys(("within_last", "within_next", "any", "all"), "boolean"),
    **dict.fromkeys(("split", "slice", "pluck", "unique"), "array"),
}
# By type of step, the part of its output that it is given, and the field with its schema.
GIVEN = {"wait_for_event": ("payload", "schema"), "form": ("values", "fields")}
_NEVER_NULL = frozenset({"len", "exists", "is_empty", "json", "type", "today", "now"})


def whole_expression(text: str) -> str | None:
    """Return the expression of a text that is nothing else, or None."""
    found = _WHOLE.fullmatch(text)
    return found[1] if found else None


def of_use(context: Context, use: Use) -> Schema:
    """Return what a text of a step gives."""
    if use.compiled.failed:
        return ANY
    if use.written.kind in CONDITIONS:
        return BOOLEAN
    text = use.written.value
    return of_text(context, text, use.compiled.reads) if isinstance(text, str) else ANY


def of_text(context: Context, text: str, reads: frozenset[Read]) -> Schema:
    """Return what an expression or a template gives: text where it is mixed with other text."""
    whole = whole_expression(text)
    if whole is None and "{{" in text:
        return TEXT
    return of_expression(context, text if whole is None else whole, reads)


def of_expression(context: Context, text: str, reads: frozenset[Read]) -> Schema:
    """Return the schema of an expression's value; ANY where it does not show."""
    text = text.strip()
    if _PATH.fullmatch(text) and len(reads) == 1:
        return at(context, next(iter(reads)))
    bare = _QUOTED.sub("''", text)
    call = _CALL.match(bare)
    if call and _closes_at_end(bare):
        return _of_call(context, call[1], text, reads)
    return _of_operators(bare)


def at(context: Context, read: Read) -> Schema:
    """Return the schema at a path that is read; ANY where it is unknown or missing."""
    found: Schema | schemas.Missing = ANY
    if read[0] == "inputs":
        found = schemas.follow(context.inputs, read[1:])
    elif read[0] == "steps" and len(read) > 2:
        source = context.by_id.get(str(read[1]))
        if read[2] == "output" and source is not None:
            found = schemas.follow(output_of(context, source), read[3:])
        elif read[2] in {"status", "resume_url"}:
            found = TEXT
    return ANY if isinstance(found, schemas.Missing) else found


def output_of(context: Context, node: Node) -> Schema:
    """Return the schema of a step's output."""
    if id(node) not in context.outputs:
        context.outputs[id(node)] = ANY  # for a step that reads itself
        context.outputs[id(node)] = _output(context, node)
    found: Schema = context.outputs[id(node)]
    return found


def of_output(context: Context) -> Schema:
    """Return the schema of the workflow's output."""
    written = context.document.get("output")
    if written is None:
        top = [node for node in context.nodes if node.parent is None and node.id]
        waited = frozenset[str]().union(*(context.needs(top[0]).values() if top else ()))
        last = [node for node in top if node.id not in waited]
        return output_of(context, last[0]) if len(last) == 1 else {"type": "object"}
    uses = {use.path: use for use in context.uses if use.node is None}
    return _of_json(context, written, "/output", uses)


def may_be_empty(context: Context, use: Use) -> bool:
    """Say whether a text gives a list of a step that may be empty; the unknown is not blamed."""
    text = str(use.written.value)
    if use.compiled.failed or not _PATH.fullmatch((whole_expression(text) or text).strip()):
        return False
    reads_step = any(read[0] == "steps" for read in use.compiled.reads)
    found = schemas.options(of_use(context, use)) if reads_step else ()
    return any(one.get("type") == "array" and not one.get("minItems") for one in found)


def constant(use: Use) -> Any:
    """Return the value of an expression that reads nothing and no clock, else None."""
    expression = use.compiled.expression
    text = str(use.written.value)
    if expression is None or expression.reads or re.search(r"\b(?:today|now|within_)", text):
        return None
    try:
        return expression.evaluate(Scope({}, datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC")))
    except ExpressionError:
        return None


def _output(context: Context, node: Node) -> Schema:
    action = context.action(node)
    if action is not None:
        return rows.with_columns(context, node, schemas.output_of(action.output_model))
    if node.type in {"ai_processing", "llm_decision"}:
        return _answer(node)
    if node.type == "transform":
        return rows.output_of(context, node, input_of(context, node))
    constant_schema: Schema = getattr(steps.load(node.type), "OUTPUT", ANY) if node.type else ANY
    return _with_given(node, constant_schema) if node.type in GIVEN else constant_schema


def _with_given(node: Node, output: Schema) -> Schema:
    """Return the output of a step that waits, with the schema of what it is given."""
    part, key = GIVEN[node.type]
    written = node.step.get(key)
    if not isinstance(written, dict) or node.step.get("on_timeout", "fail") != "fail":
        return output  # null when nothing came in time
    return {**output, "properties": {**output["properties"], part: schemas.declared(written)}}


def input_of(context: Context, node: Node) -> Schema:
    """Return the schema of what a step works on."""
    for use in context.uses_of[id(node)]:
        if use.path == f"{node.path}/input":
            return of_use(context, use)
    written = node.step.get("input")
    return ANY if isinstance(written, list | dict) else {"enum": [written]}


def of_items(context: Context, node: Node, place: str, written: Any) -> Schema:
    """Return the schema of what a step runs over, written as an expression or as JSON."""
    path = f"{node.path}/{place}"
    return _of_json(context, written, path, {use.path: use for use in context.uses_of[id(node)]})


def _answer(node: Node) -> Schema:
    written = node.step.get("output_schema")
    schema = schemas.closed(schemas.declared(written)) if isinstance(written, dict) else None
    if node.step.get("choices"):
        named = {"decision": TEXT, "reasoning": TEXT, "confidence": NUMBER}
        schema = {"type": "object", "properties": named, "additionalProperties": False}
    if schema is None:
        schema = {"type": "object", "properties": {"text": TEXT}, "additionalProperties": False}
    batch = node.step.get("batch")
    if isinstance(batch, dict):
        whole = batch.get("failure", "stop") == "stop"
        return answers.output_schema(schema if whole else {"anyOf": [schema, {"type": "null"}]})
    if node.type == "llm_decision" and "properties" in schema:
        schema = {**schema, "properties": {**schema["properties"], "actions": {"type": "array"}}}
    return schema


def _of_json(context: Context, value: Any, path: str, uses: dict[str, Use]) -> Schema:
    if path in uses:
        return of_use(context, uses[path])
    if isinstance(value, dict):
        named = {k: _of_json(context, part, f"{path}/{k}", uses) for k, part in value.items()}
        return {"type": "object", "properties": named, "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array"}
    return {"enum": [value]}


def _of_call(context: Context, name: str, text: str, reads: frozenset[Read]) -> Schema:
    if name == "first":
        inner = of_expression(context, text.partition("(")[2].rpartition(")")[0], reads)
        found = schemas.follow(inner, (0,))
        return ANY if isinstance(found, schemas.Missing) else {"anyOf": [found, {"type": "null"}]}
    kind = _RETURNS.get(name)
    if kind is None:
        return ANY
    return {"type": kind} if name in _NEVER_NULL else {"type": [kind, "null"]}


def _of_operators(bare: str) -> Schema:
    """Return what the outermost operator of an expression gives; its texts are left out."""
    if bare in {"true", "false", "True", "False"} or _LOGIC.search(_outermost(bare)):
        return BOOLEAN
    if bare == "''":
        return TEXT
    if "+" in _outermost(bare):
        return {"type": ["number", "string"]}
    if re.fullmatch(r"-?\d+(\.\d+)?", bare) or re.search(r"[-*/%]", _outermost(bare)):
        return NUMBER
    return {"type": "array"} if bare.startswith("[") and bare.endswith("]") else ANY


def _closes_at_end(text: str) -> bool:
    """Say whether the first bracket is closed by the last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character in ")]":
            return place == len(text) - 1
    return False


def _outermost(text: str) -> str:
    """Return what stands outside all brackets."""
    depth, kept = 0, []
    for character in text:
        depth += character in "(["
        if depth == 0:
            kept.append(character)
        depth -= character in ")]"
    return "".join(kept)
