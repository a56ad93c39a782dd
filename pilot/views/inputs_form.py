"""The form of a workflow's inputs, built from their JSON Schema; texts in, typed values out."""

from collections.abc import Mapping
from typing import Any

from flask import request
from wtforms import BooleanField, Field, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.form import BaseForm
from wtforms.validators import InputRequired

from pilot import strictjson
from pilot.engine.workflow import inputs
from pilot.errors import BadJsonError, InvalidError, Issue, Obstacle

PREFIX = "input-"
HINTS = {"array": "One per line, or a JSON list.", "object": "As a JSON object."}


class InputsForm(BaseForm):  # type: ignore[misc]
    """One field for each property of the schema, `input-<name>`."""

    def __init__(self, schema: dict[str, Any] | None) -> None:
        self.schema = schema or {}
        self.properties: dict[str, Any] = {
            name: part if isinstance(part, dict) else {}
            for name, part in (self.schema.get("properties") or {}).items()
        }
        required = self.schema.get("required") or []
        super().__init__(
            {
                name: _field(
                    name, part, number, required=name in required and not inputs.may_be_null(part)
                )
                for number, (name, part) in enumerate(self.properties.items())
            },
            prefix=PREFIX,
        )

    @classmethod
    def with_values(cls, schema: dict[str, Any] | None, values: Mapping[str, Any]) -> "InputsForm":
        """Return the form with saved values and defaults."""
        form = cls(schema)
        filled = inputs.fill_defaults(schema, dict(values))
        shown = {name: _shown(part, filled.get(name)) for name, part in form.properties.items()}
        form.process(data=shown)
        return form

    @classmethod
    def sent(cls, schema: dict[str, Any] | None, issues: list[Issue]) -> "InputsForm":
        """Return the form as it was sent, with what is wrong beside its fields."""
        form = cls(schema)
        form.process(formdata=request.form)
        for issue in issues:
            name = _named(issue)
            if name in form:
                form[name].errors = [*form[name].errors, issue.message]
            else:
                form.form_errors.append(issue.message)
        return form


def given(schema: dict[str, Any] | None) -> dict[str, Any]:
    """Return the inputs that were sent; what does not fit stays text, so that it is named."""
    form = InputsForm(schema)
    texts: dict[str, str | list[str]] = {
        name: request.form.get(PREFIX + name, "").replace("\0", "\ufffd").replace("\r\n", "\n")
        for name in form.properties
        if is_complete() or PREFIX + name in request.form
    }
    return inputs.from_form(schema, texts)


def written_inputs(text: str) -> dict[str, Any] | None:
    """Return inputs that were written as JSON; None: nothing was.

    Raises:
        InvalidError: it is no JSON object (at /inputs).
    """
    if not text.strip():
        return None
    try:
        found = strictjson.loads(text)
    except BadJsonError as error:
        raise InvalidError([Issue("E_JSON", "/inputs", error.message)]) from None
    if not isinstance(found, dict):
        raise InvalidError([Issue("E_JSON", "/inputs", "The inputs are a JSON object.")])
    return found


def is_complete() -> bool:
    """Return whether the whole form was sent: then a field left empty means no value."""
    return request.form.get("inputs") == "all"


def _named(issue: Issue) -> str:
    """Return the name of the input that an issue is about, or an empty one."""
    if isinstance(issue, Obstacle) and issue.where != "inputs":
        return ""
    return issue.path.split("/")[1].replace("~1", "/").replace("~0", "~")


def _field(name: str, part: dict[str, Any], number: int, *, required: bool) -> Field:
    kind = inputs.kind(part)
    label = str(part.get("title") or name.replace("_", " ").capitalize())
    told = str(part.get("description") or HINTS.get(kind, ""))
    look: dict[str, Any] = {}
    facts: dict[str, Any] = {"description": told, "id": f"{PREFIX}{number}", "render_kw": look}
    facts["validators"] = [InputRequired()] if required else []
    field: Any
    if isinstance(part.get("enum"), list):
        choices = [SelectChoice(inputs.as_text(one)) for one in part["enum"]]
        first = SelectChoice("", "Choose" if required else "None")
        field = SelectField(label, choices=[first, *choices], validate_choice=False, **facts)
    elif kind == "boolean":
        look["value"] = "true"
        return BooleanField(label, **(facts | {"validators": []}))
    elif kind in HINTS or part.get("x-widget") == "textarea":
        look["rows"] = 3
        field = TextAreaField(label, **facts)
    else:
        look |= _keyboard(kind, str(part.get("format", "")))
        field = StringField(label, **facts)
    return field


def _keyboard(kind: str, form: str) -> dict[str, str]:
    if kind in {"integer", "number"}:
        return {"inputmode": "numeric" if kind == "integer" else "decimal"}
    return {"type": form} if form in {"date", "email"} else {}


def _shown(part: dict[str, Any], value: Any) -> Any:
    """Return a value as its field shows it: a list by lines, an object as JSON."""
    if inputs.kind(part) == "boolean" and "enum" not in part:
        return bool(value)
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(map(inputs.as_text, value))
    return inputs.as_text(value)
