"""Writes docs/reference/ from the code (`make reference`); a test compares the two."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pilot import cli, plugins
from pilot.audit import Event
from pilot.engine import steps
from pilot.engine.language import catalogue
from pilot.engine.language.step_fields import StepFields
from pilot.errors import ErrorClass, PilotError
from pilot.settings import SETTINGS

FOLDER = Path(__file__).parent / "reference"
WORDS = {"StepFields": "step", "JsonValue": "JSON"}
EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 invalid, 6 not completed."
)
NOTE = "<!-- Written by `make reference`. -->"


def settings() -> str:
    """Return every setting with its default and bounds."""
    lines = [_title("Settings", "What an administrator changes while Pilot runs.")]
    for key, setting in SETTINGS.items():
        bounds = "" if setting.type is bool else f"; {setting.bounds}"
        lines.append(
            f"## {key}\n\n{setting.label} ({setting.group}). {setting.help}\n\n"
            f"Default: {setting.words(setting.default)}{bounds}.\n"
        )
    return "\n".join(lines)


def events() -> str:
    """Return every audit event with its severity and flags."""
    rows = [(event.name, event.severity, ", ".join(event.flags) or "-") for event in Event]
    title = _title("Audit events", "What the audit trail records.")
    return f"{title}\n{_table(('event', 'severity', 'flags'), rows)}"


def plugin_actions() -> str:
    """Return every plugin with its actions, their parameters and outputs."""
    lines = [_title("Plugins", "What workflows can do outside of Pilot.")]
    actions = catalogue.load().actions
    for name in plugins.names():
        lines.append(f"## {name}\n\n{_prose(plugins.load(name).summary)}\n")
        lines += [_action(action) for action in actions.values() if action.plugin == name]
    return "\n".join(lines)


def step_types() -> str:
    """Return every step type with its fields."""
    shared = _fields(StepFields.model_json_schema())
    lines = [_title("Steps", "The types of steps, and the fields that every step has.")]
    lines.append(f"## Every step\n\n{shared}")
    own = set(StepFields.model_fields)
    for name in steps.names():
        module = steps.load(name)
        fields = _fields(module.Params.model_json_schema(), without=own | {"type"})
        lines.append(f"## {name}\n\n{_prose(module.__doc__)}\n\n{fields}")
    return "\n".join(lines)


def commands() -> str:
    """Return every command with its usage."""
    lines = [_title("Command line", _prose(cli.__doc__)), f"{EXIT_CODES}\n"]
    for name in cli.names():
        parser = argparse.ArgumentParser(
            prog=f"pilot {name.replace('_', '-')}",
            formatter_class=lambda prog: argparse.HelpFormatter(prog, width=90),
            add_help=False,
        )
        module = cli.load(name)
        module.arguments(parser)
        text = _prose(module.__doc__)
        lines.append(f"## {parser.prog}\n\n{text}\n\n```\n{parser.format_help().strip()}\n```\n")
    return "\n".join(lines)


def errors() -> str:
    """Return what requests and steps fail with."""
    found = sorted(_below(PilotError), key=lambda one: (one.status, one.code, one.__name__))
    rows = [(str(one.status), one.code, _prose(one.__doc__).partition("\n")[0]) for one in found]
    title = _title("Errors", "Every message says what to do; programs read the code.")
    answers = f"## Answers\n\n{_table(('status', 'code', 'what'), rows)}"
    classes = [(one.value,) for one in ErrorClass]
    steps_fail = f"## Why a step failed\n\n{_prose(ErrorClass.__doc__)}\n\n"
    return f"{title}\n{answers}\n{steps_fail}{_table(('class',), classes)}"


def _below(base: type[PilotError]) -> Iterator[type[PilotError]]:
    for one in base.__subclasses__():
        if one.__module__ == PilotError.__module__:
            yield one
            yield from _below(one)


PAGES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "events": events,
    "errors": errors,
    "plugins": plugin_actions,
    "steps": step_types,
    "cli": commands,
}


def _title(name: str, text: str) -> str:
    return f"# {name}\n\n{NOTE}\n\n{text}\n"


def _prose(text: str | None) -> str:
    return (text or "").strip()


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _action(action: plugins.Action) -> str:
    return (
        f"### {action.name}\n\n{action.summary} {action.guidance}\n\n"
        f"Effect: {action.effect.value}. Time limit: {action.timeout_s:g} s.\n\n"
        f"Parameters:\n\n{_fields(action.params_schema)}\n"
        f"Output:\n\n{_fields(action.output_schema)}"
    )


def _fields(schema: Mapping[str, Any], without: Iterable[str] = ()) -> str:
    if "$ref" in schema:  # pydantic's form of a model that holds itself
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", ()))
    rows = [
        (f"`{name}`", _type(field), _default(name, field, required), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
        if name not in set(without)
    ]
    return _table(("field", "type", "default", "what"), rows) if rows else "None.\n"


def _default(name: str, field: Mapping[str, Any], required: set[str]) -> str:
    if name in required:
        return "required"
    default = field.get("default")
    return "" if default in (None, "", [], {}) else f"`{default}`"


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return WORDS.get(name, name)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    choices = field.get("anyOf") or field.get("oneOf") or field.get("allOf")
    if choices:
        return " or ".join(_type(choice) for choice in choices if choice.get("type") != "null")
    kind = field.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(each for each in kind if each != "null")
    many = kind == "array" and field.get("items")
    return f"list of {_type(field['items'])}" if many else str(kind)


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / f"{name}.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
