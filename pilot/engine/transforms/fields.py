"""What a configuration may hold besides plain values: column names, and what is computed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pilot.engine.expressions import Compiled
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.references import compile_field, compile_template
from pilot.engine.language.step_fields import Part
from pilot.errors import ExpressionError, InvalidError, type_json

_FORGIVING = r"\b(?:exists|default|is_empty)\(\s*"
ROW_ROOTS = frozenset({"item", "index"})


class Column(str):
    """The name of a field that the rows of the input must have."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type["Column"], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take any text that is not empty."""
        text = core_schema.str_schema(strict=True, min_length=1, max_length=500)
        return core_schema.no_info_after_validator_function(cls, text)


class Key(Column):
    """A column name that is the key of an object in the configuration."""

    __slots__ = ()


@dataclass(frozen=True)
class Once:
    """A value that is the same for all rows: it is computed once, from the scope of the step."""

    compiled: Compiled


@dataclass(frozen=True)
class PerRow:
    """A value that is computed for each row, which it reads as `item`; `index` counts from 0."""

    compiled: Compiled
    source: type_json = None

    def columns(self) -> list[str]:
        """Return the fields of the row that must be there; exists() and default() need none."""
        paths = (path for path in self.compiled.reads if len(path) > 1 and path[0] == "item")
        read = sorted({path[1] for path in paths if isinstance(path[1], str)})
        text = self.compiled.text or "\n".join(_texts(self.source))
        return [name for name in read if not _is_forgiven(name, text)]


def field_pattern(name: str) -> str:
    """Return a pattern of how expressions read a field: item.name, item['name']."""
    quoted = re.escape(name)
    return rf"""\bitem(?:\.{quoted}(?![A-Za-z0-9_])|\[\s*(?:'{quoted}'|"{quoted}")\s*\])"""


def _is_forgiven(name: str, text: str) -> bool:
    """Say whether a field is only read by functions that accept missing ones."""
    pattern = field_pattern(name)
    reads = len(re.findall(pattern, text))
    return reads > 0 and reads == len(re.findall(_FORGIVING + pattern, text))


def _texts(value: type_json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


class Config(Part):
    """Base of all configurations: unknown keys are refused, values do not change."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def required_columns(self) -> list[str]:
        """Return the fields that are named outside of expressions."""
        return [str(used) for _, used in walk(self) if isinstance(used, Column)]


def _once(compiler: Callable[[Any], Compiled], *kinds: type) -> PlainValidator:
    def validate(value: type_json) -> Once:
        return Once(_compiled(compiler, value, kinds))

    return PlainValidator(validate)


def _per_row(compiler: Callable[[Any], Compiled], *kinds: type) -> PlainValidator:
    def validate(value: type_json) -> PerRow:
        return PerRow(_compiled(compiler, value, kinds), value)

    return PlainValidator(validate)


def _compiled(
    compiler: Callable[[Any], Compiled], value: type_json, kinds: tuple[type, ...]
) -> Compiled:
    if kinds and not isinstance(value, kinds):
        raise PydanticCustomError("string_type", "Input should be a text")
    try:
        return compiler(value)
    except ExpressionError as error:
        detail = {"reason": error.message, "column": error.column}
        raise PydanticCustomError("expression", "{reason}", detail) from None
    except InvalidError as error:
        raise PydanticCustomError("issues", "{issues}", {"issues": error.issues}) from None


def _condition(value: Any) -> Compiled:
    return compile_condition(value, item_fields=True)


def _markup(value: str, info: ValidationInfo) -> Compiled:
    """Compile a template whose values are escaped if the text around them is HTML."""
    escaped = info.data.get("format") == "html"
    return compile_template(value, formats={(): "html"} if escaped else {})


def _markup_once(value: type_json, info: ValidationInfo) -> Once:
    return Once(_compiled(lambda text: _markup(text, info), value, (str,)))


def _markup_per_row(value: type_json, info: ValidationInfo) -> PerRow:
    return PerRow(_compiled(lambda text: _markup(text, info), value, (str,)), value)


_ANY = WithJsonSchema({"description": "An expression, or JSON whose texts are expressions."})
_TEXT = WithJsonSchema({"type": "string"})
_CONDITION = WithJsonSchema({"type": ["string", "boolean", "object"]})
_COUNT = WithJsonSchema({"type": ["integer", "string"]})

RowExpression = Annotated[PerRow, _per_row(compile_field), _ANY]
RowCondition = Annotated[PerRow, _per_row(_condition, str, bool, dict), _CONDITION]
RowMarkup = Annotated[PerRow, PlainValidator(_markup_per_row), _TEXT]
Expression = Annotated[Once, _once(compile_field), _ANY]
Template = Annotated[Once, _once(compile_template), WithJsonSchema({})]
TemplateText = Annotated[Once, _once(compile_template, str), _TEXT]
MarkupTemplate = Annotated[Once, PlainValidator(_markup_once), _TEXT]
CountOrTemplate = Annotated[Once, _once(compile_template, int, str), _COUNT]


def walk(
    value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every column name and computed value in a configuration, with its place."""
    if isinstance(value, Column | Once | PerRow):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from walk(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(name, Column):
                yield (*path, str(name)), Key(name)
            yield from walk(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from walk(inner, (*path, number))


def names(columns: Column | list[Column] | None) -> list[str]:
    """Return one column or several as a list."""
    if columns is None:
        return []
    return [str(one) for one in ([columns] if isinstance(columns, str) else columns)]
