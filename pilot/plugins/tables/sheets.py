"""Reading XLSX files: cells as they were written. Loaded with the first one."""

import io
import math
import zipfile
import zlib
from datetime import date, datetime, time
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables import extent
from pilot.plugins.tables.cells import MAX_FILE_BYTES, Cell, Rows

MAX_ENTRIES = 1_000
# What reading an archive raises if it is damaged, or has a password or an unknown method.
_DAMAGE = (
    extent.DamagedError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def read(name: str, data: bytes) -> dict[str, Rows]:
    """Return the tabs of a spreadsheet file with this content.

    Raises:
        PluginError: output_too_large; schema, if it is none.
    """
    try:
        _check_size(data)
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            return {tab: _sheet(book, tab) for tab in book.sheet_names}
    except extent.TooLargeError:
        raise PluginError(
            ErrorClass.OUTPUT_TOO_LARGE, f"{name} unpacks to too much data."
        ) from None
    except (*_DAMAGE, CalamineError):
        message = f"{name} cannot be read as an XLSX file; it may be damaged or have a password."
        raise PluginError(ErrorClass.SCHEMA, message) from None


def _check_size(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        if len(entries) > MAX_ENTRIES or size > 4 * MAX_FILE_BYTES:
            raise extent.TooLargeError
        extent.check(archive)


def _sheet(book: CalamineWorkbook, tab: str) -> Rows:
    rows = book.get_sheet_by_name(tab).to_python(skip_empty_area=False)
    cells = [[_plain(cell) for cell in row] for row in rows]
    while cells and not any(cell != "" for cell in cells[-1]):  # formatted, but empty
        cells.pop()
    return cells


def _plain(value: Any) -> Cell:
    """Return a cell as JSON: dates as ISO text, whole numbers without a fraction."""
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if isinstance(value, bool | int | float | str):
        return value
    return str(value)  # a duration, e.g. 1 day, 2:30:00
