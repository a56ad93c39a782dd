"""One page of a list: filters and order in SQL over all rows, keyset paging, exact totals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_COUNTED = 10_000  # exact up to here, then "10,000+"
SIZES = (25, 50, 100)


@dataclass(frozen=True)
class Sort:
    """An order: the SQL expression (never NULL) and its type; ties are broken by the id.

    Of a long table it is a column with an index, of a type whose comparison is leak-proof (text,
    int8, timestamptz, uuid; not numeric): row security lets no other near an index.
    """

    expression: str
    type: str  # of the database: text, int8, timestamptz, uuid


@dataclass(frozen=True)
class Wanted:
    """Which page of a list: the sort ("-" in front: descending) and the key to go on after."""

    sort: str
    after: tuple[str, str] | None = None  # (sort key, id) of the last row that was seen
    size: int = 50
    counted: bool = True  # else the total is that of this page


@dataclass(frozen=True)
class Listed:
    """A page of rows, the total of all that match, and where the next page begins."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    next: tuple[str, str] | None

    @property
    def total_text(self) -> str:
        """The total as a person reads it."""
        return f"{MOST_COUNTED:,}+" if self.total > MOST_COUNTED else f"{self.total:,}"


@dataclass(frozen=True)
class Source:
    """What a list is made of: columns and tables in SQL, the id, the orders it offers."""

    columns: str
    tables: str
    id: str
    sorts: Mapping[str, Sort]
    id_type: str = "uuid"
    counted: str = ""  # the tables that decide how many rows match, if not all do
    of_agents: str = ""  # the table whose rows belong to owners and their agents, if one does


def fetch(
    session: Session,
    source: Source,
    conditions: Sequence[str],
    values: Mapping[str, Any],
    wanted: Wanted,
) -> Listed:
    """Return one page of the rows that meet all conditions (SQL with `:name` of `values`)."""
    if source.of_agents:
        mine, value = within_reach(session, source.of_agents)
        conditions, values = [mine, *conditions], {**values, **value}
    name = wanted.sort.removeprefix("-")
    sort = source.sorts[name]
    descending = wanted.sort.startswith("-")
    where = " AND ".join(f"({one})" for one in conditions) or "true"
    total = _total(session, source, where, values) if wanted.counted else 0
    if wanted.counted and not total:  # nothing to look for a second time
        return Listed([], 0, None)
    bound = dict(values) | {"size": wanted.size + 1}
    if wanted.after is not None:
        sign = "<" if descending else ">"
        where += (
            f" AND ({sort.expression}, {source.id})"
            f" {sign} (cast(:after_key AS {sort.type}), cast(:after_id AS {source.id_type}))"
        )
        bound |= {"after_key": wanted.after[0], "after_id": wanted.after[1]}
    order = "DESC" if descending else "ASC"
    query = (  # every part but the bound values is a constant of a report
        f"SELECT {source.columns}, ({source.id})::text AS row_id, "  # noqa: S608
        f"({sort.expression})::text AS sort_key FROM {source.tables} "
        f"WHERE {where} ORDER BY {sort.expression} {order}, {source.id} {order} LIMIT :size"
    )
    found = [dict(row) for row in session.execute(text(query), bound).mappings()]
    rows = found[: wanted.size]
    more = len(found) > wanted.size
    last = (str(rows[-1]["sort_key"]), str(rows[-1]["row_id"])) if more else None
    for row in rows:
        del row["sort_key"], row["row_id"]
    return Listed(rows, total if wanted.counted else len(rows), last)


def midnight(day: str, later: int = 0) -> str:
    """Return when a day (a value, in SQL) begins in `:zone`; a subselect, which an index serves."""
    return f"(SELECT cast(cast({day} AS date) + {later} AS timestamp) AT TIME ZONE :zone)"


def within_reach(session: Session, table: str) -> tuple[str, dict[str, Any]]:
    """Return what row security says of a table of agents' rows, as a condition with its values.

    By it an index finds the few rows of a person; row security itself is an OR of functions, for
    which each row would be looked at.
    """
    if session.info["sees_all"]:
        return "true", {}
    own, values = f"{table}.owner_id = :reader", {"reader": session.info["user_id"]}
    shared = session.scalar(text("SELECT my_grants()"))
    if not shared:
        return own, values
    return f"{own} OR {table}.agent_id = ANY(:shared)", {**values, "shared": shared}


def _total(session: Session, source: Source, where: str, values: Mapping[str, Any]) -> int:
    counted = source.counted or source.tables
    count = f"SELECT count(*) FROM (SELECT 1 FROM {counted} WHERE {where} LIMIT :most) c"  # noqa: S608
    total: int = session.execute(text(count), {**values, "most": MOST_COUNTED + 1}).scalar_one()
    return total
