"""Operations on columns: set, map, with_fields, select, project_column, expand."""

from pydantic import Field, StrictBool, StrictStr

from pilot.engine.transforms.fields import Column, Config, RowExpression, Template
from pilot.engine.transforms.incoming import Row, check_added
from pilot.engine.transforms.keys import Index
from pilot.engine.transforms.registry import Run, operation
from pilot.engine.transforms.rowwise import compute
from pilot.engine.transforms.shapes import Shape, rows_of
from pilot.errors import type_json


class Set(Config):
    """The value to give."""

    value: Template = Field(description="Any JSON; texts may hold {{ expressions }}.")


@operation(Set, need="any", shape=Shape())
def set_(_value: type_json, config: Set, run: Run) -> type_json:
    """Gives this value, whatever came in."""
    return run.value(config.value)


class Fields(Config):
    """Fields to compute, by name."""

    fields: dict[StrictStr, RowExpression] = Field(
        min_length=1, max_length=200, description="Name and expression over `item` and `index`."
    )


def _mapped(_shape: Shape, config: Fields) -> Shape:
    return rows_of(*config.fields)


@operation(Fields, need="list", shape=_mapped)
def map_(values: list[type_json], config: Fields, run: Run) -> list[Row]:
    """Makes a new row of each element, with just these fields; elements may be plain values."""
    computed = [compute(run, one, values, name) for name, one in config.fields.items()]
    names = list(config.fields)
    return [dict(zip(names, row, strict=True)) for row in zip(*computed, strict=True)]


def _extended(shape: Shape, config: Fields) -> Shape:
    return shape.with_columns(*config.fields)


@operation(Fields, need="rows", shape=_extended)
def with_fields(rows: list[Row], config: Fields, run: Run) -> list[Row]:
    """Adds fields to each row or replaces them; later ones see earlier ones."""
    for name, expression in config.fields.items():
        values = compute(run, expression, rows, name)
        rows = [{**row, name: value} for row, value in zip(rows, values, strict=True)]
    return rows


class Select(Config):
    """Which fields stay, and what they are called."""

    fields: list[Column] | None = Field(
        None, min_length=1, description="Fields to keep, in this order; all by default."
    )
    omit: list[Column] | None = Field(None, description="Fields to leave out.")
    rename: dict[Column, StrictStr] = Field(
        {}, description="Old name and new name, for fields that are kept."
    )

    def result(self, columns: tuple[str, ...]) -> dict[str, str]:
        """Return the new name of each field that stays, in order."""
        kept = [str(one) for one in self.fields] if self.fields else list(columns)
        gone = set(self.omit or ())
        new_names = {str(old): new for old, new in self.rename.items()}
        return {one: new_names.get(one, one) for one in kept if one not in gone}


def _selected(shape: Shape, config: Select) -> Shape:
    if config.fields or shape.columns is not None:
        return rows_of(*config.result(shape.columns or ()).values())
    return Shape("rows")


@operation(Select, need="rows", shape=_selected)
def select(rows: list[Row], config: Select, run: Run) -> list[Row]:
    """Keeps, drops, orders and renames fields."""
    if not rows:
        return []
    new_names = config.result(tuple(rows[0]))
    if len(set(new_names.values())) < len(new_names):
        doubled = [name for name in new_names.values() if list(new_names.values()).count(name) > 1]
        raise run.failure(f"two fields would be called {doubled[0]!r}: rename or omit one.")
    return [{new: row[old] for old, new in new_names.items()} for row in rows]


class ProjectColumn(Config):
    """Which field."""

    field: Column = Field(description="The field whose values are wanted.")
    unique: StrictBool = Field(False, description="Each value once.")


@operation(ProjectColumn, need="rows", shape=Shape("list"))
def project_column(rows: list[Row], config: ProjectColumn, _run: Run) -> list[type_json]:
    """Gives the values of one field as a list."""
    values = [row[config.field] for row in rows]
    if not config.unique:
        return values
    seen = Index[None]()
    return [value for value in values if len(seen.add(value, None)) == 1]


class Expand(Config):
    """Which inner object."""

    field: Column = Field(description="The field that holds an object.")
    prefix: StrictStr = Field("", description="Put before the names of its fields.")


@operation(Expand, need="rows", shape=Shape("rows"))
def expand(rows: list[Row], config: Expand, run: Run) -> list[Row]:
    """Turns the fields of an inner object into columns; where it is null they are null."""
    inner = [_object(row[config.field], config, run, n) for n, row in enumerate(rows, 1)]
    added = dict.fromkeys(config.prefix + name for one in inner for name in one)
    taken = [name for name in added if rows and name in rows[0] and name != config.field]
    if taken:
        message = f"{taken[0]!r} is a field already: give a `prefix`, such as '{config.field}_'."
        raise run.failure(message)
    check_added(len(rows) * len(added) - sum(map(len, inner)), run)
    return [
        {
            **{name: value for name, value in row.items() if name != config.field},
            **added,
            **{config.prefix + name: value for name, value in one.items()},
        }
        for row, one in zip(rows, inner, strict=True)
    ]


def _object(value: type_json, config: Expand, run: Run, number: int) -> Row:
    if value is not None and not isinstance(value, dict):
        raise run.failure(f"row {number}: {config.field} is not an object.")
    return value or {}
