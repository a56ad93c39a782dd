"""Reading CSV and XLSX files: charset, dialect, tabs, and cells as they were written."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables.cells import MAX_FILE_BYTES, Rows

DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'[",;\t|\r\n]')  # any delimiter, so that none is taken for the file's own
_MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@dataclass(frozen=True)
class Text:
    """How a CSV file is written."""

    charset: str = "utf-8"
    delimiter: str = ","
    newline: str = "\n"
    mark: bytes = b""  # the byte order mark that the file begins with


@dataclass(frozen=True)
class Book:
    """The tabs of a table; a CSV file has one, named like the file."""

    tabs: dict[str, Rows]
    text: Text | None = field(default=None)


def read(path: Path, data: bytes) -> Book:
    """Return all tabs of a file with this content.

    Raises:
        PluginError: output_too_large; schema, if it is not what its name says.
    """
    if len(data) > MAX_FILE_BYTES:
        message = f"{path.name} is larger than {MAX_FILE_BYTES // 1_000_000} MB."
        raise PluginError(ErrorClass.OUTPUT_TOO_LARGE, message)
    if path.suffix.lower() == ".xlsx":
        from pilot.plugins.tables import sheets  # noqa: PLC0415

        return Book(sheets.read(path.name, data))
    text = _detect(data)
    try:
        return Book({path.stem: _records(_decoded(data, text), text.delimiter)}, text)
    except csv.Error as error:
        message = f"{path.name} cannot be read as CSV: {error}."
        raise PluginError(ErrorClass.SCHEMA, message) from None


def write_text(rows: Sequence[Sequence[str]], text: Text) -> bytes:
    """Return rows as CSV in this dialect and charset, without a byte order mark.

    Raises:
        PluginError: class input, if the charset has no such characters.
    """
    lines = [_line(row, text.delimiter) + text.newline for row in rows]
    try:
        return "".join(lines).encode(text.charset)
    except UnicodeEncodeError as error:
        bad = error.object[error.start : error.end]
        message = f"The file's charset {text.charset} has no {bad!r}. Save the file as UTF-8."
        raise PluginError(ErrorClass.INPUT, message, sent=False) from None


def _line(cells: Sequence[str], delimiter: str) -> str:
    """Return cells as they are read again: csv.writer leaves a lone CR bare, which ends a row."""
    quoted = [
        '"{}"'.format(cell.replace('"', '""')) if _QUOTED.search(cell) else cell for cell in cells
    ]
    return '""' if quoted == [""] else delimiter.join(quoted)


def _detect(data: bytes) -> Text:
    charset, mark = _charset(data)
    sample = _decoded(data[:65_536], Text(charset, mark=mark))
    newline = "\r\n" if "\r\n" in sample else "\n"
    return Text(charset, _delimiter(sample), newline, mark)


def _charset(data: bytes) -> tuple[str, bytes]:
    for name, mark in _MARKS.items():
        if data.startswith(mark):
            return name, mark
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        from pilot.plugins.tables import charsets  # noqa: PLC0415

        return charsets.guess(data), b""
    return "utf-8", b""


def _decoded(data: bytes, text: Text) -> str:
    return data[len(text.mark) :].decode(text.charset, "replace")


def _delimiter(sample: str) -> str:
    """Take the delimiter that gives most rows the same number of cells, at least two."""
    scores = {one: _agreement(sample, one) for one in DELIMITERS}
    return max(DELIMITERS, key=lambda one: scores[one])


def _agreement(sample: str, delimiter: str) -> tuple[int, int]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    widths = [len(row) for row in islice(reader, 50) if row]
    wide = [width for width in widths if width > 1]
    common = max(wide, key=wide.count, default=0)
    return wide.count(common), common


def _records(text: str, delimiter: str) -> Rows:
    return [list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
