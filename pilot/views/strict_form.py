"""Forms that refuse fields they do not have: no visitor sets a field of the server."""

from typing import Any

from flask import request
from flask_wtf import FlaskForm

from pilot.errors import InvalidError, Issue

ALWAYS = frozenset({"csrf_token", "request_id"})  # of every form


class StrictForm(FlaskForm):  # type: ignore[misc]
    """A form whose fields are all that a request may send."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read the request's form.

        Raises:
            InvalidError: it has fields that this form has not.
        """
        super().__init__(*args, **kwargs)
        if request.method == "POST" and "formdata" not in kwargs:
            unknown = sorted(request.form.keys() - self._fields.keys() - ALWAYS)
            if unknown:
                message = "This form has no such field: reload its page and send it again."
                raise InvalidError(
                    [Issue("unknown_field", f"/{name[:100]}", message) for name in unknown[:20]]
                )
