"""Tables in files: read as written, changed exactly once."""

import csv
import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables.books import Text, read, write_text
from pilot.plugins.tables.cells import MAX_FILE_BYTES

TASKS = "id,name,due\n1,Ann,03/12/2026\n2,Bob,25/11/2026\n"
APPEND = {"table": "tasks", "rows": [{"id": "3", "name": "Cem"}], "key_column": "id"}


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "tables"
    found.mkdir()
    (found / "tasks.csv").write_text(TASKS)
    return found


def workbook(path, tabs):
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tabs.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    book.close()


def failing(act, name, params, key="key-1"):
    with pytest.raises(PluginError) as caught:
        act(f"tables.{name}", params, key=key)
    return caught.value


def test_csv_cells_come_as_they_are_written(act, folder):
    (folder / "odd.csv").write_text('a,b\n 01 ,"x, ""y""\nz"\n\nonly\n1,2,3\n')
    output = act("tables.read_range", {"table": "odd"})
    values = [["a", "b"], [" 01 ", 'x, "y"\nz'], [], ["only"], ["1", "2", "3"]]
    assert output == {"values": values, "rows": 5, "truncated": False}


@pytest.mark.parametrize(
    ("data", "delimiter"),
    [
        ("name;city\nÄrger;Köln\nMüller;Zürich\n".encode("cp1252"), ";"),
        ("name\tcity\nÄrger\tKöln\n".encode("utf-8-sig"), "\t"),
        ("name|city\r\nÄrger|Köln\r\n".encode("utf-16"), "|"),
        ('name,city\n"Ärger","Köln"\n'.encode(), ","),
    ],
)
def test_charset_and_dialect_are_detected_and_shown(act, folder, data, delimiter):
    (folder / "people.csv").write_bytes(data)
    values = act("tables.read_range", {"table": "people"})["values"]
    assert values[:2] == [["name", "city"], ["Ärger", "Köln"]]
    shown = act("tables.list_tabs", {"table": "people"})
    assert shown["delimiter"] == delimiter
    assert shown["tabs"][0]["columns"] == ["name", "city"]


WORDS = ["José", "René", "Ñandú", "Peña", "Ångström", "Gödel", "5 €", "ÆØÅ", "m³", "“Été”", "£5"]
LONGER = {
    "cp1251": "имя,город\nИван Петров,Москва\nОльга Смирнова,Санкт-Петербург\n",  # noqa: RUF001
    "cp1253": "όνομα,πόλη\nΓιώργος Παπαδόπουλος,Αθήνα\nη παραγγελία παραδόθηκε\n",  # noqa: RUF001
    "shift_jis": "名前,都市\n山田太郎,東京\nこんにちは世界、注文は時間通りに届きました\n",
    "gb18030": "姓名,城市\n张伟,北京\n李娜,上海\n订单已按时送达,谢谢您的支持\n",
    "utf-16-le": "name,ort\nJürgen Müller,Köln\nÄnne Groß,Düsseldorf\n",
    "cp1250": "imię,miasto\nŁukasz Wiśniewski,Łódź\nMałgorzata Wójcik,Kraków\nZażółć gęślą jaźń,x\n"
    "Zamówienie zostało dostarczone na czas,dziękujemy bardzo za współpracę\n",
    "cp1252": "nom,ville\nZoé Lefèvre,Orléans\nElle a été livrée à l\u2019heure,merci où\n"
    "José Núñez,Málaga\n¿Dónde está el pedido?,¡Llegó mañana!\nJoão Conceição,Guimarães\n",
}


@pytest.mark.parametrize("word", WORDS)
def test_a_short_western_text_is_read_as_such(act, folder, word):
    (folder / "short.csv").write_bytes(f"name,x\n{word},1\n".encode("cp1252"))
    output = act("tables.read_range", {"table": "short"})
    assert output["values"] == [["name", "x"], [word, "1"]]
    assert act("tables.list_tabs", {"table": "short"})["charset"] == "cp1252"


@pytest.mark.parametrize("charset", LONGER)
def test_a_longer_text_shows_its_charset(act, folder, charset):
    (folder / "longer.csv").write_bytes(LONGER[charset].encode(charset))
    values = act("tables.read_range", {"table": "longer"})["values"]
    assert values == [line.split(",") for line in LONGER[charset].splitlines()]


@pytest.mark.parametrize("charset", ["cp1252", "utf-8-sig", "utf-16"])
def test_a_write_keeps_charset_and_every_byte_before_it(act, folder, charset):
    path = folder / "people.csv"
    path.write_bytes("name;city\r\n'Ärger';\"Köln\"".encode(charset))
    before = path.read_bytes()
    act("tables.append_rows", {"table": "people", "rows": [{"name": "Jürgen", "city": "a;b"}]})
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().decode(charset).endswith('\r\nJürgen;"a;b"\r\n')


def test_xlsx_cells_have_their_types(act, folder):
    rows = [
        ["n", "when", "at", "yes", "t"],
        [4, date(2026, 12, 1), datetime.fromisoformat("2026-01-02T03:04")],
    ]
    more = [[1.5, None, None, True, "007"], [timedelta(hours=26.5), time(12, 30)]]
    workbook(folder / "plan.xlsx", {"First": [*rows, *more], "Empty": []})
    values = act("tables.read_range", {"table": "plan"})["values"]
    assert values[1] == [4, "2026-12-01", "2026-01-02T03:04:00", "", ""]
    assert values[2] == [1.5, "", "", True, "007"]
    assert values[3][:3] == ["1 day, 2:30:00", "12:30:00", ""]
    assert act("tables.read_range", {"table": "plan", "tab": "empty"})["rows"] == 0


@pytest.mark.parametrize(
    ("text", "values", "truncated"),
    [
        ("A1:B2", [["id", "name"], ["1", "Ann"]], True),
        ("b:b", [["name"], ["Ann"], ["Bob"]], True),
        ("3:9", [["2", "Bob", "25/11/2026"]], False),
        ("$C$3", [["25/11/2026"]], False),
        ("A9:B12", [], True),
    ],
)
def test_a_range_is_cut_out_and_says_what_it_leaves(act, folder, text, values, truncated):
    output = act("tables.read_range", {"table": "tasks", "range": text})
    assert (output["values"], output["truncated"]) == (values, truncated)


@pytest.mark.parametrize(
    "text",
    ["all", "1A", "A1:B2:C3", ":", "Tab!A1", "B2:A1", "B1:A2", "A2:A1", "A0:B1", "A0", "A1:B0"],
)
def test_what_is_no_range_is_refused(act, folder, text):
    error = failing(act, "read_range", {"table": "tasks", "range": text})
    assert error.error_class is ErrorClass.INPUT
    assert "A1:D20" in error.message


def test_too_many_cells_are_refused(act, folder):
    (folder / "big.csv").write_text("a,b\n" + "1,2\n" * 100_001)
    error = failing(act, "read_range", {"table": "big"})
    assert error.error_class is ErrorClass.OUTPUT_TOO_LARGE
    assert act("tables.read_range", {"table": "big", "range": "1:5"})["rows"] == 5


def test_a_file_that_is_too_large_or_damaged_is_named(act, folder):
    with (folder / "huge.csv").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    (folder / "fake.xlsx").write_bytes(b"no zip")
    huge = failing(act, "read_range", {"table": "huge"})
    assert huge.error_class is ErrorClass.OUTPUT_TOO_LARGE
    fake = failing(act, "read_range", {"table": "fake"})
    assert (fake.error_class, "fake.xlsx" in fake.message) == (ErrorClass.SCHEMA, True)


def test_a_workbook_that_unpacks_to_too_much_is_refused(act, folder):
    with zipfile.ZipFile(folder / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/big.xml", b"\0" * (4 * MAX_FILE_BYTES + 1))
    error = failing(act, "read_range", {"table": "bomb"})
    assert error.error_class is ErrorClass.OUTPUT_TOO_LARGE


@pytest.mark.parametrize("data", [b"", b"\n\n", b'"', b'a,"b\n', b"a\x00b,c\n", b"a,b\r1,2\r"])
def test_an_odd_csv_file_is_read(act, folder, data):
    (folder / "odd.csv").write_bytes(data)
    assert act("tables.read_range", {"table": "odd"})["rows"] < 3


def test_a_csv_file_with_an_endless_cell_is_refused(act, folder):
    (folder / "odd.csv").write_bytes(b"x" * 200_000)
    error = failing(act, "read_range", {"table": "odd"})
    assert (error.error_class, "odd.csv" in error.message) == (ErrorClass.SCHEMA, True)


@pytest.mark.parametrize(
    "name",
    ["../outside", "..", "/etc/passwd", "link", "sub/inner", ".hidden", "tasks.csv\x00", "task"],
)
def test_no_name_leads_outside_the_folder(act, folder, tmp_path, name):
    (tmp_path / "outside.csv").write_text("secret\n")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / ".hidden.csv").write_text("secret\n")
    (folder / "sub").mkdir()
    (folder / "sub/inner.csv").write_text("secret\n")
    error = failing(act, "read_range", {"table": name})
    assert error.error_class is ErrorClass.NOT_FOUND
    assert "Present: tasks.csv" in error.message


def test_a_near_name_is_suggested_for_tables_tabs_and_columns(act, folder):
    assert "Did you mean 'tasks.csv'?" in failing(act, "list_tabs", {"table": "taks"}).message
    tab = failing(act, "read_range", {"table": "tasks", "tab": "task"}).message
    assert "Did you mean 'tasks'?" in tab
    row = {"table": "tasks", "rows": [{"Nmae": "x"}]}
    assert "Did you mean 'name'?" in failing(act, "append_rows", row).message


def test_two_tables_of_one_name_must_be_told_apart(act, folder):
    workbook(folder / "Tasks.xlsx", {"T": [["x"]]})
    assert failing(act, "list_tabs", {"table": "tasks"}).error_class is ErrorClass.CONFLICT
    assert act("tables.list_tabs", {"table": "tasks.csv"})["tabs"][0]["rows"] == 2


def test_rows_are_added_under_their_columns_once_per_key(act, folder):
    rows = [{"NAME": "Cem", "id": 3}, {"id": "1"}, {"id": 3.0}]
    output = act("tables.append_rows", APPEND | {"rows": rows})
    assert output == {"appended": 1, "skipped": 2, "first_row": 4}
    assert (folder / "tasks.csv").read_text() == TASKS + "3,Cem,\n"


def test_rows_go_below_a_title_and_into_an_empty_table(act, folder):
    (folder / "titled.csv").write_text("Tasks of 2026\n\nid,name\n1,Ann\n")
    act("tables.append_rows", {"table": "titled", "rows": [{"name": "Bob", "id": 2}]})
    assert (folder / "titled.csv").read_text().endswith("1,Ann\n2,Bob\n")
    (folder / "new.csv").write_text("")
    output = act("tables.append_rows", {"table": "new", "rows": [{"b": True, "a": None}]})
    assert (folder / "new.csv").read_text() == "b,a\ntrue,\n"
    assert output["first_row"] == 2


def test_a_row_without_its_key_is_refused(act, folder):
    error = failing(act, "append_rows", APPEND | {"rows": [{"id": "4"}, {"id": " "}]})
    assert "Row 2 has no value in the key column id" in error.message
    assert (folder / "tasks.csv").read_text() == TASKS


@pytest.mark.parametrize(
    "text", ["=1+1", "+49 30", "-1+1", "@SUM(1)", "\t=1", "|calc", "\uff1d1+1", "\n=1"]
)
@pytest.mark.parametrize("table", ["tasks", "plan"])
def test_formulas_are_written_as_text(act, folder, table, text):
    workbook(folder / "plan.xlsx", {"T": [["id", "name"]]})
    act("tables.append_rows", {"table": table, "rows": [{"name": text}]})
    last = act("tables.read_range", {"table": table})["values"][-1]
    assert last[1] == f"'{text}"


@pytest.mark.parametrize("text", ["-5", "+1.5", "-1,5", "plain"])
def test_numbers_and_plain_text_are_not_guarded(act, folder, text):
    act("tables.append_rows", {"table": "tasks", "rows": [{"name": text}]})
    assert act("tables.read_range", {"table": "tasks"})["values"][-1][1] == text


def test_xlsx_rows_keep_the_other_tabs_and_the_types(act, folder):
    workbook(folder / "plan.xlsx", {"A": [["id", "n"], ["x", 1]], "B": [["keep"]]})
    params = {"table": "plan", "tab": "a", "rows": [{"n": 2.5, "id": True}, {"id": None}]}
    assert act("tables.append_rows", params)["first_row"] == 3
    assert act("tables.read_range", {"table": "plan"})["values"] == [
        ["id", "n"],
        ["x", 1],
        [True, 2.5],
    ]
    assert act("tables.read_range", {"table": "plan", "tab": "B"})["values"] == [["keep"]]


def test_an_xlsx_file_with_formulas_is_not_rewritten(act, folder):
    workbook(folder / "sums.xlsx", {"A": [["n"], ["=1+1"]]})
    before = (folder / "sums.xlsx").read_bytes()
    error = failing(act, "append_rows", {"table": "sums", "rows": [{"n": 1}]})
    assert error.error_class is ErrorClass.CONFLICT
    assert (folder / "sums.xlsx").read_bytes() == before


def test_characters_that_a_file_cannot_hold_are_refused(act, folder):
    workbook(folder / "plan.xlsx", {"T": [["name"]]})
    (folder / "old.csv").write_bytes("name\nÄrger über Öl\n".encode("cp1252"))
    for table, text in (("plan", "a\x07"), ("old", "表")):
        error = failing(act, "append_rows", {"table": table, "rows": [{"name": text}]})
        assert (error.error_class, error.sent) == (ErrorClass.INPUT, False)


@pytest.mark.parametrize(
    ("table", "most", "unit"),
    [("plan.xlsx", 32_767, "x"), ("plan.xlsx", 32_766, "\U0001f600"), ("tasks.csv", 131_072, "x")],
)
def test_a_cell_longer_than_a_file_holds_is_refused(act, folder, table, most, unit):
    workbook(folder / "plan.xlsx", {"T": [["id", "name"], ["1", "Ann"]]})
    longest = unit * (most // (1 if unit == "x" else 2))
    act("tables.append_rows", {"table": table, "rows": [{"name": longest}]})
    assert act("tables.read_range", {"table": table})["values"][-1][1] == longest
    before = (folder / table).read_bytes()
    rows = {"rows": [{"id": "4"}, {"name": longest + unit}]}
    update = {"match": {"id": "1"}, "set": {"name": longest + unit}}
    for name, params in (("append_rows", rows), ("update_rows", update)):
        error = failing(act, name, {"table": table, **params}, "key-2")
        assert (error.error_class, error.sent) == (ErrorClass.INPUT, False)
        assert "column 'name'" in error.message
        assert "32,767" in error.message or "131,072" in error.message
    assert (folder / table).read_bytes() == before


@pytest.mark.parametrize("table", ["tasks", "plan"])
def test_a_cell_with_a_nul_character_is_refused(act, folder, table):
    workbook(folder / "plan.xlsx", {"T": [["id", "name"]]})
    error = failing(act, "append_rows", {"table": table, "rows": [{"name": "a\0b"}]})
    assert (error.error_class, error.sent) == (ErrorClass.INPUT, False)
    assert "The value for the column 'name' has a NUL character" in error.message


def test_a_lone_carriage_return_ends_no_row(act, folder):
    row = {"name": "line1\r=cmd|calc"}
    act("tables.append_rows", {"table": "tasks", "rows": [row]})
    output = act("tables.read_range", {"table": "tasks"})
    assert output["values"][3:] == [["", "line1\r=cmd|calc", ""]]
    set_ = {"match": {"id": "1"}, "set": row}
    act("tables.update_rows", {"table": "tasks", **set_}, key="key-2")
    assert act("tables.read_range", {"table": "tasks"})["rows"] == output["rows"]


WRITTEN = st.text(st.sampled_from("ab \r\n\",;\t|'=é"), max_size=8)


@given(
    rows=st.lists(st.tuples(WRITTEN, WRITTEN), min_size=1, max_size=5),
    newline=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from(",;\t|"),
)
def test_what_is_written_to_a_csv_file_reads_back_equal(rows, newline, delimiter):
    text = Text(delimiter=delimiter, newline=newline)
    data = write_text([("id", "name"), *rows], text)
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter)
    assert [tuple(row) for row in reader] == [("id", "name"), *rows]


@given(cells=st.lists(WRITTEN, min_size=1, max_size=5))
def test_a_cell_is_never_taken_for_the_delimiter_of_one_column(cells):
    data = write_text([["name"], *([cell] for cell in cells)], Text())
    rows = read(Path("one.csv"), data).tabs["one"]
    assert rows == [["name"], *([cell] for cell in cells)]


@pytest.mark.parametrize("table", ["tasks.csv", "plan.xlsx"])
def test_matching_rows_get_new_values(act, folder, table):
    rows = [["id", "name", "due"], [1, "Ann"], [2, "Bob"], [1, "Cy"]]
    workbook(folder / "plan.xlsx", {"T": rows})
    params = {"table": table, "match": {"ID": "1"}, "set": {"due": "=x"}}
    found = sum(str(row[0]) == "1" for row in act("tables.read_range", {"table": table})["values"])
    assert act("tables.update_rows", params) == {"updated": found}
    changed = act("tables.read_range", {"table": table})["values"]
    assert [row[2] for row in changed if str(row[0]) == "1"] == ["'=x"] * found


def test_no_match_changes_nothing(act, folder):
    params = {"table": "tasks", "match": {"id": "9"}, "set": {"name": "x"}}
    assert act("tables.update_rows", params) == {"updated": 0}
    assert (folder / "tasks.csv").read_text() == TASKS


def test_a_tab_is_made_once(act, folder):
    params = {"table": "out.xlsx", "tab": "Late", "columns": ["id", "=x"]}
    assert act("tables.ensure_tab", params, "k1") == {"created": True}
    assert act("tables.ensure_tab", params | {"tab": "late"}, "k2") == {"created": False}
    workbook(folder / "bare.xlsx", {"Bare": []})
    bare = {"table": "bare", "tab": "bare", "columns": ["a"]}
    assert act("tables.ensure_tab", bare) == {"created": False}
    assert act("tables.read_range", {"table": "bare"})["values"] == [["a"]]
    assert act("tables.ensure_tab", params | {"tab": "Two"}, "k3") == {"created": True}
    tabs = act("tables.list_tabs", {"table": "out"})["tabs"]
    assert [(tab["name"], tab["columns"]) for tab in tabs] == [
        ("Late", ["id", "'=x"]),
        ("Two", ["id", "'=x"]),
    ]


def test_a_new_csv_table_has_the_tab_of_its_name(act, folder):
    params = {"table": "log.csv", "tab": "log", "columns": ["a", "b"]}
    assert act("tables.ensure_tab", params) == {"created": True}
    assert (folder / "log.csv").read_text() == "a,b\n"
    with pytest.raises(PluginError, match="its only tab is 'log'"):
        act("tables.ensure_tab", params | {"tab": "other"}, "key-2")


@pytest.mark.parametrize("name", ["taks", "../x.csv", ".x.csv", "a/b.xlsx", "x.txt"])
def test_no_table_is_made_by_a_name_that_is_none(act, folder, name):
    params = {"table": name, "tab": "t", "columns": ["a"]}
    assert failing(act, "ensure_tab", params).error_class is ErrorClass.NOT_FOUND


def test_a_tab_that_lacks_a_column_is_a_conflict(act, folder):
    params = {"table": "tasks", "tab": "tasks", "columns": ["id", "owner"]}
    assert "lacks the columns owner" in failing(act, "ensure_tab", params).message
