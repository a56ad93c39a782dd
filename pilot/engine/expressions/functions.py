"""All functions of the language: name, number of arguments, documentation, implementation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pilot.engine.expressions import dates, lists, numbers, texts
from pilot.engine.expressions.scope import Scope


@dataclass(frozen=True)
class Function:
    """One function; null for its first argument gives null where `null_is_null`."""

    run: Callable[..., Any]
    least: int
    most: int
    doc: str
    null_is_null: bool = False
    takes_scope: bool = False
    forgives_missing: bool = False  # a missing path as first argument is null, at any depth


def _general() -> dict[str, Function]:
    return {
        "exists": Function(
            lambda v: v is not None,
            1,
            1,
            "Whether a path is there and not null.",
            forgives_missing=True,
        ),
        "default": Function(
            lambda v, d: d if v is None else v,
            2,
            2,
            "The value, or another one if it is missing or null.",
            forgives_missing=True,
        ),
        "coalesce": Function(lists.coalesce, 1, 20, "The first argument that is not null."),
        "is_empty": Function(
            lambda v: v is None or v in ("", [], {}),
            1,
            1,
            'Whether a value is missing, null, "", [] or {}.',
            forgives_missing=True,
        ),
        "type": Function(lists.type_name, 1, 1, "null, boolean, number, text, list or object."),
        "len": Function(lists.length, 1, 1, "Characters, elements or keys.", null_is_null=True),
        "if_else": Function(lists.if_else, 3, 3, "The second argument if the first is true."),
        "json": Function(texts.as_json, 1, 1, "The value as JSON text."),
    }


FUNCTIONS: Mapping[str, Function] = (
    _general()
    | {
        name: Function(run, low, high, doc, null_is_null=True)
        for name, (run, low, high, doc) in texts.TABLE.items()
    }
    | {
        name: Function(run, low, high, doc, null_is_null=True)
        for name, (run, low, high, doc) in numbers.TABLE.items()
    }
    | {
        name: Function(run, low, high, doc, null_is_null=True)
        for name, (run, low, high, doc) in lists.TABLE.items()
    }
    | {
        name: Function(run, low, high, doc, null_is_null=True, takes_scope=True)
        for name, (run, low, high, doc) in dates.TABLE.items()
    }
)

__all__ = ["FUNCTIONS", "Function", "Scope"]
