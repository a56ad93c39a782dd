"""The goals of NESTFUL and catalogues made of its specifications.

Each part is a catalogue of its own; a goal is planned against its own part only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model

from pilot import strictjson
from pilot.engine.language.catalogue import Action, Catalogue
from pilot.plugins import Effect, Model

FOLDER = Path(__file__).parent / "data" / "nestful"
MAX_BYTES = 8 * 1024 * 1024
_PLACES = ("query_parameters", "path_parameters", "parameters", "arguments")
_TYPES: dict[str, Any] = {
    "integer": int,
    "number": float,
    "float": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}
# Verbs of names that only read; all other actions may change something.
_READING = frozenset(
    "find search get lookup analyze calculate convert translate check validate encrypt generate "
    "retrieve".split()
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True)
class Case:
    """A goal with the names of the calls it needs; those without a specification are left out."""

    part: str
    goal: str
    names: tuple[str, ...]


@cache
def cases() -> list[Case]:
    """Return the goals of the development half, all three parts."""
    found = []
    for part, records in _decoded("dev.json").items():
        original = originals(part).values()
        for one in records:
            called = [call["name"] for call in one["output"] if call["name"] in original]
            found.append(Case(part, one["input"], tuple(called)))
    return found


def originals(part: str) -> dict[str, str]:
    """Return the names of the source by our names."""
    return {action: name for name, action in _names(part).items()}


@cache
def catalogue(part: str) -> Catalogue:
    """Return the actions of a part."""
    names = _names(part)
    found = {names[one["name"]]: _action(names[one["name"]], one) for one in _specs(part)}
    return Catalogue(found)


@cache
def _decoded(name: str) -> dict[str, Any]:
    content = (FOLDER / name).read_bytes()
    decoded: dict[str, Any] = strictjson.loads(content, max_bytes=MAX_BYTES)
    return decoded


def _specs(part: str) -> list[dict[str, Any]]:
    specs: list[dict[str, Any]] = _decoded("specs.json")[part]
    return list({one["name"]: one for one in specs}.values())


@cache
def _names(part: str) -> dict[str, str]:
    """Return our names by those of the source; equal ones get a number."""
    found: dict[str, str] = {}
    for one in _specs(part):
        plugin, _, action = one["name"].partition(".") if part == "sgd" else (part, "", one["name"])
        name = f"{_snake(plugin)}.{_snake(action)}"
        count = sum(known.rstrip("_0123456789") == name for known in found.values())
        found[one["name"]] = f"{name}_{count + 1}" if count else name
    return found


def _snake(name: str) -> str:
    return "_".join(word.lower() for word in _WORD.findall(name))


def _action(name: str, spec: Mapping[str, Any]) -> Action:
    plugin, _, action = name.partition(".")
    params = {key: one for place in _PLACES for key, one in (spec.get(place) or {}).items()}
    params_model = _model(f"{action}_params", params, only_required=False)
    output_model = _model(f"{action}_output", spec.get("output_parameters") or {})
    reads = spec.get("method") == "GET" or action.split("_")[0] in _READING
    return Action(
        name=name,
        plugin=plugin,
        title=action.replace("_", " ").capitalize(),
        summary=spec["description"],
        guidance="",
        effect=Effect.PURE if reads else Effect.ONCE,
        rules=(),
        timeout_s=60,
        success="Done",
        errors={},
        params_model=params_model,
        output_model=output_model,
        run=_run,
        was_applied=None,
        choose_effect=None,
    )


def _run(*_: object) -> Model:
    raise RuntimeError("The actions of NESTFUL are planned, never run.")


def _model(name: str, parts: Mapping[str, Any], *, only_required: bool = True) -> type[Model]:
    fields: dict[str, Any] = {}
    described = {key: one for key, one in parts.items() if isinstance(one, dict)}
    for number, (key, one) in enumerate(described.items()):
        kind = _kind(f"{name}_{number}", one)
        needed = only_required or one.get("required") is True
        about = one.get("description") or None
        fields[f"f{number}"] = (
            (kind, Field(alias=key, description=about))
            if needed
            else (kind | None, Field(None, alias=key, description=about))
        )
    model: type[Model] = create_model(name, __base__=Model, **fields)
    return model


def _kind(name: str, one: Mapping[str, Any]) -> Any:
    choices = one.get("enum") or one.get("allowed_values") or one.get("possible_values")
    if isinstance(choices, list) and choices and all(isinstance(text, str) for text in choices):
        return Literal[tuple(choices)]
    kind = str(one.get("type", "string")).lower()
    if kind == "object" and one.get("properties"):
        return _model(name, one["properties"])
    items = one.get("items")
    if kind == "array" and isinstance(items, dict):
        return list[_kind(name, items)]  # type: ignore[misc]
    return _TYPES.get(kind, str)
