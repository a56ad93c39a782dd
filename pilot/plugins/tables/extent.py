"""What an XLSX file unfolds to, counted before a library takes memory for it.

A file of a kilobyte with one cell far out, or with one text that many cells show, stands for more
than any machine holds, and the libraries then end the whole process.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import IO
from xml.parsers import expat

MAX_CELLS = 5_000_000  # of all tabs, those that are empty between others included
MAX_CHARACTERS = 200_000_000  # in all cells
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384  # by the file format
SHEET = b"sheetData"  # what an entry has in it that libraries read as a sheet
PIECE_BYTES = 65_536
_PLACE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")


class TooLargeError(Exception):
    """It unfolds to more than is read."""


class DamagedError(Exception):
    """It names places that no sheet has, or is no XML."""


def check(archive: zipfile.ZipFile) -> None:
    """Refuse a file whose sheets span too much; each entry is read once.

    Raises:
        TooLargeError: they do.
        DamagedError: nobody can tell.
        zipfile.BadZipFile: an entry is not what it is said to be.
    """
    found = _Counted()
    for entry in archive.infolist():
        with archive.open(entry) as stream:
            _Entry(found).read(stream)
    shown = sum(found.lengths.get(index, 0) * often for index, often in found.shown.items())
    if shown > MAX_CHARACTERS:
        raise TooLargeError


class _Counted:
    """What was counted in all entries so far."""

    def __init__(self) -> None:
        self.cells = 0
        self.lengths: dict[int, int] = {}  # of shared texts
        self.shown: Counter[int] = Counter()  # how many cells show each

    def count(self, cells: int) -> None:
        self.cells += cells
        if self.cells > MAX_CELLS:
            raise TooLargeError


class _Entry:
    """One entry, read as the libraries read sheets and shared texts, whichever it is."""

    def __init__(self, found: _Counted) -> None:
        self._found = found
        self._cells = 0
        self._row, self._column = 0, 0  # the place of the cell
        self._last_row, self._last_column = 0, 0  # of those that hold something
        self._is_shared = False  # whether the cell names a shared text
        self._index = ""
        self._texts, self._length = -1, 0
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "row": self._begin_row,
            "c": self._begin_cell,
            "v": self._begin_value,
            "is": self._begin_value,
            "mergeCell": self._merge,
            "si": self._begin_text,
        }
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EntityDeclHandler = self._refuse_entity

    def read(self, stream: IO[bytes]) -> None:
        is_sheet, before, damaged = False, b"", False
        while piece := stream.read(PIECE_BYTES):
            is_sheet = is_sheet or SHEET in before + piece
            before = piece[-len(SHEET) :]
            damaged = damaged or not self._feed(piece)
            if damaged and is_sheet:  # the libraries may read on
                raise DamagedError
        self._found.count(max(self._cells, self._last_row * self._last_column))

    def _feed(self, piece: bytes) -> bool:
        try:
            self._parser.Parse(piece, False)
        except expat.ExpatError:
            return False
        return True

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        begin = self._starts.get(name) or self._starts.get(name.rpartition(":")[2])
        if begin is not None:
            begin(attributes)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r")
        self._row = self._row + 1 if number is None else _row(number)
        self._column = 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._cells += 1
        if self._cells > MAX_CELLS:
            raise TooLargeError
        place = attributes.get("r")
        if place is None:
            self._column += 1
        else:
            self._row, self._column = _place(place)
        self._is_shared = attributes.get("t") == "s"

    def _begin_value(self, _: dict[str, str]) -> None:
        self._last_row = max(self._last_row, self._row)
        self._last_column = max(self._last_column, self._column)
        if self._is_shared:
            self._index = ""
            self._parser.CharacterDataHandler = self._take_index
            self._parser.EndElementHandler = self._end

    def _take_index(self, text: str) -> None:
        self._index += text[:20]

    def _begin_text(self, _: dict[str, str]) -> None:
        self._texts += 1
        self._length = 0
        self._parser.CharacterDataHandler = self._take_text
        self._parser.EndElementHandler = self._end

    def _take_text(self, text: str) -> None:
        self._length += len(text)

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if local == "v" and self._is_shared:
            self._parser.CharacterDataHandler = self._parser.EndElementHandler = None
            if self._index.strip().isdecimal():
                self._found.shown[int(self._index)] += 1
        elif local == "si":
            self._parser.CharacterDataHandler = self._parser.EndElementHandler = None
            known = self._found.lengths.get(self._texts, 0)
            self._found.lengths[self._texts] = max(known, self._length)

    def _merge(self, attributes: dict[str, str]) -> None:
        first, _, last = attributes.get("ref", "").partition(":")
        (top, left), (bottom, right) = _place(first), _place(last or first)
        self._found.count((abs(bottom - top) + 1) * (abs(right - left) + 1))

    def _refuse_entity(self, *_: object) -> None:
        raise DamagedError


def _row(number: str) -> int:
    return _place(f"A{number}")[0]


def _place(text: str) -> tuple[int, int]:
    found = _PLACE.fullmatch(text)
    if found is None or not 0 < (row := int(found[2])) <= LAST_ROW:
        raise DamagedError
    return row, _column(found[1])


@lru_cache(1_000)
def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    if number > LAST_COLUMN:
        raise DamagedError
    return number
