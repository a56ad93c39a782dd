"""What a form may send: the fields that its route declares; all else is refused."""

from collections.abc import Collection, Mapping
from typing import Any

from wtforms.fields.core import UnboundField
from wtforms.form import BaseForm

from pilot.errors import InvalidError, Issue
from pilot.views import TAKES

ALWAYS = frozenset({"csrf_token", "request_id"})  # of every form
MOST_NAMED = 20


def of_form(form: type[BaseForm]) -> "dict[str, UnboundField[Any]]":
    """Return the fields that a form's class declares, by name."""
    found = ((name, getattr(form, name)) for name in dir(form))
    return {name: one for name, one in found if isinstance(one, UnboundField)}


def refuse_unknown(endpoint: str, path: Mapping[str, Any], sent: Collection[str]) -> None:
    """Refuse a request with fields that its route does not take: nobody sets one of the server.

    Raises:
        InvalidError: an issue for each, at most 20.
    """
    known, beginnings = set(ALWAYS), list[str]()
    for one in TAKES.get(endpoint, ()):
        if isinstance(one, str):
            known.add(one)
            beginnings += [one[:-1]] if one.endswith("*") else []
        else:
            known.update(of_form(one) if isinstance(one, type) else one(**path))
    unknown = [name for name in sorted(sent) if not _is_known(name, known, beginnings)]
    if unknown:
        message = "This form has no such field: reload its page and send it again."
        issues = [Issue("unknown_field", f"/{name[:100]}", message) for name in unknown]
        raise InvalidError(issues[:MOST_NAMED])


def _is_known(name: str, known: Collection[str], beginnings: list[str]) -> bool:
    return name in known or name.startswith(tuple(beginnings))
