"""Operations between sheets and rows: rows_to_objects, objects_to_rows."""

from pydantic import Field, StrictBool, StrictInt, StrictStr

from pilot.engine.transforms.fields import Column, Config
from pilot.engine.transforms.incoming import Row, check_added, require
from pilot.engine.transforms.parsing import NumberFormat, Type, parse_rows
from pilot.engine.transforms.registry import Run, operation
from pilot.engine.transforms.shapes import Shape
from pilot.errors import type_json

Line = list[type_json]


class RowsToObjects(Config):
    """Where the header is, and what the columns hold."""

    header_row: StrictInt = Field(0, ge=0, le=1_000, description="Position of the header, from 0.")
    types: dict[StrictStr, Type] = Field(
        {}, description="Types of columns, as in parse; a cell that does not fit fails."
    )
    number_format: NumberFormat | None = Field(
        None, description="How numbers are written, such as 1.234,56; for types."
    )
    trim: StrictBool = Field(True, description="Cut white space around texts.")


def _headed(shape: Shape, config: RowsToObjects) -> Shape:
    return Shape("rows", shape.columns if config.header_row == 0 else None)


@operation(RowsToObjects, need="table", shape=_headed)
def rows_to_objects(lines: list[Line], config: RowsToObjects, run: Run) -> list[Row]:
    """Makes objects of the rows of a sheet, named by its header row.

    Skips blank rows, fills short ones with null, gives a doubled header `_2`; a column without a
    header that holds data is called `column_3`, by its place.
    """
    lines = [[_trimmed(cell) for cell in line] for line in lines] if config.trim else lines
    if all(is_blank(line) for line in lines):
        return []
    if config.header_row >= len(lines) or is_blank(lines[config.header_row]):
        message = f"row {config.header_row + 1} is to be the header, but it is blank or absent."
        raise run.failure(f"{message} Set header_row, which counts from 0.")
    numbered = enumerate(lines[config.header_row + 1 :], config.header_row + 2)
    body = [(number, line) for number, line in numbered if not is_blank(line)]
    header = _header(lines[config.header_row], [line for _, line in body])
    check_added(len(body) * len(header) - sum(len(line) for _, line in body), run)
    rows = [
        {
            name: line[at] if at < len(line) else None
            for at, name in enumerate(header)
            if name is not None
        }
        for _, line in body
    ]
    require(rows, config.types, run, "the header does not have")
    numbers = [number for number, _ in body]
    return parse_rows(rows, config.types, run, number_format=config.number_format, numbers=numbers)


def is_blank(line: Line) -> bool:
    """Say whether a row of a sheet has nothing in it."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in line)


def _header(titles: Line, body: list[Line]) -> list[str | None]:
    """Return a name for each column; None for one that has neither title nor data."""
    width = max([len(titles), *map(len, body)])
    header: list[str | None] = []
    taken = {str(title) for title in titles if not is_blank([title])}
    given: set[str] = set()
    for at in range(width):
        title = titles[at] if at < len(titles) else None
        if not is_blank([title]):
            name = str(title)
        elif all(is_blank(line[at : at + 1]) for line in body):
            header.append(None)
            continue
        else:
            name = f"column_{at + 1}"
        free, number = name, 2
        while free in given or (free != name and free in taken):
            free, number = f"{name}_{number}", number + 1
        given.add(free)
        header.append(free)
    return header


def _trimmed(cell: type_json) -> type_json:
    return cell.strip() if isinstance(cell, str) else cell


class ObjectsToRows(Config):
    """Which columns."""

    columns: list[Column] | None = Field(
        None, min_length=1, description="Fields, in this order; all by default."
    )


def _tabled(shape: Shape, config: ObjectsToRows) -> Shape:
    given = tuple(str(one) for one in config.columns) if config.columns else shape.columns
    return Shape("table", given)


@operation(ObjectsToRows, need="rows", shape=_tabled)
def objects_to_rows(rows: list[Row], config: ObjectsToRows, _run: Run) -> list[Line]:
    """Makes rows of a sheet, the header first; nothing of nothing."""
    if not rows:
        return []
    columns = [str(one) for one in config.columns or rows[0]]
    return [list(columns), *([row[column] for column in columns] for row in rows)]
