"""XLSX files of a kilobyte that stand for more than any machine holds."""

import io
import zipfile

import pytest
from openpyxl import Workbook

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables import extent

ROWS = [["Task", "Days"], ["Paint", 3], ["Paint", 4]]
RELATION = (
    '<Relationship Id="shared" Target="sharedStrings.xml" Type="http://schemas.openxmlformats.org'
    '/officeDocument/2006/relationships/sharedStrings"/></Relationships>'
)
SHEET = "xl/worksheets/sheet1.xml"
FAR = '<row r="{0}"><c r="{1}{0}"><v>1</v></c></row></sheetData>'


@pytest.fixture
def altered(tmp_path, act):
    """Give `altered(old, new)`: what reading says of a file whose sheet was changed."""
    folder = tmp_path / "tables"
    folder.mkdir()

    def altered(old, new):
        whole = io.BytesIO()
        book = Workbook()
        for row in ROWS:
            book.active.append(row)
        book.save(whole)
        with (
            zipfile.ZipFile(whole) as before,
            zipfile.ZipFile(folder / "odd.xlsx", "w", zipfile.ZIP_DEFLATED) as after,
        ):
            for name in before.namelist():
                text = before.read(name).decode()
                if name == "xl/_rels/workbook.xml.rels":
                    text = text.replace("</Relationships>", RELATION)
                assert name != SHEET or old in text
                after.writestr(name, text.replace(old, new, 1) if name == SHEET else text)
            after.writestr("xl/sharedStrings.xml", "<sst><si><t>Days</t></si></sst>")
        return act("tables.read_range", {"table": "odd"})

    return altered


@pytest.mark.parametrize(("row", "column"), [(1_048_576, "XFD"), (20_000, "XFD"), (400_000, "Z")])
def test_a_cell_far_out_is_refused_before_memory_is_taken(altered, row, column):
    with pytest.raises(PluginError) as caught:
        altered("</sheetData>", FAR.format(row, column))
    assert caught.value.error_class is ErrorClass.OUTPUT_TOO_LARGE


@pytest.mark.parametrize(
    "far",
    [
        FAR.format("99999999999", "A"),
        FAR.format(7, "ZZZZZZ"),
        FAR.format(1_048_577, "A"),
        '<row r="4294967295"><c><v>1</v></c></row></sheetData>',
        '<row r="&#x39;999999999"><c><v>1</v></c></row></sheetData>',
        FAR.format(9_999_999_999, "A").replace("<v>", "<v a=1>"),  # no XML, and yet read by some
    ],
)
def test_a_cell_that_no_sheet_has_is_damage(altered, far):
    with pytest.raises(PluginError) as caught:
        altered("</sheetData>", far)
    assert caught.value.error_class is ErrorClass.SCHEMA


def test_a_cell_some_way_out_is_read(altered):
    found = altered("</sheetData>", FAR.format(300, "Z"))
    assert (found["rows"], len(found["values"][0])) == (300, 26)


def test_formats_without_values_far_out_count_for_nothing(altered):
    far = FAR.format(1_048_576, "XFD").replace("<v>1</v>", "")
    assert altered("</sheetData>", far)["values"] == ROWS


def test_a_long_text_that_many_cells_show_counts_for_each(altered, monkeypatch):
    shown = "<row>" + '<c t="s"><v>0</v></c>' * 300 + "</row></sheetData>"
    assert altered("</sheetData>", shown)["values"][3][:2] == ["Days", "Days"]
    monkeypatch.setattr(extent, "MAX_CHARACTERS", 4 * 300)
    altered("</sheetData>", shown)
    monkeypatch.setattr(extent, "MAX_CHARACTERS", 4 * 300 - 1)
    with pytest.raises(PluginError) as caught:
        altered("</sheetData>", shown)
    assert caught.value.error_class is ErrorClass.OUTPUT_TOO_LARGE


def test_merged_cells_of_a_whole_sheet_are_refused_and_a_title_is_not(altered):
    merged = '</sheetData><mergeCells count="1"><mergeCell ref="A1:{}"/></mergeCells>'
    assert altered("</sheetData>", merged.format("B1"))["values"][1] == ROWS[1]
    with pytest.raises(PluginError) as caught:
        altered("</sheetData>", merged.format("XFD1048576"))
    assert caught.value.error_class is ErrorClass.OUTPUT_TOO_LARGE


def test_a_number_that_json_has_not_is_text(altered):
    found = altered("<v>3</v>", "<v>1e999</v>")
    assert found["values"][1] == ["Paint", "inf"]
