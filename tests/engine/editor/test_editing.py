"""Text under a person's hands: issues at their places, fixes and conversions in its syntax."""

import pytest

from pilot.engine.editor import editing
from pilot.engine.language import catalogue, yaml_text
from pilot.engine.workflow.document import decode, text
from pilot.errors import InvalidError
from tests.engine.documents import CONTRACTS
from tests.older.test_older import FOUR_STEPS


@pytest.fixture(scope="module")
def known():
    return catalogue.load()


def check(source, known):
    return editing.check(source, known, max_steps=50)


def wrong(**step):
    return CONTRACTS | {"steps": [CONTRACTS["steps"][0] | step, *CONTRACTS["steps"][1:]]}


@pytest.mark.capability(274)
@pytest.mark.parametrize("write", [text, yaml_text.dumps])
def test_an_issue_stands_at_its_line_and_its_fix_keeps_the_syntax(known, write):
    source = write(wrong(action="read_rangee"))
    checked = check(source, known)
    ((issue, place),) = [one for one in checked.found if one[0].code == "E_UNKNOWN_ACTION"]
    assert "read_rangee" in source.splitlines()[place.line - 1][place.column - 1 :]
    fixed = editing.fix(checked, issue.code, issue.path)
    assert fixed == write(CONTRACTS)
    assert check(fixed, known).wrong == 0


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('{"steps": [}', (1, 12)),
        ("steps:\n  - id: [a", (2, 11)),
        ("steps: &a\n  - 1", None),
        ("only words", None),
        ("[" * 100_000, (1, 65)),
        ("{}" + " " * 300_000, None),
    ],
)
def test_a_text_that_cannot_be_read_says_where(known, source, place):
    checked = check(source, known)
    assert (checked.document, checked.wrong) == (None, 1)
    assert checked.found[0][1] == place


def test_a_fix_for_another_text_is_refused(known):
    with pytest.raises(InvalidError, match="does not fit"):
        editing.fix(check(text(CONTRACTS), known), "E_UNKNOWN_ACTION", "/steps/0/action")


@pytest.mark.capability(163)
def test_an_older_document_is_converted(known):
    checked = check(text(FOUR_STEPS), known)
    assert checked.is_older
    converted = editing.convert(checked)
    assert decode(converted.text)["format"] == 1
    assert converted.notes
    assert not check(converted.text, known).is_older


def test_a_form_text_is_kept_as_far_as_it_can_be():
    assert editing.clean("a\r\nb\0c\ud800") == "a\nb\ufffdc?"
    assert editing.clean("\ufeff{}") == "{}"
