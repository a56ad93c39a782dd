"""Tables in CSV and XLSX files of the owner's private folder."""

import io
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call, Category, Confirm, Effect, File, Model, Plugin
from pilot.plugins.tables import edits, files
from pilot.plugins.tables.books import Book, read
from pilot.plugins.tables.cells import Cell, Rows
from pilot.plugins.tables.sampling import sample_tab
from pilot.plugins.tables.writing import applied, change

MAX_CELLS = 200_000
_CELL = re.compile(r"[A-Z]{1,3}\d{1,7}", re.IGNORECASE)
MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_RANGE = re.compile(r"([A-Z]{0,3})(\d{0,7}):([A-Z]{0,3})(\d{0,7})", re.IGNORECASE)

plugin = Plugin(
    name="tables",
    version="1.0",
    title="Tables",
    category=Category.DATA,
    summary="Reads and writes tables in CSV and XLSX files.",
)


class ListTabs(Model):
    """Which table."""

    table: str = Field(description="The file, with or without .csv or .xlsx, e.g. tasks.")


class Tab(Model):
    """One tab."""

    name: str = Field(description="The name; a CSV file has one tab, named like the file.")
    rows: int = Field(description="Rows below the header that are not blank.")
    columns: list[str] = Field(description="The columns, as the header names them.")


class Tabs(Model):
    """The tabs of a table, and how a CSV file is written."""

    tabs: list[Tab] = Field(description="The tabs, in their order.")
    charset: str | None = Field(description="The charset found in a CSV file, e.g. utf-8.")
    delimiter: str | None = Field(description="What divides the cells of a CSV file.")


class ReadRange(Model):
    """Which cells."""

    table: str = Field(description="The file, with or without .csv or .xlsx, e.g. tasks.")
    tab: str | None = Field(None, description="The tab; without it the first.")
    range: str | None = Field(
        None, description="Cells like A1:D20, A:D or 2:10; without it all, the header included."
    )


class Values(Model):
    """Cells as they are written."""

    values: list[list[Cell]] = Field(
        description="Rows of cells: CSV cells are texts; XLSX numbers are numbers, dates ISO texts."
    )
    rows: int = Field(description="How many rows these are.")
    truncated: bool = Field(description="True when the tab goes on below or beside the range.")


class EnsureTab(Model):
    """A tab that shall be there."""

    table: str = Field(description="The file; a new one is made if the name ends .csv or .xlsx.")
    tab: str = Field(
        max_length=31,
        pattern=r"^[^\\/?*\[\]:]+$",
        description="The tab; for a CSV file its name.",
    )
    columns: list[str] = Field(min_length=1, max_length=200, description="The header, in order.")


class Ensured(Model):
    """Whether it had to be made."""

    created: bool = Field(description="False when the tab was there.")


class AppendRows(Model):
    """Rows to add."""

    table: str = Field(description="The file, with or without .csv or .xlsx, e.g. tasks.")
    tab: str | None = Field(None, description="The tab; without it the first.")
    rows: list[dict[str, Cell]] = Field(
        max_length=10_000, description="One object per row, keys as the columns are named."
    )
    key_column: str | None = Field(
        None, description="Rows whose value in this column is in the table are skipped."
    )


class Appended(Model):
    """What was added."""

    appended: int = Field(description="Rows added.")
    skipped: int = Field(description="Rows left out because their key was there.")
    first_row: int | None = Field(description="Number of the first row added, from 1; or null.")


class UpdateRows(Model):
    """Rows to change."""

    table: str = Field(description="The file, with or without .csv or .xlsx, e.g. tasks.")
    tab: str | None = Field(None, description="The tab; without it the first.")
    match: dict[str, Cell] = Field(
        min_length=1, description="Columns and the values that a row must have."
    )
    set: dict[str, Cell] = Field(min_length=1, description="Columns and their new values.")


class Updated(Model):
    """What was changed."""

    updated: int = Field(description="Rows that matched and now have the values.")


class Export(Model):
    """Rows that shall become a file."""

    rows: list[dict[str, Cell]] = Field(
        max_length=10_000, description="One object per row, keys as the columns shall be named."
    )
    format: Literal["csv", "xlsx"] = Field("csv", description="Which kind of file.")
    name: str = Field("table", min_length=1, max_length=200, description="Name of the file.")
    columns: list[str] | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The columns, in order; without them all that the rows have.",
    )


class Exported(Model):
    """The file."""

    file: File = Field(description="The file, to attach or to send.")
    rows: int = Field(description="How many rows it has below the header.")


@plugin.action(
    effect=Effect.PURE,
    success="Looked at {table}",
    guidance="Use it to learn which tabs and columns a table has, before reading it.",
)
def list_tabs(call: Call, params: ListTabs) -> Tabs:
    """List the tabs of a table with their columns."""
    path, book = _opened(call, params.table)
    samples = [sample_tab(path.name, name, rows) for name, rows in book.tabs.items()]
    tabs = [
        Tab(name=one.tab, rows=one.rows, columns=[column.name for column in one.columns])
        for one in samples
    ]
    text = book.text
    return Tabs(
        tabs=tabs,
        charset=text.charset if text else None,
        delimiter=text.delimiter if text else None,
    )


@plugin.action(
    effect=Effect.PURE,
    success="Read {rows} rows of {table}",
    guidance="Use it to get data; rows_to_objects turns the values into objects, parse gives"
    ' numbers and dates their types. Example: {"table": "tasks", "tab": "Plan"}.',
)
def read_range(call: Call, params: ReadRange) -> Values:
    """Read the cells of a tab, or a range of it."""
    path, book = _opened(call, params.table)
    rows = book.tabs[edits.tab_of(path, book, params.tab)]
    values, truncated = _cut(rows, params.range)
    if sum(len(row) for row in values) > MAX_CELLS:
        message = f"{path.name} has more than {MAX_CELLS} cells there: read a smaller range."
        raise PluginError(ErrorClass.OUTPUT_TOO_LARGE, message)
    return Values(values=values, rows=len(values), truncated=truncated)


@plugin.action(
    effect=Effect.KEYED,
    reaches=(),
    success="The tab {tab} is there",
    guidance="Use it before append_rows when the tab may be missing. Columns of a tab that is"
    " there are not changed.",
)
def ensure_tab(call: Call, params: EnsureTab) -> Ensured:
    """Make a tab with these columns unless it is there."""
    folder = call.folder / "tables"
    path = _existing_or_new(folder, params.table)
    output = change(
        path,
        call.key,
        call.deadline,
        lambda content: edits.ensure(path, content, params.tab, params.columns),
    )
    return Ensured.model_validate(output)


def _appended_before(call: Call, params: AppendRows) -> Appended | None:
    output = _output_before(call, params.table)
    return None if output is None else Appended.model_validate(output)


@plugin.action(
    effect=Effect.PROBE,
    was_applied=_appended_before,
    reaches=(),
    success="Added {appended} rows to {table}, skipped {skipped}",
    guidance="Use it to record results; key_column keeps a workflow that runs again from adding"
    " the same row twice. Writing an XLSX file drops its pictures. Example:"
    ' {"table": "log", "rows": [{"id": "7", "status": "sent"}], "key_column": "id"}.',
    rules=(Confirm("len(params.rows) > 1000", "Add more than 1,000 rows to the table?"),),
)
def append_rows(call: Call, params: AppendRows) -> Appended:
    """Add rows below the last row of a tab."""
    path = files.find(call.folder / "tables", params.table)

    def edit(content: bytes | None) -> edits.Result:
        return edits.append(path, content or b"", params.tab, params.rows, params.key_column)

    return Appended.model_validate(change(path, call.key, call.deadline, edit))


def _updated_before(call: Call, params: UpdateRows) -> Updated | None:
    output = _output_before(call, params.table)
    return None if output is None else Updated.model_validate(output)


@plugin.action(
    effect=Effect.PROBE,
    was_applied=_updated_before,
    reaches=(),
    success="Changed {updated} rows of {table}",
    guidance="Use it to set values in rows that are there. Example:"
    ' {"table": "tasks", "match": {"id": "7"}, "set": {"status": "done"}}.',
)
def update_rows(call: Call, params: UpdateRows) -> Updated:
    """Set values in every row that matches."""
    path = files.find(call.folder / "tables", params.table)

    def edit(content: bytes | None) -> edits.Result:
        return edits.update(path, content or b"", params.tab, params.match, params.set)

    return Updated.model_validate(change(path, call.key, call.deadline, edit))


@plugin.action(
    effect=Effect.PURE,
    success="Wrote {rows} rows to a file",
    guidance="Use it to attach rows to a mail or to send them as a file; to keep a table that"
    ' grows, use append_rows. Example: {"rows": "{{steps.pick.output}}", "format": "xlsx"}.',
)
def export(call: Call, params: Export) -> Exported:
    """Make a CSV or XLSX file of rows."""
    content = edits.export(params.format, params.columns, params.rows)
    ending = f".{params.format}"
    name = params.name if params.name.lower().endswith(ending) else params.name + ending
    file = call.files.save(io.BytesIO(content), name, MEDIA_TYPES[params.format])
    return Exported(file=file, rows=len(params.rows))


def _output_before(call: Call, table: str) -> dict[str, Any] | None:
    return applied(files.find(call.folder / "tables", table), call.key, call.deadline)


def _opened(call: Call, table: str) -> tuple[Path, Book]:
    path = files.find(call.folder / "tables", table)
    return path, read(path, path.read_bytes())


def _existing_or_new(folder: Path, table: str) -> Path:
    try:
        return files.find(folder, table)
    except PluginError as error:
        path = files.new_path(folder, table)
        if error.error_class is not ErrorClass.NOT_FOUND or path is None:
            raise
    return path


def _cut(rows: Rows, text: str | None) -> tuple[Rows, bool]:
    """Return the cells of a range in A1 notation, and whether some lie below or beside it."""
    if not text:
        return rows, False
    plain = text.strip().replace("$", "")
    found = _RANGE.fullmatch(f"{plain}:{plain}" if _CELL.fullmatch(plain) else plain)
    if not found or not any(found.groups()):
        message = f"{text[:40]!r} is no range. Write it like A1:D20, A:D or 2:10."
        raise PluginError(ErrorClass.INPUT, message, sent=False)
    left, top, right, bottom = found.groups()
    x1, y1 = _column_number(left) or 1, int(top or 1)
    x2, y2 = _column_number(right) or 2**20, int(bottom or 2**30)
    if y1 < 1 or y2 < y1 or x2 < x1:
        told = "rows count from 1" if not y1 or not y2 else "it ends before it begins"
        message = f"{text[:40]!r} is no range: {told}. Write it like A1:D20, A:D or 2:10."
        raise PluginError(ErrorClass.INPUT, message, sent=False)
    values = [row[x1 - 1 : x2] for row in rows[y1 - 1 : y2]]
    return values, len(rows) > y2 or any(len(row) > x2 for row in rows)


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number
