"""Before secrets, roles or tokens change: the password again, if it was given long ago."""

from flask import Response, current_app, request
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import InputRequired

from pilot.engine.people import users
from pilot.errors import InvalidError, RateLimitedError
from pilot.views import CONFIRMATION, FRESH, TAKES, origin, render, visitor
from pilot.web.form_fields import ALWAYS, of_form

PAGE = "sign_in/confirm.html"


class ConfirmForm(FlaskForm):  # type: ignore[misc]
    """The password of who is signed in; `CONFIRMATION` is its name."""

    confirm_password = PasswordField(
        "Your password",
        [InputRequired()],
        description="Of your own account. You are asked again after 10 minutes.",
        render_kw={"autocomplete": "current-password", "autofocus": True},
    )


def confirmation() -> Response | None:
    """Return the page that asks for the password; None: the request may go on.

    The page sends what was typed again with the password, to the same address. Secrets are not
    written into it: they are asked for once more.
    """
    if request.endpoint not in FRESH or visitor().fresh:
        return None
    form = ConfirmForm()
    status, headers = 200, dict[str, str]()
    if CONFIRMATION in request.form:
        token = request.cookies[current_app.config["SIGN_IN_COOKIE"]]
        try:
            users.confirm(token, visitor().email, form.confirm_password.data or "", origin())
        except InvalidError:
            status, form.confirm_password.errors = 422, ["This is not your password."]
        except RateLimitedError as error:
            status, headers = error.status, {"Retry-After": str(error.retry_after_s)}
            form.form_errors.append(error.message)
        else:
            return None
    return _page(request.endpoint, form, status, headers)


def _page(endpoint: str, form: ConfirmForm, status: int, headers: dict[str, str]) -> Response:
    secrets = _secrets(endpoint)
    left_out = ALWAYS | secrets.keys() | {CONFIRMATION}
    typed = [one for one in request.form.items(multi=True) if one[0] not in left_out]
    response = render(
        PAGE,
        "fragment",
        status=status,
        form=form,
        action=request.full_path.rstrip("?"),
        typed=typed,
        again={name: label for name, label in secrets.items() if request.form.get(name)},
    )
    response.headers.update(headers | {"HX-Retarget": "#alert", "HX-Reswap": "innerHTML"})
    return response


def _secrets(endpoint: str) -> dict[str, str]:
    """Return the labels of the secret fields that a route takes, by name."""
    forms = [of_form(one) for one in TAKES[endpoint] if isinstance(one, type)]
    return {
        name: str(field.args[0])
        for form in forms
        for name, field in form.items()
        if issubclass(field.field_class, PasswordField)
    }
