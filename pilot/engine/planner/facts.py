"""What a goal can say, one small record each; the grammar makes them of words."""

from dataclasses import dataclass
from typing import Literal

Value = str | int | float
FilterOp = Literal[
    "in", "not_in", ">", "<", ">=", "<=", "between", "contains", "empty", "not_empty", "before",
    "after", "from", "until",
]  # fmt: skip
Sense = Literal["end", "start", "created"]
Role = Literal["to", "cc", "bcc"]


@dataclass(frozen=True)
class ColumnRef:
    """A column of the table, and others that the words can mean as well."""

    name: str
    rivals: tuple[str, ...] = ()
    score: float = 1.0
    kind: str = "text"


@dataclass(frozen=True)
class Filter:
    """Rows whose column meets a condition; `doubt` is a word that may mean something else."""

    column: ColumnRef
    op: FilterOp
    values: tuple[Value, ...] = ()
    known: bool = True  # False: the values are not among those seen
    doubt: str = ""


@dataclass(frozen=True)
class Span:
    """Days counted from today, both ends included; `days` is the number that the goal names.

    `today` is None where the words leave open whether today counts; `ask` names another doubt.
    """

    low: int
    high: int
    days: int | None = None
    today: bool | None = True
    ask: str = ""


@dataclass(frozen=True)
class Window:
    """Rows whose date lies in a span; without column and sense another fact says which date."""

    span: Span
    column: ColumnRef | None = None
    sense: Sense | None = None


@dataclass(frozen=True)
class Horizon:
    """How many days a title such as "three-day lookahead" speaks of; a window says which."""

    days: int


@dataclass(frozen=True)
class DateWord:
    """A word such as "due" that says which date a window is about."""

    sense: Sense


@dataclass(frozen=True)
class Today:
    """Whether today counts."""

    counts: bool


@dataclass(frozen=True)
class Order:
    """How rows are sorted; None: another fact, or the window, says it.

    `best` are the words of "the highest value", which may also mean a single row; `later` orders
    come behind another one; `sized` ones speak of what is largest or smallest, with
    `limit` of only so many.
    """

    column: ColumnRef | None = None
    sense: Sense | None = None
    descending: bool | None = None
    unclear: str = ""
    best: str = ""
    later: bool = False
    sized: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class Columns:
    """The columns to show, in order; certain where the goal calls them columns."""

    names: tuple[ColumnRef, ...]
    certain: bool = False


@dataclass(frozen=True)
class LeftOut:
    """The columns not to show."""

    names: tuple[ColumnRef, ...]


@dataclass(frozen=True)
class ColumnCount:
    """How many columns the table shall have."""

    count: int


@dataclass(frozen=True)
class Unique:
    """No duplicates: of recipients, of a column's values, of whole rows, or (None) unsaid."""

    of: Literal["recipients", "column", "rows"] | None
    column: ColumnRef | None = None


@dataclass(frozen=True)
class Limit:
    """At most so many rows."""

    count: int


@dataclass(frozen=True)
class Measure:
    """A number over rows: count, or sum, avg, min, max of a column, maybe per group."""

    op: Literal["count", "sum", "avg", "min", "max"]
    column: ColumnRef | None = None
    by: ColumnRef | None = None


@dataclass(frozen=True)
class Recipients:
    """Who gets the mail; `people` are those without an address.

    `after` says how many addresses stand before "me".
    """

    addresses: tuple[str, ...] = ()
    me: bool = False
    people: tuple[str, ...] = ()
    count: int | None = None
    role: Role = "to"
    together: bool = True
    after: int = 0


@dataclass(frozen=True)
class Separate:
    """Each recipient gets a mail of their own."""


@dataclass(frozen=True)
class Subject:
    """The subject of the mail, in the user's words."""

    text: str


@dataclass(frozen=True)
class Empty:
    """What happens without rows: a text, or (None) nothing at all."""

    text: str | None
    recipients: Recipients | None = None


@dataclass(frozen=True)
class Approval:
    """Somebody is asked before anything is sent; "" is the owner."""

    address: str = ""
    person: str = ""


@dataclass(frozen=True)
class Source:
    """The tables (table, tab) that a name can mean; a named word without a table has none."""

    tables: frozenset[tuple[str, str]]
    name: str


@dataclass(frozen=True)
class Append:
    """Rows go to a table."""

    tables: frozenset[tuple[str, str]]
    name: str


@dataclass(frozen=True)
class SkipKnown:
    """Rows that the target has already are left out; by this column, if it is said."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unable:
    """A wish that was understood and cannot be drafted."""

    text: str
    why: str


@dataclass(frozen=True)
class MailSearch:
    """A condition on mails: words, days, sender, unread."""

    words: tuple[str, ...] = ()
    days: int | None = None
    sender: str = ""
    unread: bool = False
    count: int | None = None
    inbox: bool = False
