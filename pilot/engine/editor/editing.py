"""A workflow as text under a person's hands: checked, mended, converted; nothing is saved here."""

from dataclasses import dataclass

from pilot import older
from pilot.engine import validation
from pilot.engine.editor import text_places
from pilot.engine.editor.text_places import Place
from pilot.engine.language import yaml_text
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.workflow import document as documents
from pilot.errors import BadJsonError, InvalidError, Issue, type_json


@dataclass(frozen=True)
class Checked:
    """A text with its issues, each with its place; None: nowhere in the text."""

    text: str
    document: type_json  # None: it is neither JSON nor YAML
    found: tuple[tuple[Issue, Place | None], ...] = ()
    is_older: bool = False  # of an older builder: it can be converted

    @property
    def issues(self) -> list[Issue]:
        """What was found, without places."""
        return [issue for issue, _ in self.found]

    @property
    def wrong(self) -> int:
        """How many issues keep it from being saved."""
        return sum(issue.severity == "error" for issue in self.issues)


@dataclass(frozen=True)
class Converted:
    """The text of a converted document, and every change in words."""

    text: str
    notes: list[str]


def clean(text: str) -> str:
    """Return a form's text with one kind of line end, without what no JSON may hold."""
    told = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\0", "\ufffd")
    return told.encode(errors="replace").decode()


def check(text: str, catalogue: Catalogue, *, max_steps: int) -> Checked:
    """Decode and validate a text."""
    try:
        document = documents.decode(text)
    except InvalidError as error:
        cause = error.__cause__
        offset = cause.offset if isinstance(cause, BadJsonError) else None
        place = None if offset is None else text_places.at(text, offset)
        return Checked(text, None, tuple((issue, place) for issue in error.issues))
    issues = validation.validate(document, catalogue, max_steps=max_steps)
    known = text_places.places(text) if issues else {}
    found = tuple((one, text_places.nearest(known, one.path)) for one in issues)
    return Checked(text, document, found, older.is_older(document))


def rewritten(checked: Checked) -> str:
    """Return the text as fixes and conversions write it: what differs from theirs they changed."""
    return _written(checked.document, checked.text)


def fix(checked: Checked, code: str, path: str) -> str:
    """Return the text with the fix of one issue, as YAML if it was YAML.

    Raises:
        InvalidError: there is no such issue any more, or its fix does not fit.
    """
    for issue in checked.issues:
        if (issue.code, issue.path) == (code, path) and issue.fix:
            return _written(validation.apply_fix(checked.document, issue), checked.text)
    message = "The text has changed: this fix does not fit it any more."
    raise InvalidError([Issue(code, path, message)])


def convert(checked: Checked) -> Converted:
    """Return our text for a document of an older builder."""
    result = older.convert(checked.document)
    return Converted(_written(result.document, checked.text), result.notes)


def _written(document: type_json, like: str) -> str:
    is_json = like.lstrip()[:1] in {"{", "["}
    return documents.text(document) if is_json else yaml_text.dumps(document)
