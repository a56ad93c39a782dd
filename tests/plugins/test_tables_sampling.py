"""Samples say what a table holds, and never guess the order of day and month."""

import pytest

from pilot.plugins.tables.sampling import Column, header_row, sample


def sampled(tmp_path, text):
    (tmp_path / "tables").mkdir(exist_ok=True)
    (tmp_path / "tables/t.csv").write_text(text)
    (found,) = sample(tmp_path)
    return found


def test_a_sample_names_table_tab_columns_and_rows(tmp_path):
    found = sampled(tmp_path, "id,name,note\n1,Ann,\n\n2,Bob,\n2,Ann,\n")
    assert (found.table, found.tab, found.rows, found.header_row) == ("t.csv", "t", 3, 0)
    assert found.columns == (
        Column("id", "number", None, ("1", "2")),
        Column("name", "text", None, ("Ann", "Bob")),
        Column("note", "empty"),
    )


@pytest.mark.parametrize(
    ("dates", "form"),
    [
        (["01/02/2026", "25/12/2026"], "DD/MM/YYYY"),
        (["01/02/2026", "12/25/2026"], "MM/DD/YYYY"),
        (["01/02/2026", "03/04/2026"], None),
        (["2026-02-01", "2026-12-25"], "YYYY-MM-DD"),
        (["01.02.2026"], "DD.MM.YYYY"),
        (["01-02-2026", "13-02-2026"], "DD-MM-YYYY"),
        (["2026-02-01 10:30"], "YYYY-MM-DD HH:mm"),
        (["13/02/2026"] * 9 + ["soon"], "DD/MM/YYYY"),
    ],
)
def test_a_date_format_is_given_only_when_the_column_allows_one(tmp_path, dates, form):
    found = sampled(tmp_path, "name,due\n" + "".join(f"x,{one}\n" for one in dates))
    assert (found.columns[1].kind, found.columns[1].date_format) == ("date", form)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "-3"], "number"),
        (["1,200", "3"], "number"),
        (["1", "x"], "text"),
        (["2026-01-01", "later", "never"], "text"),
        (["", " "], "empty"),
    ],
)
def test_the_kind_holds_for_all_values(tmp_path, values, kind):
    found = sampled(tmp_path, "a;b\n" + "".join(f"x;{one}\n" for one in values))
    assert found.columns[1].kind == kind


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["id", "name"], ["1", "Ann"]], 0),
        ([["Tasks of 2026", "", ""], [], ["id", "name", "due"], ["1", "Ann", "x"]], 2),
        ([["Plan", ""], ["id", "name"], ["1", "Ann"]], 1),
        ([["1", "2"], ["3", "4"]], 0),
        ([["only"], ["x"]], 0),
        ([], 0),
    ],
)
def test_the_header_is_found_below_titles(rows, header):
    assert header_row(rows) == header


def test_damaged_tables_are_left_out_and_no_folder_means_none(tmp_path):
    assert sample(tmp_path) == []
    sampled(tmp_path, "a,b\n1,2\n")
    (tmp_path / "tables/bad.xlsx").write_bytes(b"no zip")
    assert [one.table for one in sample(tmp_path)] == ["t.csv"]
