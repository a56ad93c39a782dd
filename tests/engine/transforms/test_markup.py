"""No cell can leave its place, whatever it holds."""

import csv
import io
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pilot.engine.transforms.markup import Grid, comma_separated, guarded, html, markdown, plain
from pilot.engine.transforms.styles import number_style

cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
grids = st.integers(1, 3).flatmap(
    lambda width: st.builds(
        Grid,
        title=cells,
        header=st.lists(cells, min_size=width, max_size=width),
        aligns=st.just(["left"] * width),
        lines=st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=3),
    )
)


class Reader(HTMLParser):
    """Collects elements and the text of cells."""

    def __init__(self):
        super().__init__()
        self.tags, self.cells = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in {"td", "th"}:
            self.cells.append("")
        if tag == "br":
            self.cells[-1:] = [self.cells[-1] + "\n"] if self.cells else []

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@given(grids)
def test_html_reads_back_as_the_same_cells(grid):
    reader = Reader()
    reader.feed(html(grid))
    reader.close()
    assert reader.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "br"}
    wanted = [cell for line in (grid.header, *grid.lines) for cell in line]
    assert [flat(cell) for cell in reader.cells] == [flat(cell) for cell in wanted]


def flat(text):
    return "".join(text.split())


@given(grids)
def test_csv_reads_back_as_one_cell_per_field_and_no_formula(grid):
    read = list(csv.reader(io.StringIO(comma_separated(grid), newline="")))
    wanted = [list(line) for line in (grid.header, *grid.lines)]
    assert [[cell.removeprefix("'") for cell in line] for line in read] == [
        [cell.removeprefix("'") for cell in line] for line in wanted
    ]
    assert all(cell == guarded(cell) for line in read for cell in line)


@given(grids)
def test_text_and_markdown_have_one_line_per_row(grid):
    body = markdown(Grid("", grid.header, grid.aligns, grid.lines)).split("\n")
    assert len(body) == len(grid.lines) + 2
    assert len(plain(Grid("", grid.header, grid.aligns, grid.lines)).split("\n")) == len(body)


@pytest.mark.parametrize(
    "cell",
    [
        *("=1+1", "=cmd|'/c calc'!A1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1+1"),
        *("\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20a", "|calc"),
    ],
)
def test_a_formula_is_guarded(cell):
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-5", "-1.5", "-1.234,56", "5", "a=b", "", "x-y"])
def test_numbers_and_harmless_texts_stay(cell):
    assert guarded(cell) == cell


@pytest.mark.parametrize(
    "cell",
    ["a|b", "a\nb", "[x](http://a.test)", "![x](y)", "<b>x</b>", "`x`", "**x**", "\\|", "&lt;"],
)
def test_markdown_means_the_text_itself(cell):
    grid = Grid("", ["H"], ["left"], [[cell]])
    shown = MarkdownIt("commonmark").enable("table").render(markdown(grid))
    reader = Reader()
    reader.feed(shown)
    assert reader.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert reader.cells[-1].strip() == cell.replace("\n", " ")


@pytest.mark.parametrize("example", ["", "abc", "1.2.3,4", "12,34.5", "1,234.5 of 2"])
def test_an_example_that_shows_no_style_is_refused(example):
    with pytest.raises(ValueError, match="'"):
        number_style(example)
