"""Operations on order and repetition: sort, deduplicate."""

from typing import Literal

from pydantic import Field

from pilot.engine.transforms.fields import Column, Config, names
from pilot.engine.transforms.incoming import Row
from pilot.engine.transforms.keys import Index, key_of
from pilot.engine.transforms.ordering import sort_keys
from pilot.engine.transforms.registry import Need, Run, operation, same
from pilot.errors import type_json


class SortKey(Config):
    """One field to sort by."""

    field: Column = Field(description="The field.")
    direction: Literal["asc", "desc"] = Field("asc", description="Rising or falling.")
    nulls: Literal["first", "last"] = Field(
        "last", description="Where rows without a value stand, in either direction."
    )
    order: Literal["text", "number", "date"] | None = Field(
        None, alias="as", description="How values compare; by default as what they all are."
    )


class Sort(Config):
    """What to sort by; the first field counts most."""

    by: list[SortKey] = Field(min_length=1, max_length=20, description="Fields, the first first.")


@operation(Sort, need="rows", shape=same)
def sort(rows: list[Row], config: Sort, run: Run) -> list[Row]:
    """Sorts rows by one or more fields; rows that are equal keep their order.

    Numbers that came as text count as numbers, ISO dates as moments. A field of several kinds needs
    `as`.
    """
    positions = list(range(len(rows)))
    for one in reversed(config.by):
        try:
            keys = sort_keys([row[one.field] for row in rows], one.order, run.scope)
        except ValueError as error:
            raise run.failure(f"{one.field}: {error}.") from None
        filled = [at for at in positions if keys[at] is not None]
        blank = [at for at in positions if keys[at] is None]
        filled.sort(key=keys.__getitem__, reverse=one.direction == "desc")
        positions = blank + filled if one.nulls == "first" else filled + blank
    return [rows[at] for at in positions]


class Deduplicate(Config):
    """What makes two rows the same."""

    by: Column | list[Column] | None = Field(
        None, description="Fields that are compared; without them, all of the element."
    )
    keep: Literal["first", "last"] = Field("first", description="Which of the equal ones stays.")


def _rows_if_by(config: Deduplicate) -> Need:
    return "rows" if config.by else "list"


@operation(Deduplicate, need=_rows_if_by, shape=same)
def deduplicate(values: list[type_json], config: Deduplicate, run: Run) -> list[type_json]:
    """Keeps one of each; values compare as in expressions, so 4 equals "4"."""
    by, seen = names(config.by), Index[None]()
    ordered = values if config.keep == "first" else values[::-1]
    kept = [value for value in ordered if len(seen.add(key_of(value, by), None)) == 1]
    if len(kept) < len(values):
        run.note(f"{len(values) - len(kept)} of {len(values)} were repeated and left out.")
    return kept if config.keep == "first" else kept[::-1]
