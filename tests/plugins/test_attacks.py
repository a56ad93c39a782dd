"""Attack inputs that reach mail and tables end harmless."""

from email import message_from_bytes
from email.policy import default
from io import BytesIO
from pathlib import Path

import pytest

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Files
from tests.written import read

CASES = read(Path(__file__).parents[1] / "data/attacks.yaml")["cases"]


def inputs(category):
    chosen = [one for one in CASES if (one["category"], one["kind"]) == (category, "literal")]
    return [pytest.param(one["input"], id=one["id"]) for one in chosen]


@pytest.mark.parametrize("text", inputs("crlf"))
def test_no_header_can_be_added_to_a_mail(act, tmp_path, text):
    params = {"to": ["ann@example.com"], "subject": text, "text": "x"}
    try:
        act("mail.send", params)
    except PluginError as error:
        assert error.sent is False  # noqa: PT017  sending it as one harmless line is right too
        assert not text.isprintable()
        return
    data = (tmp_path / "mail/ann@example.com/INBOX/new/key-1.pilot").read_bytes()
    mail = message_from_bytes(data, policy=default)
    assert mail["Subject"] == text
    assert {"Bcc", "Location", "Set-Cookie"}.isdisjoint(mail.keys())


@pytest.mark.parametrize("text", inputs("crlf"))
def test_no_address_smuggles_a_line(act, tmp_path, text):
    params = {"to": [f"{text}@example.com"], "subject": "s", "text": "x"}
    with pytest.raises(PluginError) as caught:
        act("mail.send", params)
    assert caught.value.error_class is ErrorClass.INPUT
    assert not (tmp_path / "mail").exists()


@pytest.mark.parametrize("text", inputs("crlf"))
def test_no_name_or_type_of_a_file_adds_a_header(act, tmp_path, text):
    stored = Files(tmp_path).save(BytesIO(b"x"), text, text)  # as a mail from outside named it
    handle = stored.model_dump()
    assert stored.name.isprintable()
    params = {"to": ["ann@example.com"], "subject": "s", "text": "x"}
    for place in ("name", "media_type"):
        try:
            act("mail.send", params | {"attachments": [handle | {place: text}]})
        except PluginError as error:
            assert error.sent is False  # noqa: PT017  a harmless name is right too
            assert not (tmp_path / "mail").exists()
    act("mail.send", params | {"attachments": [handle]})
    mail = message_from_bytes(
        (tmp_path / "mail/ann@example.com/INBOX/new/key-1.pilot").read_bytes(), policy=default
    )
    for part in mail.walk():
        assert {"Bcc", "Location", "Set-Cookie"}.isdisjoint(part.keys())


@pytest.mark.parametrize("text", inputs("csv"))
def test_no_cell_of_a_table_calculates_or_spills(act, tmp_path, text):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/t.csv").write_text("a,b\n")
    act("tables.append_rows", {"table": "t", "rows": [{"a": text, "b": "end"}]})
    values = act("tables.read_range", {"table": "t"})["values"]
    assert values in ([["a", "b"], [f"'{text}", "end"]], [["a", "b"], [text, "end"]])
    assert values[1][0][0] in "'a"


@pytest.mark.parametrize("text", inputs("path"))
def test_no_name_of_a_table_or_mailbox_leaves_the_folder(act, tmp_path, text):
    (tmp_path / "tables").mkdir()
    for name, params in (
        ("tables.read_range", {"table": text}),
        ("tables.ensure_tab", {"table": text, "tab": "t", "columns": ["a"]}),
        ("mail.search", {"mailbox": text}),
    ):
        with pytest.raises(PluginError) as caught:
            act(name, params)
        assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert list((tmp_path / "tables").iterdir()) == []
