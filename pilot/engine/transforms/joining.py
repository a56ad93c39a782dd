"""The operation join: rows of two lists, side by side."""

from typing import Literal, Self

from pydantic import Field, StrictStr, model_validator

from pilot.engine.transforms.fields import Column, Config, Expression
from pilot.engine.transforms.incoming import MAX_ROWS, Row, bounded, objects, padded, require
from pilot.engine.transforms.keys import Index
from pilot.engine.transforms.registry import Run, operation
from pilot.engine.transforms.shapes import Shape
from pilot.errors import ErrorClass

Kind = Literal["left", "inner", "full", "semi", "anti"]


class Match(Config):
    """How rows find those of another list, and what becomes of them."""

    left_key: Column = Field(description="The field of the input that is compared.")
    right_key: StrictStr | None = Field(
        None, description="The field of the other rows; by default of the same name."
    )
    kind: Kind = Field(
        "left",
        description="left keeps all rows of the input, inner those with a match, full also those "
        "of the other list; semi and anti keep rows with and without a match, and add nothing.",
    )
    name: StrictStr | None = Field(
        None, alias="as", min_length=1, description="Put the match under this name, as an object."
    )
    matches: Literal["first", "all", "fail"] = Field(
        "first", description="Of several matches: the first, all of them, or fail."
    )

    @model_validator(mode="after")
    def _adds_something(self) -> Self:
        if self.name and self.kind in {"semi", "anti"}:
            raise ValueError(f"{self.kind} adds nothing: leave `as` out.")
        return self


class Join(Match):
    """The other rows, and how they are found."""

    right: Expression = Field(description="The other list of objects.")


def _joined(shape: Shape, config: Join) -> Shape:
    if config.kind in {"semi", "anti"}:
        return shape
    return shape.with_columns(config.name) if config.name else Shape("rows")


@operation(Join, need="rows", shape=_joined)
def join(rows: list[Row], config: Join, run: Run) -> list[Row]:
    """Finds the rows of another list that have an equal key.

    Without `as` their fields become fields of the row; one that the row has already gets `_2`. With
    `as` the match is an object, or null; with matches "all" a list. A null key matches nothing.
    """
    return matched(rows, objects(run.value(config.right), run, "right"), config, run)


def matched(rows: list[Row], right: list[Row], config: Match, run: Run) -> list[Row]:
    """Return rows beside those of another list; all are objects, with all their columns.

    Raises:
        StepError: class reference (no row has the key), input (several match), limit.
    """
    right_key = config.right_key or config.left_key
    require(rows, [config.left_key], run)
    require(right, [right_key], run, "no row of right has")
    hits = _hits(rows, right, config, right_key, run)
    if config.kind in {"semi", "anti"}:
        wanted = config.kind == "semi"
        return [row for row, found in zip(rows, hits, strict=True) if bool(found) is wanted]
    pairs = [
        (row, [right[at] for at in found])
        for row, found in zip(rows, hits, strict=True)
        if found or config.kind != "inner"
    ]
    alone = _unmatched(rows, right, config, right_key) if config.kind == "full" else []
    if config.name:
        joined = _named(pairs, alone, config, right_key)
    else:
        new_names = _new_names(rows, right, config, right_key)
        joined = _flat(pairs, alone, new_names, (config.left_key, right_key))
    return padded(bounded(joined, run), run)


def _hits(
    rows: list[Row], right: list[Row], config: Match, right_key: str, run: Run
) -> list[list[int]]:
    """Return for each row the positions of its matches."""
    index = Index[int]()
    for at, row in enumerate(right):
        if row[right_key] is not None:
            index.add(row[right_key], at)
    hits, count, blank = [], 0, 0
    for number, row in enumerate(rows, 1):
        key = row[config.left_key]
        groups = [] if key is None else index.find(key)
        if config.matches == "fail" and sum(map(len, groups)) > 1:
            raise run.failure(f"row {number}: several rows of right match {str(key)[:60]!r}.")
        all_of_them = config.matches == "all" and config.kind not in {"semi", "anti"}
        found = sorted(at for group in groups for at in (group if all_of_them else group[:1]))
        hits.append(found if all_of_them else found[:1])
        count, blank = count + len(found), blank + (key is None)
        if count > MAX_ROWS:
            raise run.failure(f"more than {MAX_ROWS:,} matches.", ErrorClass.LIMIT)
    if blank:
        run.note(f"{blank} of {len(rows)} rows have no {config.left_key} and match nothing.")
    return hits


def _unmatched(rows: list[Row], right: list[Row], config: Match, right_key: str) -> list[Row]:
    keys = Index[None]()
    for row in rows:
        if row[config.left_key] is not None:
            keys.add(row[config.left_key], None)
    return [row for row in right if row[right_key] not in keys]


def _named(
    pairs: list[tuple[Row, list[Row]]], alone: list[Row], config: Match, right_key: str
) -> list[Row]:
    """Put the matches under a name."""
    name, every = str(config.name), config.matches == "all"
    joined = [
        {**row, name: matches if every else next(iter(matches), None)} for row, matches in pairs
    ]
    single = ({config.left_key: row[right_key], name: [row] if every else row} for row in alone)
    return [*joined, *single]


def _new_names(rows: list[Row], right: list[Row], config: Match, right_key: str) -> dict[str, str]:
    """Return what each field of the other rows is called in the result; a common key stays one."""
    taken = {config.left_key, *(rows[0] if rows else ())}
    new_names: dict[str, str] = {}
    for field in right[0] if right else ():
        if field == right_key == config.left_key:
            continue
        free, number = field, 2
        while free in taken:
            free, number = f"{field}_{number}", number + 1
        new_names[field] = free
        taken.add(free)
    return new_names


def _flat(
    pairs: list[tuple[Row, list[Row]]],
    alone: list[Row],
    new_names: dict[str, str],
    keys: tuple[str, str],
) -> list[Row]:
    """Put the fields of the matches beside those of the row."""
    blank: Row = dict.fromkeys(new_names.values())

    def beside(match: Row) -> Row:
        return {new: match[old] for old, new in new_names.items()}

    joined = [
        {**row, **(beside(match) if match else blank)}
        for row, matches in pairs
        for match in matches or [{}]
    ]
    return [*joined, *({keys[0]: row[keys[1]], **beside(row)} for row in alone)]
