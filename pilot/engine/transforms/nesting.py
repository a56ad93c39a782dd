"""Operations between wide, long and nested rows: flatten, unpivot."""

from typing import Self

from pydantic import Field, StrictStr, model_validator

from pilot.engine.transforms.fields import Column, Config
from pilot.engine.transforms.incoming import MAX_ROWS, Row, kind_of, padded
from pilot.engine.transforms.registry import Need, Run, operation
from pilot.engine.transforms.shapes import UNKNOWN, Shape, rows_of
from pilot.errors import ErrorClass, type_json


class Flatten(Config):
    """Which inner lists."""

    field: Column | None = Field(
        None, description="The field that holds a list; without it the elements are the lists."
    )
    keep: list[Column] = Field([], description="Fields of the outer row to repeat in each.")

    @model_validator(mode="after")
    def _keeps_of_rows(self) -> Self:
        if self.keep and self.field is None:
            raise ValueError("keep needs a field: without one there are no outer rows.")
        return self


def _rows_if_field(config: Flatten) -> Need:
    return "rows" if config.field else "list"


def _flattened(_shape: Shape, config: Flatten) -> Shape:
    return Shape("rows") if config.keep else UNKNOWN


@operation(Flatten, need=_rows_if_field, shape=_flattened)
def flatten(values: list[type_json], config: Flatten, run: Run) -> list[type_json]:
    """Gives the elements of inner lists as one list; a row without a list gives none.

    With `keep` they become rows that have fields of the outer row too; an element that is no object
    stands under the name of the field.
    """
    result: list[type_json] = []
    missing = 0
    for number, value in enumerate(values, 1):
        inner = value if config.field is None else value[config.field]
        if inner is None:
            missing += 1
            continue
        if not isinstance(inner, list):
            what = config.field or "the element"
            raise run.failure(f"row {number}: {what} is {kind_of(inner)}, not a list.")
        if len(result) + len(inner) > MAX_ROWS:
            raise run.failure(f"more than {MAX_ROWS:,} elements.", ErrorClass.LIMIT)
        result += [_kept(one, value, config, run) for one in inner] if config.keep else inner
    if missing:
        run.note(f"{missing} of {len(values)} rows have null in place of a list.")
    return padded(result, run) if all(isinstance(one, dict) for one in result) else result


def _kept(inner: type_json, outer: Row, config: Flatten, run: Run) -> Row:
    fields = inner if isinstance(inner, dict) else {str(config.field): inner}
    doubled = [name for name in config.keep if name in fields]
    if doubled:
        message = f"{doubled[0]!r} is a field of {config.field} too: rename one with with_fields."
        raise run.failure(message)
    return {**{str(name): outer[name] for name in config.keep}, **fields}


class Unpivot(Config):
    """Which columns become rows."""

    fields: list[Column] = Field(min_length=1, description="Fields that become rows.")
    name: StrictStr = Field("name", min_length=1, description="Field for their names.")
    value: StrictStr = Field("value", min_length=1, description="Field for their values.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if self.name == self.value:
            raise ValueError("name and value must differ.")
        return self


def _unpivoted(shape: Shape, config: Unpivot) -> Shape:
    if shape.columns is None:
        return Shape("rows")
    stay = [name for name in shape.columns if name not in config.fields]
    return rows_of(*stay, config.name, config.value)


@operation(Unpivot, need="rows", shape=_unpivoted)
def unpivot(rows: list[Row], config: Unpivot, run: Run) -> list[Row]:
    """Makes a row of each of these fields, with its name and value; other fields are repeated."""
    stay = [name for name in (rows[0] if rows else ()) if name not in config.fields]
    for name in (config.name, config.value):
        if name in stay:
            raise run.failure(f"{name!r} is a field already: choose another name.")
    if len(rows) * len(config.fields) > MAX_ROWS:
        raise run.failure(f"more than {MAX_ROWS:,} rows.", ErrorClass.LIMIT)
    return [
        {**{name: row[name] for name in stay}, config.name: str(field), config.value: row[field]}
        for row in rows
        for field in config.fields
    ]
