"""What each change makes of a table's content; pure but for the bytes they get."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables.books import Book, Text, read, write_text
from pilot.plugins.tables.cells import (
    MAX_CSV_CHARACTERS,
    MAX_XLSX_CHARACTERS,
    Cell,
    Rows,
)
from pilot.plugins.tables.files import choose
from pilot.plugins.tables.sampling import as_text, header_row

# Where a spreadsheet would calculate: also after the full-width forms of the signs.
_FORMULA = re.compile(r"[=+\-@\t\r\n|\uff1d\uff0b\uff0d\uff20]")
_PLAIN_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)*")

Result = tuple[bytes, dict[str, Any]]


def guarded(cell: Cell) -> Cell:
    """Return a text that would be calculated with a quote before it."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _PLAIN_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _written(column: str, cell: Cell, *, is_text: bool) -> Cell:
    """Return a cell as it goes into a column of a file.

    Raises:
        PluginError: class input, if such a file would not give it back as it is.
    """
    safe = guarded(cell)
    if not isinstance(safe, str):
        return safe
    kind, most = ("CSV", MAX_CSV_CHARACTERS) if is_text else ("XLSX", MAX_XLSX_CHARACTERS)
    size = len(safe) if is_text else len(safe.encode("utf-16-le", "surrogatepass")) // 2
    if size > most:
        held = (
            f"{size:,} characters; a cell of {'a' if is_text else 'an'} {kind} file holds {most:,}"
        )
        message = f"The value for the column {column[:80]!r} has {held}. Shorten it."
        raise PluginError(ErrorClass.INPUT, message, sent=False)
    if "\0" in safe:
        message = f"The value for the column {column[:80]!r} has a NUL character. Remove it."
        raise PluginError(ErrorClass.INPUT, message, sent=False)
    return safe


def tab_of(path: Path, book: Book, tab: str | None) -> str:
    """Return the tab called `tab`; the first without a name.

    Raises:
        PluginError: class not_found.
    """
    names = list(book.tabs)
    if tab is None:
        return names[0]
    return names[0] if book.text and tab == path.name else choose("tab", tab, names)


def append(
    path: Path, content: bytes, tab: str | None, rows: list[dict[str, Cell]], key: str | None
) -> Result:
    """Return the content with rows below the last; those whose key is there are skipped."""
    book = read(path, content)
    name = tab_of(path, book, tab)
    present = book.tabs[name]
    columns = _columns(present) or _named_by(rows)
    fresh = _fresh(present, columns, [_by_column(row, columns) for row in rows], key)
    is_text = book.text is not None
    table = [
        [_written(column, row.get(column), is_text=is_text) for column in columns] for row in fresh
    ]
    output = {
        "appended": len(fresh),
        "skipped": len(rows) - len(fresh),
        "first_row": (len(present) or 1) + 1 if fresh else None,
    }
    if fresh and not present:
        table.insert(0, [_written(column, column, is_text=is_text) for column in columns])
    if not fresh:
        return content, output
    if book.text:
        return _append_text(content, table, book.text), output
    cells = {
        (len(present) + 1 + y, 1 + x): cell
        for y, row in enumerate(table)
        for x, cell in enumerate(row)
    }
    return _with_cells(content, name, cells), output


def update(
    path: Path,
    content: bytes,
    tab: str | None,
    match: Mapping[str, Cell],
    values: Mapping[str, Cell],
) -> Result:
    """Return the content with `values` set in every row that equals `match`."""
    book = read(path, content)
    name = tab_of(path, book, tab)
    rows = book.tabs[name]
    columns = _columns(rows)
    wanted = _by_column(match, columns)
    is_text = book.text is not None
    new = _by_column(values, columns)
    written = {part: _written(part, new[part], is_text=is_text) for part in new}
    cells: dict[tuple[int, int], Cell] = {}
    updated = 0
    for number in range(header_row(rows) + 1, len(rows)):
        row = rows[number]
        if all(_same(_at(row, columns.index(part)), wanted[part]) for part in wanted):
            updated += 1
            cells |= {(number + 1, columns.index(part) + 1): written[part] for part in new}
    if not cells:
        return content, {"updated": 0}
    if book.text is None:
        return _with_cells(content, name, cells), {"updated": updated}
    for (y, x), cell in cells.items():
        row = rows[y - 1]
        row += [""] * (x - len(row))
        row[x - 1] = cell
    text = write_text(_texts(rows), book.text)
    return book.text.mark + text, {"updated": updated}


def ensure(path: Path, content: bytes | None, tab: str, columns: list[str]) -> Result:
    """Return the content with a tab that has these columns; a tab that is there is kept.

    Raises:
        PluginError: conflict, if the tab lacks one of the columns.
    """
    is_text = path.suffix.lower() == ".csv"
    header = [[_written(column, column, is_text=is_text) for column in columns]]
    if is_text and tab.casefold() not in {path.stem.casefold(), path.name.casefold()}:
        message = f"{path.name} is a CSV file: its only tab is {path.stem!r}. Use an XLSX file."
        raise PluginError(ErrorClass.INPUT, message, sent=False)
    book = read(path, content) if content else Book({})
    name = next((one for one in book.tabs if one.casefold() == tab.casefold()), None)
    rows = book.tabs.get(name or "", [])
    if is_text and not rows:
        return write_text(_texts(header), Text()), {"created": True}
    if name is None:
        return _with_cells(content, tab, dict(_grid(header))), {"created": True}
    if not rows and content:
        return _with_cells(content, name, dict(_grid(header))), {"created": False}
    known = {column.casefold() for column in _columns(rows)}
    lacking = [column for column in columns if _comparable(column).casefold() not in known]
    if lacking:
        message = f"The tab {name} is there, but lacks the columns {', '.join(lacking)}."
        raise PluginError(ErrorClass.CONFLICT, message, sent=False)
    return content or b"", {"created": False}


def export(kind: str, columns: list[str] | None, rows: list[dict[str, Cell]]) -> bytes:
    """Return a new file, "csv" or "xlsx", with a header and these rows.

    Raises:
        PluginError: class input, if nothing names columns, or a row has others than named.
    """
    named = columns or _named_by(rows)
    if not named:
        message = "There are no rows that name the columns: tell them in columns."
        raise PluginError(ErrorClass.INPUT, message, sent=False)
    is_text = kind == "csv"
    header: dict[str, Cell] = {name: name for name in named}
    lines = [header, *(_by_column(row, named) for row in rows)]
    table = [[_written(name, row.get(name), is_text=is_text) for name in named] for row in lines]
    if is_text:
        return write_text(_texts(table), Text())
    return _with_cells(None, "Table", dict(_grid(table)))


def _grid(rows: Sequence[Sequence[Cell]]) -> list[tuple[tuple[int, int], Cell]]:
    return [((y, x), cell) for y, row in enumerate(rows, 1) for x, cell in enumerate(row, 1)]


def _columns(rows: Rows) -> list[str]:
    return [as_text(cell).strip() for cell in rows[header_row(rows)]] if rows else []


def _named_by(rows: list[dict[str, Cell]]) -> list[str]:
    """Return the columns of a table that has none yet: the keys of the rows, in their order."""
    return list(dict.fromkeys(as_text(guarded(name)).strip() for row in rows for name in row))


def _by_column(values: Mapping[str, Cell], columns: list[str]) -> dict[str, Cell]:
    named = [column for column in columns if column]
    return {choose("column", as_text(guarded(name)), named): values[name] for name in values}


def _fresh(
    present: Rows, columns: list[str], rows: list[dict[str, Cell]], key: str | None
) -> list[dict[str, Cell]]:
    """Leave out the rows whose key stands in the table, or in an earlier one of these rows."""
    if key is None or not rows:
        return rows
    column = choose("column", key, [name for name in columns if name])
    place = columns.index(column)
    seen = {_comparable(_at(row, place)) for row in present[header_row(present) + 1 :]}
    fresh: list[dict[str, Cell]] = []
    for number, row in enumerate(rows):
        value = _comparable(row.get(column))
        if not value:
            message = f"Row {number + 1} has no value in the key column {column}."
            raise PluginError(ErrorClass.INPUT, message, sent=False)
        if value not in seen:
            seen.add(value)
            fresh.append(row)
    return fresh


def _at(row: list[Cell], place: int) -> Cell:
    return row[place] if place < len(row) else ""


def _same(left: Cell, right: Cell) -> bool:
    return _comparable(left) == _comparable(right)


def _comparable(cell: Cell) -> str:
    return as_text(guarded(cell)).strip()


def _append_text(content: bytes, rows: Sequence[Sequence[Cell]], text: Text) -> bytes:
    """Add lines at the end and leave every byte before them as it was."""
    end = text.newline.encode(text.charset)
    between = b"" if not content.removeprefix(text.mark) or content.endswith(end) else end
    return content + between + write_text(_texts(rows), text)


def _texts(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[as_text(cell) for cell in row] for row in rows]


def _with_cells(content: bytes | None, tab: str, cells: Mapping[tuple[int, int], Cell]) -> bytes:
    from pilot.plugins.tables import workbooks  # noqa: PLC0415

    return workbooks.with_cells(content, tab, cells)
