"""What is known of data before it is there: its kind and its columns."""

from dataclasses import dataclass
from typing import Literal

# rows: a list of objects; table: a list of lists, as a sheet is read; list: of other values.
Kind = Literal["unknown", "rows", "table", "list", "object", "value"]

KIND_WORDS: dict[Kind, str] = {
    "unknown": "data of any kind",
    "rows": "a list of objects",
    "table": "a table, that is a list of rows",
    "list": "a list of plain values",
    "object": "one object",
    "value": "one value",
}


@dataclass(frozen=True)
class Shape:
    """The kind of data; of rows, an object and a table with a header also the columns, if known."""

    kind: Kind = "unknown"
    columns: tuple[str, ...] | None = None

    def with_columns(self, *added: str) -> "Shape":
        """Return rows with more columns; those it has keep their place."""
        known = None if self.columns is None else tuple(dict.fromkeys((*self.columns, *added)))
        return Shape("rows", known)


UNKNOWN = Shape()
RENDERED = Shape("object", ("text", "rows"))


def rows_of(*columns: str) -> Shape:
    """Return the shape of a list of objects with just these columns."""
    return Shape("rows", tuple(dict.fromkeys(columns)))
