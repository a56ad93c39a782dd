"""Operations that make one of many: group, aggregate, reduce, count, sum, pivot."""

from typing import Literal, Self

from pydantic import Field, StrictStr, model_validator

from pilot.engine.transforms.fields import Column, Config, RowCondition, names
from pilot.engine.transforms.incoming import Row, check_added
from pilot.engine.transforms.keys import Index, key_of
from pilot.engine.transforms.measures import Cell, Measuring, Op, ReduceOp
from pilot.engine.transforms.registry import Need, Run, operation
from pilot.engine.transforms.rowwise import matches
from pilot.engine.transforms.shapes import Shape, rows_of
from pilot.errors import ErrorClass, type_json

MAX_PIVOT_COLUMNS = 1_000
_BARE_OPS = {"count", "first", "last", "list"}


class Group(Config):
    """What rows of a group have in common."""

    by: Column | list[Column] = Field(min_length=1, description="Fields that are equal in a group.")
    result: Literal["list", "object"] = Field(
        "list", alias="as", description="A list of groups, or an object {key: items} by one field."
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.result == "object" and len(names(self.by)) > 1:
            raise ValueError('as "object" needs just one field in by.')
        return self


def _grouped(_shape: Shape, config: Group) -> Shape:
    return Shape("object") if config.result == "object" else rows_of("key", "items", "count")


@operation(Group, need="rows", shape=_grouped)
def group(rows: list[Row], config: Group, run: Run) -> type_json:
    """Gathers rows that agree in some fields: [{key, items, count}], in the order first seen.

    The key is the value of the field; with several fields an object of their values.
    """
    by = names(config.by)
    groups = _groups(rows, by)
    if config.result == "list":
        return [
            {
                "key": rows[found[0]][by[0]] if len(by) == 1 else _picked(rows[found[0]], by),
                "items": [rows[at] for at in found],
                "count": len(found),
            }
            for found in groups
        ]
    result: dict[str, list[Row]] = {}
    for found in groups:
        result.setdefault(_name(rows[found[0]][by[0]], run), []).extend(rows[at] for at in found)
    return result


class Measure(Config):
    """One value of each group."""

    op: Op = Field(description="What is made of the values.")
    field: Column | None = Field(None, description="Which values; count needs none.")
    where: RowCondition | None = Field(None, description="Only rows that meet this.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.field is None and self.op not in _BARE_OPS:
            raise ValueError(f"{self.op} needs a field.")
        return self


class Aggregate(Config):
    """What rows are gathered by, and what is measured."""

    by: Column | list[Column] | None = Field(
        None, description="Fields that are equal in a group; without them all rows are one group."
    )
    measures: dict[StrictStr, Measure] = Field(
        min_length=1, max_length=100, description="Name of the result and what it is made of."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for name in names(self.by):
            if name in self.measures:
                raise ValueError(f"{name!r} is in by already: give the measure another name.")
        return self


def _aggregated(_shape: Shape, config: Aggregate) -> Shape:
    columns = rows_of(*names(config.by), *config.measures)
    return columns if config.by else Shape("object", columns.columns)


@operation(Aggregate, need="rows", shape=_aggregated)
def aggregate(rows: list[Row], config: Aggregate, run: Run) -> type_json:
    """Measures groups: a row per group; one object without `by`.

    Operators: sum, avg, min, max, count, count_distinct, first, last, concat, list. Null is left
    out, and noted.
    """
    by = names(config.by)
    groups = _groups(rows, by) if by else [list(range(len(rows)))]
    results = [_picked(rows[found[0]], by) if by else {} for found in groups]
    for name, measure in config.measures.items():
        kept = [True] * len(rows)
        if measure.where is not None:
            kept = matches(run, measure.where, rows, label=name)
        measuring = Measuring(run, measure.field or name)
        for found, result in zip(groups, results, strict=True):
            members = [at for at in found if kept[at]]
            result[name] = measuring.measure(measure.op, _cells(rows, members, measure.field))
        measuring.note_nulls()
    return results if by else results[0]


class Reduce(Config):
    """What is made of all rows."""

    op: ReduceOp = Field(description="What is made of the values.")
    field: Column | None = Field(None, description="Which values; without it, the elements.")
    where: RowCondition | None = Field(
        None, description="Only rows that meet this; of any and all it is what is asked."
    )


class Count(Config):
    """What is counted."""

    field: Column | None = Field(None, description="Count rows in which this is not null.")
    where: RowCondition | None = Field(None, description="Only rows that meet this.")


class Sum(Config):
    """What is added up."""

    field: Column | None = Field(None, description="Which values; without it, the elements.")
    where: RowCondition | None = Field(None, description="Only rows that meet this.")


def _rows_if_field(config: Reduce | Count | Sum) -> Need:
    return "rows" if config.field else "list"


@operation(Reduce, need=_rows_if_field, shape=Shape("value"))
def reduce(values: list[type_json], config: Reduce, run: Run) -> type_json:
    """Makes one value of all: count, sum, avg, min, max, concat, merge, any, all."""
    if config.op in {"any", "all"} and config.field is None and config.where is not None:
        met = matches(run, config.where, values)
        return any(met) if config.op == "any" else all(met)
    return _reduced(values, config.op, config, run)


@operation(Count, need=_rows_if_field, shape=Shape("value"))
def count(values: list[type_json], config: Count, run: Run) -> type_json:
    """Counts rows."""
    return _reduced(values, "count", config, run)


@operation(Sum, need=_rows_if_field, shape=Shape("value"))
def sum_(values: list[type_json], config: Sum, run: Run) -> type_json:
    """Adds up numbers; null is left out, and noted."""
    return _reduced(values, "sum", config, run)


class Pivot(Config):
    """What becomes rows, columns and cells."""

    rows: Column | list[Column] = Field(min_length=1, description="Fields that stay, one row each.")
    column: Column = Field(description="The field whose values become columns.")
    value: Column | None = Field(None, description="The field that fills the cells.")
    op: Op = Field("sum", description="What is made of several values of a cell.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.value is None and self.op not in _BARE_OPS:
            raise ValueError(f"{self.op} needs a value.")
        return self


@operation(Pivot, need="rows", shape=Shape("rows"))
def pivot(rows: list[Row], config: Pivot, run: Run) -> list[Row]:
    """Spreads the values of a field over columns; a cell without any is null, of count 0."""
    by = names(config.rows)
    columns = dict.fromkeys(_name(row[config.column], run) for row in rows)
    if len(columns) > MAX_PIVOT_COLUMNS:
        message = f"{config.column} has {len(columns):,} values, more than {MAX_PIVOT_COLUMNS:,}."
        raise run.failure(message, ErrorClass.LIMIT)
    taken = [name for name in by if name in columns]
    if taken:
        raise run.failure(f"{config.column} has the value {taken[0]!r}, which is a row field.")
    groups = _groups(rows, by)
    check_added(len(groups) * len(columns) - len(rows), run)
    measuring, result = Measuring(run, config.value or "rows"), []
    for found in groups:
        cells: dict[str, list[int]] = {}
        for at in found:
            cells.setdefault(_name(rows[at][config.column], run), []).append(at)
        blank: Row = dict.fromkeys(columns, 0 if config.op == "count" else None)
        measured = {
            name: measuring.measure(config.op, _cells(rows, members, config.value))
            for name, members in cells.items()
        }
        result.append({**_picked(rows[found[0]], by), **blank, **measured})
    measuring.note_nulls()
    return result


def _reduced(
    values: list[type_json], op: ReduceOp, config: Reduce | Count | Sum, run: Run
) -> type_json:
    members = list(range(len(values)))
    if config.where is not None:
        kept = matches(run, config.where, values)
        members = [at for at in members if kept[at]]
    if op == "count" and config.field is None:
        return len(members)
    measuring = Measuring(run, config.field or "the element")
    result = measuring.measure(op, _cells(values, members, config.field))
    measuring.note_nulls()
    return result


def _cells(values: list[type_json], members: list[int], column: str | None) -> list[Cell]:
    return [(at + 1, values[at] if column is None else values[at][column]) for at in members]


def _groups(rows: list[Row], by: list[str]) -> list[list[int]]:
    """Return the positions of the rows of each group, in the order first seen."""
    index, groups = Index[int](), []
    for at, row in enumerate(rows):
        members = index.add(key_of(row, by), at)
        if len(members) == 1:
            groups.append(members)
    return groups


def _picked(row: Row, columns: list[str]) -> Row:
    return {column: row[column] for column in columns}


def _name(value: type_json, run: Run) -> str:
    """Return a value as the name of a field."""
    if isinstance(value, list | dict):
        raise run.failure("a list or an object cannot be the name of a field.")
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
