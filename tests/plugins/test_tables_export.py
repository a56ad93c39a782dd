"""Rows as files: what is written is read again as it was."""

import pytest

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Files
from pilot.plugins._files import File

ROWS = [{"id": 7, "name": 'Zoë, "Z"'}, {"name": "=1+1", "due": "2026-11-23", "id": None}]
HEADER = ["id", "name", "due"]


@pytest.fixture
def exported(act, tmp_path):
    """Give `exported(params)`: what reading the file again gives, and its handle."""

    def export(**params):
        output = act("tables.export", params)
        handle = File.model_validate(output["file"])
        with Files(tmp_path).open(handle) as file:
            content = file.read()
        again = (tmp_path / "tables" / handle.name.lower()).with_stem("again")
        again.parent.mkdir(exist_ok=True)
        again.write_bytes(content)
        values = act("tables.read_range", {"table": "again"})["values"]
        return values, handle, output["rows"]

    return export


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("csv", ["7", 'Zoë, "Z"', ""], ["", "'=1+1", "2026-11-23"]),
        ("xlsx", [7, 'Zoë, "Z"', ""], ["", "'=1+1", "2026-11-23"]),
    ],
)
def test_rows_become_a_file_that_is_read_as_they_were(exported, kind, first, second):
    values, handle, rows = exported(rows=ROWS, format=kind, name="Open items")
    assert (values, rows) == ([HEADER, first, second], 2)
    assert handle.name == f"Open items.{kind}"
    again = exported(
        rows=ROWS, format=kind, name=f"Open.{kind.upper()}", columns=["NAME", "id", "due"]
    )
    assert again[1].name == f"Open.{kind.upper()}"
    assert again[0][0] == ["NAME", "id", "due"]


def test_no_rows_are_a_header_alone(exported):
    assert exported(rows=[], columns=["a", "b;c"])[0] == [["a", "b;c"]]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"rows": []}, "tell them in columns"),
        ({"rows": [{"x": 1}], "columns": ["a"]}, "no column 'x'"),
        ({"rows": [{"x": "a\x00"}]}, "NUL"),
        ({"rows": [{"x": "a\x07"}], "format": "xlsx"}, "control characters"),
    ],
)
def test_what_no_file_can_be_made_of_is_refused(act, params, words):
    with pytest.raises(PluginError, match=words) as caught:
        act("tables.export", params)
    assert caught.value.error_class in {ErrorClass.INPUT, ErrorClass.NOT_FOUND}
    assert caught.value.sent is False
