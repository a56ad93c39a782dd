"""Brings several sources together: one object of many, or rows with what belongs to them.

Output: `merge` and `deep_merge` give one object, later sources win; `by_key` gives `{key: source}`;
`join` gives the rows of the first source, each with its match of every other source under that
source's key.
"""

from typing import Any, Literal

from pydantic import Field, StrictStr, model_validator

from pilot.engine.acting.outcomes import Done, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Expression, Part, StepFields
from pilot.engine.transforms.incoming import Row, objects
from pilot.engine.transforms.joining import Match, matched
from pilot.engine.transforms.registry import Run
from pilot.errors import type_json

IO = False
WORDS = {"merge": "Merge", "deep_merge": "Merge", "by_key": "Gather", "join": "Join"}


class Source(Part):
    """One source and the name that it goes by."""

    key: StrictStr = Field(min_length=1, max_length=120)
    value: Expression = Field(alias="from")


class Params(StepFields):
    """Sources and how they come together."""

    type: Literal["enrichment"]
    sources: list[Source] = Field(min_length=1, max_length=20)
    strategy: Literal["merge", "deep_merge", "by_key", "join"]
    join_on: StrictStr | None = Field(
        None, min_length=1, description="join: the field that rows of all sources are matched by."
    )
    kind: Literal["left", "inner"] = Field(
        "left", description="join: left keeps rows without a match, inner drops them."
    )
    matches: Literal["first", "all", "fail"] = Field(
        "first", description="join, of several matches: the first, all of them, or fail."
    )
    arrays: Literal["replace", "concat"] = Field(
        "replace", description="deep_merge: the later list alone, or both one after the other."
    )

    @model_validator(mode="after")
    def _fits_its_strategy(self) -> "Params":
        names = [one.key for one in self.sources]
        if len(set(names)) < len(names):
            raise ValueError("Two sources have the same key: give each its own.")
        if (self.strategy == "join") != (self.join_on is not None):
            raise ValueError("join_on belongs to the strategy join, which needs it.")
        if self.strategy == "join" and len(names) == 1:
            raise ValueError("join needs a second source.")
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what comes together."""
    listed = step.get("sources")
    named = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    sources = ", ".join(wording.expression(one.get("from", "")) for one in named)
    on = step.get("join_on")
    how = WORDS.get(str(step.get("strategy")), "Bring together")
    return f"{how} {sources}" + (f" by {on}" if isinstance(on, str) else "")


def run(step: Params, context: StepContext) -> Done:
    """Bring the sources together."""
    values = [
        (source.key, context.compiled(step.id, f"source{n}", lambda: compile_field(source.value)))  # noqa: B023 -- compiled at once
        for n, source in enumerate(step.sources)
    ]
    sources = [(key, compiled.evaluate(context.scope)) for key, compiled in values]
    work = Run(step.strategy, context.scope)
    if step.strategy == "by_key":
        return Done(dict(sources))
    if step.strategy == "join":
        return Done(_joined(step, sources, work), work.notes)
    return Done(_merged(step, sources, work), work.notes)


def _merged(step: Params, sources: list[tuple[str, type_json]], work: Run) -> dict[str, type_json]:
    found: dict[str, type_json] = {}
    for key, value in sources:
        if value is None:
            work.note(f"{key} is null: nothing comes from it.")
        elif not isinstance(value, dict):
            advice = " Rows are brought together with join." if isinstance(value, list) else ""
            raise work.failure(f"{key} must be an object.{advice}")
        elif step.strategy == "merge":
            found |= value
        else:
            found = _deeply(found, value, step.arrays == "concat")
    return found


def _deeply(left: type_json, right: type_json, concat: bool) -> type_json:  # noqa: FBT001
    """Return two values as one: fields of objects together, otherwise the right one."""
    if isinstance(left, dict) and isinstance(right, dict):
        both = left.keys() & right.keys()
        return left | right | {name: _deeply(left[name], right[name], concat) for name in both}
    if concat and isinstance(left, list) and isinstance(right, list):
        return [*left, *right]
    return right


def _joined(step: Params, sources: list[tuple[str, type_json]], work: Run) -> list[Row]:
    (first, value), *others = sources
    rows = objects(value, work, first)
    for key, other in others:
        if rows and key in rows[0]:
            raise work.failure(f"rows of {first} have a field {key!r} already: rename the source.")
        if other is None:
            work.note(f"{key} is null: no row has a match in it.")
        right = [] if other is None else objects(other, work, key)
        how = {"left_key": step.join_on, "as": key, "kind": step.kind, "matches": step.matches}
        rows = matched(rows, right, Match.model_validate(how), work)
    return rows
