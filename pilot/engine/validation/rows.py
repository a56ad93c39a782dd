"""What is known of rows before they are read: shapes of transforms, as JSON Schema and back."""

from typing import Any

from pilot.engine.language.catalogue import TableSample
from pilot.engine.transforms import Shape
from pilot.engine.validation import schemas
from pilot.engine.validation.context import Context
from pilot.engine.validation.schemas import ANY, Schema
from pilot.engine.workflow.outline import Node

HEADER = "x-header"  # of a list of lists: what stands in its first row
_READS = "tables.read_range"
_RENDERED = {"text": {"type": "string"}, "rows": {"type": "integer"}}


def with_columns(context: Context, node: Node, schema: Schema) -> Schema:
    """Return the output schema of an action, with the header of a table that was sampled."""
    params = node.step.get("params")
    name = f"{node.step.get('plugin')}.{node.step.get('action')}"
    if name != _READS or not isinstance(params, dict) or params.get("range") is not None:
        return schema
    sample = _sample(context, str(params.get("table")), params.get("tab"))
    if sample is None or sample.header_row != 0:
        return schema
    header = _numbered([column.name for column in sample.columns])
    values = {**schema["properties"]["values"], HEADER: header}
    return {**schema, "properties": {**schema["properties"], "values": values}}


def output_of(context: Context, node: Node, given: Schema) -> Schema:
    """Return the schema of what a transform makes of its input."""
    for use in context.uses_of[id(node)]:
        if use.compiled.pipeline is not None:
            return of_shape(use.compiled.pipeline.shape(shape_of(given)))
    return ANY


def shape_of(schema: Schema) -> Shape:
    """Return the shape of data with this schema."""
    found = schemas.options(schema)
    if len(found) != 1:
        return Shape()
    option, kind = found[0], found[0].get("type")
    if kind == "array":
        return _of_list(option)
    if kind == "object":
        return Shape("object", _columns(option))
    return Shape() if kind is None else Shape("value")


def of_shape(shape: Shape) -> Schema:
    """Return a schema that says what a shape says."""
    if shape.kind == "rows":
        return {"type": "array", "items": _object(shape.columns)}
    if shape.kind == "table":
        header = {} if shape.columns is None else {HEADER: list(shape.columns)}
        return {"type": "array", "items": {"type": "array"}, **header}
    if shape.kind == "list":
        return {"type": "array"}
    if shape.kind != "object":
        return ANY
    if shape.columns == tuple(_RENDERED):
        return {"type": "object", "properties": _RENDERED, "additionalProperties": False}
    return _object(shape.columns)


def _sample(context: Context, table: str, tab: Any) -> TableSample | None:
    """Return the sample of a tab, or of the only one where none is named."""
    samples = context.catalogue.samples
    if tab is not None:
        return samples.get((table, str(tab)))
    found = [sample for (name, _), sample in samples.items() if name == table]
    return found[0] if len(found) == 1 else None


def _of_list(option: Schema) -> Shape:
    items = schemas.options(option.get("items", ANY))
    kind = items[0].get("type") if len(items) == 1 else None
    if kind == "object":
        return Shape("rows", _columns(items[0]))
    if kind == "array":
        header = option.get(HEADER)
        return Shape("table", None if header is None else tuple(header))
    return Shape() if kind is None else Shape("list")


def _columns(option: Schema) -> tuple[str, ...] | None:
    """Return the fields of an object if it can have no others."""
    named = option.get("properties")
    closed = option.get("additionalProperties") is False
    return tuple(named) if isinstance(named, dict) and closed else None


def _object(columns: tuple[str, ...] | None) -> Schema:
    if columns is None:
        return {"type": "object"}
    named: dict[str, Any] = dict.fromkeys(columns, ANY)
    return {"type": "object", "properties": named, "additionalProperties": False}


def _numbered(names: list[str]) -> list[str]:
    """Number doubled headers as rows_to_objects does."""
    found: list[str] = []
    for name in names:
        free, number = name, 2
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found.append(free)
    return found
