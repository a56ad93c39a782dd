"""Writes a table as HTML, Markdown, CSV or plain text; no cell can leave its place."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Align = Literal["left", "right", "center"]

# Where a spreadsheet would calculate: also after the full-width forms of the signs.
_FORMULA = re.compile(r"[=+\-@\t\r\n|\uff1d\uff0b\uff0d\uff20]")
_PLAIN_NUMBER = re.compile(r"-?[0-9]+([.,][0-9]+)*")
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|&~#]")
_WHITE = re.compile(r"\s+")


@dataclass(frozen=True)
class Grid:
    """A table as texts: the header, how each column is aligned, the cells."""

    title: str
    header: Sequence[str]
    aligns: Sequence[Align]
    lines: Sequence[Sequence[str]]


def guarded(cell: str) -> str:
    """Return a text that a spreadsheet would calculate with a quote before it; numbers stay."""
    if _FORMULA.match(cell) and not _PLAIN_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def html(grid: Grid) -> str:
    """Return a table of plain elements and attributes, which mail programs show as it is."""
    aligned = [f' align="{align}"' if align != "left" else "" for align in grid.aligns]
    heads = [f'<th scope="col"{align}>' for align in aligned]
    cells = [f"<td{align}>" for align in aligned]
    title = f"<caption>{html_text(grid.title)}</caption>\n" if grid.title else ""
    head = _html_row(heads, grid.header, "th")
    body = "\n".join(_html_row(cells, line, "td") for line in grid.lines)
    return (
        '<table border="1" cellpadding="6" cellspacing="0">\n'
        f"{title}<thead>\n{head}\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def html_text(text: str) -> str:
    """Return a text as HTML, its line breaks kept."""
    return escape(text).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")


def markdown(grid: Grid) -> str:
    """Return a table of GitHub flavoured Markdown."""
    rules = {"left": "---", "right": "---:", "center": ":---:"}
    lines = [
        [markdown_text(cell) for cell in grid.header],
        [rules[align] for align in grid.aligns],
        *([markdown_text(cell) for cell in line] for line in grid.lines),
    ]
    title = f"**{markdown_text(grid.title)}**\n\n" if grid.title else ""
    return title + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    """Return a text that means itself in a line of Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", _one_line(text))


def comma_separated(grid: Grid) -> str:
    """Return CSV of RFC 4180; the title is left out, a table program would take it for data."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for line in (grid.header, *grid.lines):
        writer.writerow([guarded(cell) for cell in line])
    return out.getvalue()


def plain(grid: Grid) -> str:
    """Return lines of text with columns of equal width."""
    lines = [[_one_line(cell) for cell in line] for line in (grid.header, *grid.lines)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    title = f"{_one_line(grid.title)}\n\n" if grid.title else ""
    return title + "\n".join(
        "  ".join(map(_fill, line, widths, grid.aligns)).rstrip() for line in lines
    )


WRITERS: dict[str, Callable[[Grid], str]] = {
    "html": html,
    "markdown": markdown,
    "csv": comma_separated,
    "text": plain,
}


def _html_row(opening: Sequence[str], cells: Sequence[str], name: str) -> str:
    inner = "".join(
        f"{start}{html_text(cell)}</{name}>" for start, cell in zip(opening, cells, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _one_line(text: str) -> str:
    return _WHITE.sub(" ", text).strip()


def _width(text: str) -> int:
    """Return the columns that a text takes in a terminal: two for wide letters."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _fill(text: str, width: int, align: Align) -> str:
    space = width - _width(text)
    left = {"left": 0, "right": space, "center": space // 2}[align]
    return " " * left + text + " " * (space - left)
