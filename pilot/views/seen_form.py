"""Forms of what somebody else may change while they are filled in."""

from flask_wtf import FlaskForm
from wtforms import HiddenField


class SeenForm(FlaskForm):  # type: ignore[misc]
    """It knows which version its person looked at: a newer one is never overwritten unseen."""

    version = HiddenField()

    @property
    def seen(self) -> int | None:
        """The version that was looked at; None of what is new."""
        text = self.version.data or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
