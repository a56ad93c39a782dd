"""Writes XLSX files; apart, so that only who writes one loads the library for it."""

import io
from collections.abc import Mapping

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import IllegalCharacterError

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables.cells import Cell


def with_cells(content: bytes | None, tab: str, cells: Mapping[tuple[int, int], Cell]) -> bytes:
    """Return an XLSX file with these cells set; rows and columns count from 1."""
    if content:
        book = load_workbook(io.BytesIO(content))
        _refuse_formulas(book)
    else:
        book = Workbook()
        book.remove(book.worksheets[0])
    sheet = book[tab] if tab in book.sheetnames else book.create_sheet(tab)
    try:
        for (row, column), cell in cells.items():
            sheet.cell(row, column).value = cell
    except IllegalCharacterError:
        message = "A value holds control characters, which an XLSX file cannot hold."
        raise PluginError(ErrorClass.INPUT, message, sent=False) from None
    out = io.BytesIO()
    book.save(out)
    book.close()
    return out.getvalue()


def _refuse_formulas(book: Workbook) -> None:
    """Saving drops the results of formulas, and the next step would read nothing in their place."""
    for sheet in book.worksheets:
        # Those that are there: `iter_rows` makes all others up to the last one.
        if any(cell.data_type == "f" for cell in sheet._cells.values()):  # noqa: SLF001
            message = f"The tab {sheet.title} has formulas; writing would lose their results."
            message += " Use a file without formulas."
            raise PluginError(ErrorClass.CONFLICT, message, sent=False)
