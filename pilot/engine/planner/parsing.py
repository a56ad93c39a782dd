"""Reads a goal over one table: the cheapest way to understand all its words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pilot.engine.planner import (
    grammar_dates,
    grammar_empties,
    grammar_filters,
    grammar_framing,
    grammar_polite,
    grammar_recipients,
    grammar_shape,
    grammar_sources,
    grammar_today,
    grammar_wishes,
    lexicon,
    vocabulary,
)
from pilot.engine.planner.background import backgrounds
from pilot.engine.planner.bags import add_bags
from pilot.engine.planner.bags_empties import add_conditions
from pilot.engine.planner.bags_unique import add_uniques
from pilot.engine.planner.chart import Chart, Edge, Rule, best_cover
from pilot.engine.planner.facts import Append, ColumnRef, Columns, Source
from pilot.engine.planner.loose_clauses import add_loose_clauses
from pilot.engine.planner.text import Token, ordinal, set_of
from pilot.engine.planner.vocabulary import Vocabulary

T = TypeVar("T")
Names = Mapping[tuple[str, ...], set[tuple[str, str]]]

UNKNOWN_COST = 60.0
WRONG_TABLE_COST = 150.0
NAMED_TABLE_GAIN = 4.0
BOUND_GAIN = 0.5
FACTS = (
    "FILTER", "WINDOW", "HORIZON", "DATEWORD", "TODAY", "ORDER", "COLUMNS", "ALLCOLUMNS",
    "COLSLEFT", "COLCOUNT", "UNIQUE", "SEPARATE", "LIMIT", "MEASURE", "RECIPIENTS", "SUBJECT",
    "APPROVAL", "EMPTY", "GUARD", "SOURCE", "APPEND", "SKIP", "NOMAIL", "MAILSEARCH",
    "UNABLE", "BARE", "EMPTYCLAUSE", "UNIQUECLAUSE",
    "RECIPIENTCLAUSE",
)  # fmt: skip
_PLAIN = (
    "FILLER", "READ", "SEND", "MAILNOUN", "LISTNOUN", "ROWNOUN", "SHEETNOUN", "ENTITY", "EACHROW",
    "TABLEWORD", "LEFTOUT", "BACKGROUND", "VAGUE", "DESCRIPTION",
    "LABEL", "WORDLESS",
)  # fmt: skip
# A fact is dearer than one word of filler, cheaper than two; vague ones come last.
_COSTS: dict[str, float] = (
    dict.fromkeys(_PLAIN, 1.0)
    | dict.fromkeys(FACTS, 1.2)
    | {"PUNCT": 0.05, "DATEWORD": 2.5, "GUARD": 2.5, "LEFTOUT": 0.0, "BACKGROUND": 8.0,
       "SOURCE": 1.3, "APPROVAL": 1.1, "EMPTY": 1.1, "UNABLE": 1.4, "BARE": 3.0, "VAGUE": 3.0,
       "WORDLESS": 30.0, "EMPTYCLAUSE": 25.0, "UNIQUECLAUSE": 25.0,
       "RECIPIENTCLAUSE": 25.0}
)  # fmt: skip
_ORDINALS = set_of(
    """
    first firstly second secondly third thirdly fourth next last lastly finally afterwards after
    later one two three four five six
    """
)
# What may say which rows are meant, where it stands before a word for one.
_STATES = set_of(
    """
    open running complete current live closed good great perfect ideal useful helpful handy super
    excellent wonderful lovely fresh regular normal usual ordinary standard decent basic plain
    little small short simple quick fine nice happy pretty important automated interesting tiny
    timely necessary latest whole mentioned structured brief minimal modest
    """
)
_JOINING = set_of(", and or /")
_SHOWING = set_of("put write enter list add")
_NO_NAME = frozenset({"today", "tomorrow", "i"})


@dataclass(frozen=True)
class Parse:
    """How a goal reads over one table; a smaller cost is a better reading."""

    vocabulary: Vocabulary
    chart: Chart
    cover: tuple[Edge, ...]
    cost: float

    @property
    def facts(self) -> list[Edge]:
        """What was understood, in the order of the goal."""
        return [edge for edge in self.cover if edge.tag in FACTS]

    @property
    def unknown(self) -> list[tuple[int, int]]:
        """Start and end of each row of words that nothing explains."""
        found: list[tuple[int, int]] = []
        for edge in self.cover:
            if edge.tag != "UNKNOWN":
                continue
            if found and found[-1][1] == edge.start:
                found[-1] = (found[-1][0], edge.end)
            else:
                found.append((edge.start, edge.end))
        return found

    @property
    def names_table(self) -> bool:
        """Whether the goal names this table."""
        key = (self.vocabulary.sample.table, self.vocabulary.sample.tab)
        return any(
            isinstance(edge.value, Source) and key in edge.value.tables for edge in self.facts
        )


def of(parse: Parse, kind: type[T]) -> list[T]:
    """Return the facts of one kind, in the order of the goal."""
    return [edge.value for edge in parse.facts if isinstance(edge.value, kind)]


def parse(
    text: str, tokens: list[Token], known: Vocabulary, names: Names, left_out: Iterable[str]
) -> Parse:
    """Return the best reading of the tokens over one table.

    Args:
        text: the normalised goal.
        tokens: its tokens, corrected.
        known: the words of the table.
        names: the names of all tables.
        left_out: texts that the user said to leave out.
    """
    chart = Chart(text, tokens)
    _add_tokens(chart)
    vocabulary.add_edges(chart, known)
    _add_lexicon(chart, known.rows)
    _add_names(chart, known, names)
    is_mailbox = not known.sample.table
    chart.apply(_rules(is_mailbox=is_mailbox))
    _add_search_words(chart)
    add_conditions(chart)
    chart.apply(grammar_empties.EMPTIES)
    if any(isinstance(edge.value, Append) for edge in chart.tagged("APPEND")):
        chart.apply(grammar_sources.SKIPS)
    add_bags(chart)
    add_uniques(chart)
    chart.apply(grammar_shape.NEXT_ORDERS)
    _leave_out(chart, left_out)
    _let_show(chart)
    for edge in backgrounds(chart, (known.sample.table, known.sample.tab)):
        chart.add(edge)
    add_loose_clauses(chart)
    cover = best_cover(chart, _COSTS, UNKNOWN_COST)
    return Parse(known, chart, tuple(cover), _cost(cover, known))


def without(reading: Parse, edge: Edge) -> tuple[tuple[Edge, ...], float]:
    """Return the best cover that does not use an edge, and its cost."""
    cover = best_cover(reading.chart, _COSTS, UNKNOWN_COST, edge)
    return tuple(cover), _cost(cover, reading.vocabulary)


def _rules(*, is_mailbox: bool) -> list[Rule]:
    rules = [
        *grammar_filters.LISTS,
        *grammar_filters.FILTERS,
        *grammar_dates.SPANS,
        *grammar_dates.WINDOWS,
        *grammar_today.TODAYS,
        *grammar_shape.COLUMNS,
        *grammar_shape.ORDERS,
        *grammar_shape.UNIQUES,
        *grammar_shape.AMOUNTS,
        *grammar_recipients.RECIPIENTS,
        *grammar_empties.CONDITIONS,
        *grammar_wishes.WORDS,
        *grammar_wishes.UNABLES,
        *grammar_sources.TABLES,
        *grammar_sources.NO_MAIL,
        *grammar_polite.POLITE,
        *grammar_framing.FRAMES,
    ]
    return [*rules, *(grammar_sources.MAILS if is_mailbox else grammar_recipients.INBOX)]


def _add_tokens(chart: Chart) -> None:
    for at, token in enumerate(chart.tokens):
        for tag, value in _kinds(token):
            chart.add(Edge(tag, at, at + 1, value))


def _kinds(token: Token) -> list[tuple[str, object]]:
    if token.kind == "break":
        line = [("NEWLINE", True)] if "\n" in token.text else []
        return [*line, ("BREAK", True), ("PUNCT", True)]
    if token.kind == "sign":
        soft = [("SEMI", True)] if token.word == ";" else []
        punct = (
            [("PUNCT", True)] if token.word not in {"=", "!=", "<", ">", "<=", ">=", "<>"} else []
        )
        return [*soft, *punct]
    tags = {"quote": "QUOTE", "address": "ADDR", "date": "DATE", "url": "URL"}
    if token.kind in tags:
        return [(tags[token.kind], token.text)]
    number = [("NUM", token.number)] if token.number is not None else []
    place = ordinal(token.word)
    return [*number, *([("ORDINAL", place)] if place else []), ("PLAIN", token.text)]


def _is_state(chart: Chart, start: int, end: int, rows: frozenset[tuple[str, ...]]) -> bool:
    """Say whether a word such as "open" tells which rows ("open tasks") and is no empty word."""
    tokens = chart.tokens
    if end - start > 1 or tokens[start].word not in _STATES or end >= len(tokens):
        return False
    starts = start == 0 or tokens[start - 1].kind == "break"
    far = tokens[start].word != "current"  # what is in the table is current
    while (
        end < len(tokens) - 1
        and far
        and (tokens[end].stem,) not in rows
        and (
            any(chart.at(end, tag) for tag in ("VAL", "COL", "NUM")) or tokens[end].word in _JOINING
        )
    ):
        end += 1
    return not starts and (tokens[end].stem,) in rows


def _add_lexicon(chart: Chart, rows: frozenset[tuple[str, ...]]) -> None:
    known = lexicon.phrases()
    for start, end, key in vocabulary.spans(chart.tokens, lexicon.LONGEST):
        for tag in known.get(key, ()):
            is_state = tag in {"FILLER", "READ"} and _is_state(chart, start, end, rows)
            if chart.tokens[start].kind != "quote" and not is_state:
                chart.add(Edge(tag, start, end, chart.between(start, end)))
    for at, token in enumerate(chart.tokens):  # signs such as > and phrases with signs
        if token.kind == "sign" and (token.word,) in known:
            for tag in known[(token.word,)]:
                chart.add(Edge(tag, at, at + 1, token.word))


def _add_names(chart: Chart, known: Vocabulary, names: Names) -> None:
    """Add the names of tables, words of this table's name, and words that look like names."""
    own = {word for key, tables in names.items() for word in key
           if (known.sample.table, known.sample.tab) in tables}  # fmt: skip
    for start, end, key in vocabulary.spans(chart.tokens):
        if key in names:
            chart.add(Edge("SHEET", start, end, frozenset(names[key])))
    _add_words(chart, own)
    for at, token in enumerate(chart.tokens):
        if token.word in {"each", "every"} and _speaks_of_row(chart, at + 1):
            chart.add(Edge("EACHROW", at, at + 1))
        if token.word in _ORDINALS and _begins_clause(chart, at):
            chart.add(Edge("FILLER", at, at + 1, token.text))


def _add_words(chart: Chart, own: set[str]) -> None:
    """Add what single words can be: part of the table's name, a word to search, a person."""
    for at, token in enumerate(chart.tokens):
        if token.kind != "word":
            continue
        if token.stem in own and not chart.at(at, "ENTITY"):
            chart.add(Edge("TABLEWORD", at, at + 1, token.text))
        if not any(chart.at(at, tag) for tag in ("FILLER", "SEND", "ADDING", "DELETE", "READ")):
            chart.add(Edge("TERMWORD", at, at + 1, token.text))
        if token.capital and _is_free(chart, at):
            chart.add(Edge("NAME", at, at + 1, token.text))


def _speaks_of_row(chart: Chart, start: int) -> bool:
    """Say whether only describing words stand before a word for a row."""
    for at in range(start, min(start + 7, len(chart.tokens))):
        if chart.at(at, "ENTITY") or chart.at(at, "ROWNOUN"):
            return True
        describing = ("VAL", "COL", "FILLER", "TABLEWORD", "NUM", "SHEET")
        if chart.tokens[at].word not in {"or", "and", ",", "/"} and not any(
            chart.at(at, tag) for tag in describing
        ):
            return False
    return False


def _begins_clause(chart: Chart, at: int) -> bool:
    """Say whether a word such as "first" only numbers the steps."""
    starts = (
        at == 0 or chart.tokens[at - 1].kind == "break" or chart.tokens[at - 1].word in {";", "and"}
    )
    if not starts or at + 1 >= len(chart.tokens):
        return False
    if chart.tokens[at + 1].word in {",", ":"}:
        return True
    return any(chart.at(at + 1, tag) for tag in ("READ", "SEND", "SORT", "DELETE", "FILLER"))


def _is_free(chart: Chart, at: int) -> bool:
    """Say whether no list of words knows this one."""
    word = chart.tokens[at].word
    taken = ("COL", "VAL", "SHEET", "ENTITY", "NUM")
    if word in _NO_NAME or word in lexicon.words() or any(chart.at(at, tag) for tag in taken):
        return False
    return word not in GRAMMAR_WORDS and (chart.tokens[at].stem,) not in lexicon.phrases()


def _add_search_words(chart: Chart) -> None:
    """Let "complaint mails" say again that mails are searched for "complaint"."""
    searched = {word.lower() for edge in chart.tagged("TERMS") for word in edge.value}
    for at, token in enumerate(chart.tokens):
        if token.word in searched and chart.at(at + 1, "ENTITY"):
            chart.add(Edge("FILLER", at, at + 1, token.text))


def _let_show(chart: Chart) -> None:
    """Let "put" and "add" say nothing of rows where they only place a text in the mail."""
    for at, token in enumerate(chart.tokens):
        if token.word in _SHOWING and chart.at(at, "ADDING"):
            chart.add(Edge("FILLER", at, at + 1, token.text))


def _leave_out(chart: Chart, texts: Iterable[str]) -> None:
    wanted = {" ".join(text.lower().split()) for text in texts}
    for start in range(len(chart.tokens) if wanted else 0):
        for end in range(start + 1, len(chart.tokens) + 1):
            if " ".join(chart.between(start, end).lower().split()) in wanted:
                chart.add(Edge("LEFTOUT", start, end))


def _cost(cover: list[Edge], known: Vocabulary) -> float:
    """Return what the cover costs, and more if the goal names another table."""
    cost = sum(_COSTS.get(edge.tag, UNKNOWN_COST) + 1 - edge.score for edge in cover)
    key = (known.sample.table, known.sample.tab)
    cost -= sum(BOUND_GAIN for edge in cover if _binds(edge))
    for edge in cover:
        if isinstance(edge.value, Source) and edge.value.tables:
            cost += -NAMED_TABLE_GAIN if key in edge.value.tables else WRONG_TABLE_COST
        elif isinstance(edge.value, Append) and key in edge.value.tables:
            cost += WRONG_TABLE_COST
    return cost


def _binds(edge: Edge) -> bool:
    """Say whether an edge speaks of a column or of the rows of this table."""
    column = getattr(edge.value, "column", None)
    return edge.tag == "ENTITY" or isinstance(edge.value, Columns) or isinstance(column, ColumnRef)


GRAMMAR_WORDS: frozenset[str] = frozenset(
    word
    for one in (
        *_rules(is_mailbox=True),
        *grammar_empties.EMPTIES,
        *grammar_sources.SKIPS,
        *grammar_shape.NEXT_ORDERS,
    )
    for element in one.elements
    for word in element.words
)
