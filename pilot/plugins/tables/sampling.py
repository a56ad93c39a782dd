"""Samples of tables, for planner and validator: columns, what they hold, examples."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pilot.errors import PluginError
from pilot.plugins.tables.books import read
from pilot.plugins.tables.cells import Cell, Rows
from pilot.plugins.tables.files import present

MAX_ROWS = 1_000
MAX_EXAMPLES = 12
HEADER_SEARCH = 10  # title lines may stand above the header

# What `parse` takes, and what the standard library reads. Both orders of day and month are
# listed: a column that fits both is ambiguous.
_FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYY/MM/DD": "%Y/%m/%d",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "MM-DD-YYYY": "%m-%d-%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD MMM YYYY": "%d %b %Y",
    "MMM DD, YYYY": "%b %d, %Y",
    "YYYY-MM-DD HH:mm": "%Y-%m-%d %H:%M",
    "YYYY-MM-DDTHH:mm:ss": "%Y-%m-%dT%H:%M:%S",
    "YYYY-MM-DD HH:mm:ss": "%Y-%m-%d %H:%M:%S",
}
_NUMBER = re.compile(r"[-+]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?")


@dataclass(frozen=True)
class Column:
    """One column; `date_format` only where the column allows just one reading."""

    name: str
    kind: Literal["text", "number", "date", "empty"]
    date_format: str | None = None  # as `parse` takes it, e.g. "DD/MM/YYYY"
    examples: tuple[str, ...] = ()  # different values, in the order of the rows


@dataclass(frozen=True)
class TableSample:
    """One tab of a table: its columns and how many rows stand below the header."""

    table: str  # "tasks.csv"
    tab: str
    columns: tuple[Column, ...]
    rows: int
    header_row: int = 0  # index of the row that names the columns


def sample(folder: Path) -> list[TableSample]:
    """Return a sample of every tab of every readable table in the owner's private folder."""
    found: list[TableSample] = []
    for path in present(folder / "tables"):
        try:
            facts = path.stat()
            found += _sample_file(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)
        except (PluginError, FileNotFoundError):
            continue  # damaged or just removed: reading it in a step says so
    return found


@lru_cache(maxsize=256)
def _sample_file(path: Path, *_written: int) -> list[TableSample]:
    """Return the samples of one file; it is read again once it was written."""
    tabs = read(path, path.read_bytes()).tabs.items()
    return [sample_tab(path.name, tab, rows) for tab, rows in tabs]


def sample_tab(table: str, tab: str, rows: Rows) -> TableSample:
    """Return the sample of one tab."""
    header = header_row(rows)
    names = [as_text(cell).strip() for cell in rows[header]] if rows else []
    below = [row for row in rows[header + 1 :] if any(as_text(cell).strip() for cell in row)]
    columns = [
        _column(name, [row[place] if place < len(row) else "" for row in below[:MAX_ROWS]])
        for place, name in enumerate(names)
        if name
    ]
    return TableSample(table, tab, tuple(columns), len(below), header)


def header_row(rows: Rows) -> int:
    """Return the index of the first row that looks like column names, 0 if none does.

    That row has as many different texts as any of the first rows has cells, or one less where
    that leaves two, and no numbers; titles above have fewer.
    """
    first = rows[:HEADER_SEARCH]
    width = max((len(_filled(row)) for row in first), default=0)
    for number, row in enumerate(first):
        cells = _filled(row)
        named = not any(_NUMBER.fullmatch(cell) for cell in cells)
        wide = len(cells) >= max(width - 1, min(width, 2))
        if cells and wide and len(set(cells)) == len(cells) and named:
            return number
    return 0


def as_text(cell: Cell) -> str:
    """Return a cell as the text that a CSV file holds for it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _filled(row: list[Cell]) -> list[str]:
    return [text for text in (as_text(cell).strip() for cell in row) if text]


def _column(name: str, cells: list[Cell]) -> Column:
    values = _filled(cells)
    examples = tuple(value[:80] for value in list(dict.fromkeys(values))[:MAX_EXAMPLES])
    if not values:
        return Column(name, "empty")
    if all(_NUMBER.fullmatch(value) for value in values):
        return Column(name, "number", None, examples)
    fits = {one: sum(_is_date(value, one) for value in values) for one in _FORMATS}
    most = max(fits.values())
    if most < 0.8 * len(values):
        return Column(name, "text", None, examples)
    best = [one for one, count in fits.items() if count == most]
    return Column(name, "date", best[0] if len(best) == 1 else None, examples)


def _is_date(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, _FORMATS[form])  # noqa: DTZ007  only whether it fits
    except ValueError:
        return False
    return True
