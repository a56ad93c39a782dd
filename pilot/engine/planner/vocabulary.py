"""The words of one table: its columns, values and names, and what else people call them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from pilot.engine.language.catalogue import Column, TableSample
from pilot.engine.planner.chart import Chart, Edge
from pilot.engine.planner.facts import ColumnRef, Sense
from pilot.engine.planner.text import Token, set_of, stem

MAX_WORDS = 5
Span = tuple[int, int, tuple[str, ...]]  # start and end of a row of words, and their stems
MAX_VALUES = 12  # a sample shows no more: with fewer, all values are known
TIE = 0.05

# Phrases that can stand for each other as names of columns.
_COLUMN_GROUPS: dict[str, str] = {
    "end": "end date, end, due date, due, deadline, finish date, finish, completion date, expiry"
    " date, expiry, expiration date, expiration, expires, valid until, until, closing date, target"
    " date, end day, date of end, ending date, finishing date, ends, finish by, ends on, due by",
    "start": "start date, start, begin, beginning, begin date, beginning date, kickoff, starting"
    " date, starts, start day, date of start, begins",
    "created": "created, creation date, created at, created on, date created, date added, added,"
    " added on, entry date, received, received on, date received, date of creation, create date,"
    " creation, date of entry",
    "owner": "owner, assignee, assigned to, responsible, responsible person, person responsible,"
    " person in charge, in charge, assigned person",
    "client": "client, customer, client name, customer name, account, contact, contact name, lead"
    " name, name of the client, name of the customer, name",
    "company": "company, company name, firm, organisation, organization, business, name of the"
    " company",
    "email": "email, email address, mail address, mail, address, emails",
    "phone": "phone, phone number, telephone, telephone number, tel, mobile, cell, phone no,"
    " number",
    "seller": "salesperson, sales person, sales rep, sales representative, seller, rep, account"
    " manager, account executive, salesman, saleswoman, sales owner, salespeople, sales agent",
    "value": "value, amount, deal value, deal size, worth, price, volume, sum, lead value, contract"
    " value, deal amount",
    "notes": "notes, note, comment, comments, remarks, remark, annotation",
    "source": "source, lead source, origin, channel, source of the lead",
    "stage": "stage, phase, pipeline stage, sales stage, deal stage, lead stage, stage number",
    "status": "status, state, progress",
    "priority": "priority, prio, priority level, importance, urgency, prioritised, prioritized",
    "task": "task, task name, activity, todo, work item, job, action item, name of the task, title,"
    " task title, name",
    "contract": "contract, agreement, contract number, contract name, contract id, name, number,"
    " id, contract no",
    "sender": "sender, from, from address, sender address",
    "subject": "subject, subject line",
    "text": "full text, text, body, full body, message text, content, whole text, mail text",
    "message id": "message id, id, mail id, msg id, email id, ids, message ids",
    "date": "date, day, time, sent, sent at, received, date received",
}  # fmt: skip
_ROW_GROUPS = (
    "lead, prospect, opportunity, deal, sales lead",
    "contract, agreement",
    "task, activity, todo, work item, item, job, action item, project task, assignment, work",
    "mail, email, message, inbox mail, inbox message",
    "invoice, bill",
    "order, purchase",
    "customer, client",
    "employee, staff, team member, member, person",
)
# Values that say the same; used only where the column has one of them.
_VALUE_GROUPS = (
    "done, complete, completed, finished, closed",
    "in progress, ongoing, running, started, underway, under way",
    "not started, todo, to do, not begun, unstarted",
    "active, running, in force, current, live",
    "terminated, cancelled, canceled",
    "expired, ended, lapsed",
    "critical, crit",
    "medium, normal",
)
_GENERIC = {"date", "name", "no", "nr", "number", "of", "the", "address", "id", "column"}
_MAIL_AS_WAY = set_of(
    "by via per through a an in as one single no each every send send out this that mailing"
)  # "by email" is how, not what
_MAILED = set_of("it to me us them this that these those the a an all each everything result")
_SENSES: tuple[Sense, ...] = ("end", "start", "created")


@dataclass(frozen=True)
class Vocabulary:
    """What can be said about one table."""

    sample: TableSample
    columns: Mapping[tuple[str, ...], list[tuple[float, str]]]
    values: Mapping[tuple[str, ...], dict[str, str]]  # telling their column by themselves
    known: Mapping[tuple[str, ...], dict[str, str]]  # of any column
    exact: frozenset[str]  # the words of values, as they are written
    rows: frozenset[tuple[str, ...]]  # what a row is called
    row_column: str | None  # the column that names a row, where the rows are called like it

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(one for one in self.sample.columns if one.name == name)

    def sense_columns(self, sense: Sense) -> list[str]:
        """Return the date columns that say when something ends, starts or was created."""
        return [
            one.name for one in self.sample.columns if one.kind == "date" and is_sense(one, sense)
        ]

    def value_columns(self) -> list[str]:
        """Return the columns of numbers that say what a row is worth."""
        worth = _groups()["value"]
        numbers = [one for one in self.sample.columns if one.kind == "number"]
        return [one.name for one in numbers if _key(one.name) in worth]

    def match(self, words: str) -> list[tuple[float, str]]:
        """Return the columns that these words can mean, the best first."""
        return sorted(self.columns.get(_key(words), []), reverse=True)


def words() -> set[str]:
    """Return the words of all phrases that tables can be spoken of with."""
    texts = (*_COLUMN_GROUPS.values(), *_ROW_GROUPS, *_VALUE_GROUPS)
    return {word for text in texts for word in text.replace(",", " ").split()}


def is_sense(column: Column, sense: Sense) -> bool:
    """Say whether a column is named like one that holds such dates."""
    names = _groups()[sense] | (_groups()["date"] if sense == "created" else frozenset())
    return _key(column.name) in names or _bare(_key(column.name)) in names


def is_person(column: Column) -> bool:
    """Say whether a column holds people whom the row belongs to."""
    names = _groups()["owner"] | _groups()["seller"]
    return column.kind == "text" and _key(column.name) in names


def build(sample: TableSample) -> Vocabulary:
    """Return the vocabulary of a table."""
    columns: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    values: dict[tuple[str, ...], dict[str, str]] = {}
    known: dict[tuple[str, ...], dict[str, str]] = {}
    for column in sample.columns:
        for key, score in _names(column.name).items():
            columns.setdefault(key, []).append((score, column.name))
        if column.kind != "text":
            continue
        for key, value in _values(column).items():
            known.setdefault(key, {})[column.name] = value
            if _is_category(column, sample.rows):
                values.setdefault(key, {})[column.name] = value
    rows, row_column = _row_names(sample)
    texts = [*_VALUE_GROUPS, *(text for column in sample.columns for text in column.examples)]
    exact = frozenset(word for text in texts for word in re.findall(r"\w+", text.lower()))
    return Vocabulary(sample, columns, values, known, exact, rows, row_column)


def add_edges(chart: Chart, vocabulary: Vocabulary) -> None:
    """Add COL, VAL, KNOWN and ENTITY edges for one table."""
    for start, end, key in spans(chart.tokens):
        _add_column(chart, vocabulary, start, end, key)
        other_form = _is_other_form(chart.tokens[start:end], vocabulary.exact)
        for tag, source in (("VAL", vocabulary.values), ("KNOWN", vocabulary.known)):
            if key in source and not other_form:
                chart.add(Edge(tag, start, end, source[key]))
        people = {
            name: value
            for name, value in vocabulary.known.get(key, {}).items()
            if is_person(vocabulary.column(name))
        }
        if people:
            chart.add(Edge("PERSONVAL", start, end, people))
        if key in vocabulary.rows:
            chart.add(Edge("ENTITY", start, end, vocabulary.row_column))


def _is_other_form(tokens: Sequence[Token], exact: frozenset[str]) -> bool:
    """Say whether a word is the verb of a value: "start" of Started, "finishing" of Finished."""
    if len(tokens) > 1 or tokens[0].kind != "word" or tokens[0].word in exact:
        return False
    return tokens[0].word.removesuffix("s") not in exact


def spans(tokens: Iterable[Token], longest: int = MAX_WORDS) -> tuple[Span, ...]:
    """Return start, end and stems of every row of up to `longest` words that may be a name."""
    return _spans(tuple(tokens), longest)


@lru_cache(maxsize=16)  # a goal is read over several tables
def _spans(words: tuple[Token, ...], longest: int) -> tuple[Span, ...]:
    found: list[Span] = []
    for start in range(len(words)):
        if words[start].kind == "quote":
            found.append((start, start + 1, _key(words[start].text)))
        for end in range(start + 1, min(start + longest, len(words)) + 1):
            if words[end - 1].kind not in {"word", "number"}:
                break
            found.append((start, end, tuple(one.stem for one in words[start:end])))
            if end - start > 1:
                joined = "".join(one.word for one in words[start:end])
                found.append((start, end, (stem(joined),)))
    return tuple(found)


def named(tables: Iterable[TableSample]) -> dict[tuple[str, ...], set[tuple[str, str]]]:
    """Return the tables that each name of a file or tab can mean."""
    found: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for one in tables:
        names = (one.table, one.table.rpartition(".")[0], one.tab)
        for name in filter(None, names):
            for key in {_key(name), (stem(name.lower()),), (stem("".join(_split(name))),)}:
                found.setdefault(key, set()).add((one.table, one.tab))
    return found


def _add_column(
    chart: Chart, vocabulary: Vocabulary, start: int, end: int, key: tuple[str, ...]
) -> None:
    before = chart.tokens[start - 1].word if start else ""
    after = chart.tokens[end].word if end < len(chart.tokens) else ""
    is_count = key == ("number",) and after == "of"
    begins = not start or chart.tokens[start - 1].kind == "break"
    is_verb = (
        begins
        and end < len(chart.tokens)
        and (after in _MAILED or chart.tokens[end].kind == "address")
    )
    is_post = key in {("mail",), ("email",)} and (before in _MAIL_AS_WAY or is_verb)
    if key not in vocabulary.columns or is_post or is_count:
        return
    ranked = sorted(vocabulary.columns[key], reverse=True)
    score, name = ranked[0]
    rivals = tuple(other for points, other in ranked[1:] if score - points < TIE)
    kind = vocabulary.column(name).kind
    chart.add(Edge("COL", start, end, ColumnRef(name, rivals, score, kind), score))


def _split(name: str) -> list[str]:
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+", name)]


@lru_cache(maxsize=20_000)
def _key(name: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in _split(name))


@cache
def _keys(groups: tuple[str, ...]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Return the keys of all phrases of each group."""
    return tuple(tuple(_key(phrase) for phrase in text.split(",")) for text in groups)


def _bare(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in key if word not in _GENERIC)


@cache
def _groups() -> dict[str, frozenset[tuple[str, ...]]]:
    return {
        name: frozenset(_key(phrase) for phrase in text.split(","))
        for name, text in _COLUMN_GROUPS.items()
    }


def _names(name: str) -> dict[tuple[str, ...], float]:
    """Return all phrases for a column: its name 1, parts of it and other words for it less."""
    key = _key(name)
    found: dict[tuple[str, ...], float] = {}
    for group in _groups().values():
        if key in group or (_bare(key) and _bare(key) in group):
            for phrase in group:
                found[phrase] = max(found.get(phrase, 0), 0.7 if len(phrase[0]) < 3 else 0.85)
    for loose in ("name", "number", "addres", "address", "date", "id", "sum", "mail"):
        if (loose,) in found:
            found[(loose,)] = 0.75
    if _bare(key) and _bare(key) != key:
        found[_bare(key)] = max(found.get(_bare(key), 0), 0.9)
    found[key] = 1.0
    found[(stem("".join(_split(name))),)] = 1.0
    return found


def _values(column: Column) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for value in column.examples:
        key = _key(value)
        if 0 < len(key) <= MAX_WORDS:
            found.setdefault(key, value)
    for group in _keys(_VALUE_GROUPS):
        present = [key for key in group if key in found]
        if len(present) == 1:
            for key in group:
                found.setdefault(key, found[present[0]])
    return found


def _is_category(column: Column, rows: int) -> bool:
    """Say whether the sample shows all values, and rows share them."""
    few = len(column.examples) < MAX_VALUES and 2 * len(column.examples) <= max(rows, 2)
    return few and all(len(value.split()) <= MAX_WORDS - 1 for value in column.examples)


def _row_names(sample: TableSample) -> tuple[frozenset[tuple[str, ...]], str | None]:
    """Return what a row is called, and the column whose name that is."""
    first = next((one.name for one in sample.columns if one.kind == "text"), None)
    names = [_key(sample.table.rpartition(".")[0]), _key(sample.tab)]
    groups = _keys(_ROW_GROUPS)
    by_table = [group for group in groups if any(name in group for name in names)]
    if not by_table and first is not None:
        names = [_key(first)]
        by_table = [group for group in groups if names[0] in group]
    found = frozenset(key for group in by_table for key in group) | frozenset(
        key for key in names if key
    )
    named_so = next(
        (one.name for one in sample.columns if one.kind == "text" and _key(one.name) in found), None
    )
    return found, named_so
