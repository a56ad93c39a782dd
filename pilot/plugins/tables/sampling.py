"""Samples of tables, for planner and validator: columns, what they hold, examples."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One column; `date_format` only where every value allows just one reading."""

    name: str
    kind: Literal["text", "number", "date", "empty"]
    date_format: str | None = None  # as `parse` takes it, e.g. "DD/MM/YYYY"
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableSample:
    """One tab of a table: its columns and how many rows stand below the header."""

    table: str  # "tasks.csv"
    tab: str
    columns: tuple[Column, ...]
    rows: int
    header_row: int = 0  # index of the row that names the columns
