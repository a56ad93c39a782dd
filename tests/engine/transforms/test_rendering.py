"""Writing rows as text."""

import csv
import io

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run, transform

ROWS = [
    {"Client": "Ann & <Co>", "Due": "2026-03-11", "Sum": 1234.5, "Missing": ["date", "tax"]},
    {"Client": None, "Due": None, "Sum": -7, "Missing": []},
]
COLUMNS = [
    "Client",
    {"field": "Due", "label": "Due on", "format": "DD.MM.YYYY", "align": "center"},
    {"field": "Sum", "format": "1.234,56"},
    "Missing",
]


def text(rows=ROWS, **config):
    return run(rows, ("render_table", config))["text"]


def test_html_has_a_head_and_escaped_cells():
    assert text(columns=COLUMNS) == (
        '<table border="1" cellpadding="6" cellspacing="0">\n'
        '<thead>\n<tr><th scope="col">Client</th><th scope="col" align="center">Due on</th>'
        '<th scope="col" align="right">Sum</th><th scope="col">Missing</th></tr>\n</thead>\n'
        '<tbody>\n<tr><td>Ann &amp; &lt;Co&gt;</td><td align="center">11.03.2026</td>'
        '<td align="right">1.234,50</td><td>date, tax</td></tr>\n'
        '<tr><td></td><td align="center"></td><td align="right">-7,00</td><td></td></tr>\n'
        "</tbody>\n</table>"
    )


def test_html_needs_no_style_or_script():
    assert "style" not in text(title="T")
    assert "<caption>T &lt;b&gt;</caption>" in text(title="T {{inputs.text}}")


def test_markdown_has_rules_for_the_sides():
    assert text(columns=COLUMNS, format="markdown", title="*T*") == (
        "**\\*T\\***\n\n"
        "| Client | Due on | Sum | Missing |\n"
        "| --- | :---: | ---: | --- |\n"
        "| Ann \\& \\<Co\\> | 11.03.2026 | 1.234,50 | date, tax |\n"
        "|  |  | -7,00 |  |"
    )


def test_text_has_columns_of_equal_width():
    rows = [{"Name": "日本", "n": 5}, {"Name": "Åsa\nB", "n": 10}]
    assert text(rows, format="text", title="T") == (
        "T\n\nName    n\n-----  --\n日本    5\nÅsa B  10"
    )


def test_csv_keeps_numbers_and_every_cell_in_its_place():
    lines = list(csv.reader(io.StringIO(text(columns=COLUMNS, format="csv"), newline="")))
    assert lines == [
        ["Client", "Due on", "Sum", "Missing"],
        ["Ann & <Co>", "11.03.2026", "1.234,50", "date, tax"],
        ["", "", "-7,00", ""],
    ]


def test_all_columns_are_shown_by_default():
    assert text([{"a": 1}, {"b": True}], format="csv") == "a,b\r\n1,\r\n,true\r\n"


def test_the_number_of_rows_is_given():
    assert run(ROWS, ("render_table", {}))["rows"] == 2


@pytest.mark.parametrize(
    ("config", "written"),
    [
        (
            {"empty": "None in {{inputs.days}} days & {{inputs.text}}"},
            "<p>None in 10 days &amp; &lt;b&gt;</p>",
        ),
        ({}, "<p>No rows.</p>"),
        ({"format": "text", "empty": "None."}, "None."),
        ({"format": "markdown", "empty": "*None*"}, "\\*None\\*"),
        ({"format": "csv", "columns": ["a", {"field": "b", "label": "=B"}]}, "a,'=B\r\n"),
        ({"format": "csv"}, ""),
        ({"format": "csv", "empty": "None."}, "None."),
    ],
)
def test_no_rows_give_the_empty_text_and_never_a_row(config, written):
    assert run([], ("render_table", config)) == {"text": written, "rows": 0}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("", ""),
        (0, "0"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (True, "true"),
        ({"a": [1]}, '{"a":[1]}'),
        ([1, None, "x"], "1, , x"),
    ],
)
def test_a_value_is_shown_plainly(value, shown):
    assert list(csv.reader(io.StringIO(text([{"a": value, "b": 1}], format="csv"))))[1][0] == shown


@pytest.mark.parametrize(
    ("value", "style", "shown"),
    [
        ("1234.5", "1,234.56", "1,234.50"),
        (2.675, "0.00", "2.68"),
        (-1234567, "$1,234", "-$1,234,567"),
        (1e300, "0", "1" + "0" * 300),
        ("n/a", "0.00", "n/a"),
        ("2026-03-11T09:05:00+01:00", "YYYY-MM-DD HH:mm", "2026-03-11 09:05"),
        ("soon", "DD.MM.YYYY", "soon"),
    ],
)
def test_a_format_shows_what_fits_it(value, style, shown):
    config = {"columns": [{"field": "a", "format": style}], "format": "text"}
    found = transform([{"a": value}], ("render_table", config))
    assert found.value["text"].splitlines()[-1] == shown
    assert bool(found.notes) is (shown == value)


def test_a_column_that_no_row_has_is_an_error():
    message = failure(ROWS, ("render_table", {"columns": ["0"]}), error_class=ErrorClass.REFERENCE)
    assert "no row has the field '0'. Present: Client, Due, Sum, Missing." in message


def test_render_text_writes_each_element_by_its_template():
    config = {
        "template": "{{index + 1}}. {{item.Client}}: {{item.Sum}}",
        "header": "Sums of {{inputs.days}}",
        "footer": "End",
    }
    assert run(ROWS, ("render_text", config)) == {
        "text": "Sums of 10\n1. Ann & <Co>: 1234.5\n2. : -7\nEnd",
        "rows": 2,
    }


def test_render_text_escapes_values_in_html_but_not_its_own_markup():
    config = {
        "format": "html",
        "template": "<li>{{item.Client}}</li>",
        "header": "<ul>{{inputs.text}}",
    }
    found = run(ROWS[:1], ("render_text", config))["text"]
    assert found == "<ul>&lt;b&gt;\n<li>Ann &amp; &lt;Co&gt;</li>"


@pytest.mark.parametrize("value", [["<b>"], {"a": "<b>"}, "<b>"])
def test_a_whole_value_is_escaped_too(value):
    config = {"format": "html", "template": "{{item}}"}
    assert "<" not in run([value], ("render_text", config))["text"]


def test_render_text_of_nothing_is_its_empty_text():
    config = {"template": "x", "header": "H", "empty": "None in {{inputs.days}}"}
    assert run([], ("render_text", config)) == {"text": "None in 10", "rows": 0}
    assert run([], ("render_text", {"template": "x"})) == {"text": "", "rows": 0}
