"""Whole clauses whose words have no order and no rule, where what they say is beyond doubt.

They cost more than every reading by rules, so they only explain what nothing else does: what to
send without rows, that nobody gets a mail twice, and words like "lol" that say nothing at all.
"""

from collections.abc import Iterator, Sequence

from pilot.engine.planner.chart import Chart, Edge
from pilot.engine.planner.facts import Empty, Recipients, Unique, Window
from pilot.engine.planner.text import Token, set_of

MAX_TOKENS = 28
_BOUNDS = set_of(", ; : ( ) -")
_JOINTS = set_of("and but or so please then")
_CONDITIONS = set_of("if when whenever should unless otherwise else")
_NOTHING = set_of(
    """
    no none nothing nobody noone nada zero empty without otherwise else not any absence absent
    lack lacking fails blank zilch 0
    """
)
_DEEDS = set_of(  # what such a clause must not also ask for
    """
    forward cc bcc copy delete remove archive slack sms call phone upload create append insert
    remove keep allow remind post assign escalate approve approval confirm schedule except also add
    save store
    """
)
_TWICE = set_of(
    """
    twice duplicate duplicates dupe dupes double doubles doubled second again repeat repeated
    repeats copies two duplicated doublets once
    """
)
_DENIED = set_of("no not nobody noone never nor without")
_ONE_TIME = set_of("once single one")
_EACH = set_of("only just each everyone everybody per exactly")
_PEOPLE = set_of(
    """
    nobody noone anybody anyone everybody everyone person persons people recipient recipients
    addressee addressees address addresses inbox inboxes mailbox receiver receivers colleague
    colleagues them they him her
    """
)
_OF_ROWS = set_of("row rows lead leads task tasks line lines record records entry entries item")
_SAYS_MORE = set_of(
    """
    are is was were be been being that which who whose and or nor not no never only from of by with
    in at for to about on under over since until after before between as than the a an my our their
    all any each every some most more less least without except
    """
)
_BETWEEN = set_of("and , ; & / plus")
_NO_RECIPIENT = set_of(
    "from by of not except without excluding never or sender approval is = cc bcc"
)
_WANTERS = set_of("i we")
_GREETED = set_of("can could please would will i we just so quick pls kindly need")
_MAX_ROLE = 8
_ROW_TAGS = frozenset({"ENTITY", "ROWNOUN", "COL", "VAL", "NUM", "SHEET", "ADDR", "EACHROW"})


def add_loose_clauses(chart: Chart) -> None:
    """Add the clauses; all other facts must be there."""
    known = {name for edge in chart.tagged("FILTER") for name in _column(edge)}
    known |= {edge.value.column.name for edge in chart.tagged("WINDOW")
              if isinstance(edge.value, Window) and edge.value.column}  # fmt: skip
    for start, end in _clauses(chart):
        words = {token.word for token in chart.tokens[start:end]}
        if words & _DEEDS or any(chart.at(at, "ADDR") for at in range(start, end)):
            continue
        _add_empty(chart, start, end, words, known)
        _add_unique(chart, start, end, words)
    for edge in [*_empty_words(chart), *_address_lists(chart), *_roles(chart)]:
        chart.add(edge)


def _clauses(chart: Chart) -> Iterator[tuple[int, int]]:
    """Yield start and end of every part of a sentence between two of its bounds."""
    tokens = chart.tokens
    starts = [at for at in range(len(tokens)) if _opens(tokens, at)]
    for start in starts:
        for end in range(start + 2, min(start + MAX_TOKENS, len(tokens)) + 1):
            if any(token.kind == "break" for token in tokens[start:end]):
                break
            if end == len(tokens) or _closes(tokens[end]):
                yield start, end


def _opens(tokens: Sequence[Token], at: int) -> bool:
    if tokens[at].kind == "break" or tokens[at].word in _BOUNDS:
        return False
    before = tokens[at - 1] if at else None
    return before is None or before.kind == "break" or before.word in _BOUNDS | _JOINTS


def _closes(token: Token) -> bool:
    return token.kind == "break" or token.word in _BOUNDS | _JOINTS


def _column(edge: Edge) -> list[str]:
    column = getattr(edge.value, "column", None)
    return [column.name] if column is not None else []


def _add_empty(chart: Chart, start: int, end: int, words: set[str], known: set[str]) -> None:
    """Take "if nobody is at stage 4, let them know with ..." for what is sent without rows."""
    quotes = [edge for at in range(start, end) for edge in chart.at(at, "QUOTE")]
    conditional = words & _CONDITIONS and words & _NOTHING
    if len(quotes) != 1 or not conditional:
        return
    spoken = {name for at in range(start, end) for edge in chart.at(at, "COLREF")
              for name in [edge.value.name] if edge.end <= end}  # fmt: skip
    if spoken <= known:
        chart.add(Edge("EMPTYCLAUSE", start, end, Empty(str(quotes[0].value))))


def _add_unique(chart: Chart, start: int, end: int, words: set[str]) -> None:
    """Take "the same person must not find it in the inbox more than once" for one mail each."""
    hard = ("QUOTE", "COLREF", "VAL", "SHEET", "FILTER", "WINDOW", "APPROVAL")
    if any(chart.at(at, tag) for at in range(start, end) for tag in hard):
        return
    denied = words & _TWICE and words & _DENIED
    single = words & _ONE_TIME and words & _EACH
    if (denied or single) and words & _PEOPLE and not words & _OF_ROWS:
        chart.add(Edge("UNIQUECLAUSE", start, end, Unique("recipients")))


def _address_lists(chart: Chart) -> Iterator[Edge]:
    """Yield rows of addresses, wherever they stand: in a goal that mails they are recipients."""
    tokens = chart.tokens
    at = 0
    while at < len(tokens):
        if tokens[at].kind != "address":
            at += 1
            continue
        end, found = at, list[str]()
        while end < len(tokens) and (
            tokens[end].kind == "address"
            or (tokens[end].word in _BETWEEN and found and _goes_on(tokens, end))
        ):
            found += [tokens[end].text] if tokens[end].kind == "address" else []
            end += 1
        before = {one.word for one in tokens[max(at - 3, 0) : at]}
        if not before & _NO_RECIPIENT:
            yield Edge("RECIPIENTCLAUSE", at, end, Recipients(tuple(dict.fromkeys(found))))
        at = end


def _goes_on(tokens: Sequence[Token], at: int) -> bool:
    return any(one.kind == "address" for one in tokens[at + 1 : at + 3])


def _empty_words(chart: Chart) -> Iterator[Edge]:
    """Yield single words at a bound of a sentence that no list knows: yo, lol, ta."""
    tokens = chart.tokens
    for at, token in enumerate(tokens):
        if token.kind != "word" or token.number is not None or token.word in _SAYS_MORE:
            continue
        first = at == 0 or tokens[at - 1].kind == "break"
        if token.capital and not first:
            continue
        last = at + 1 == len(tokens) or tokens[at + 1].kind == "break"
        labels = {one.word for one in tokens[max(at - 1, 0) : at + 2]} & {":", "="}
        alone = _is_bound(tokens, at - 1) and _is_bound(tokens, at + 1) and not labels
        hails = first and not last and tokens[at + 1].word in _GREETED
        tail = last and at > 0 and tokens[at - 1].kind == "quote"
        near = [chart.at(one, tag) for one in (at, at + 1) for tag in _ROW_TAGS]
        if (alone or tail or hails) and not any(near):
            yield Edge("WORDLESS", at, at + 1, token.text)


def _is_bound(tokens: Sequence[Token], at: int) -> bool:
    if at < 0 or at >= len(tokens):
        return True
    return tokens[at].kind == "break" or tokens[at].word in _BOUNDS


def _roles(chart: Chart) -> Iterator[Edge]:
    """Yield "as head of sales" before "I want": who asks says nothing of what is asked."""
    tokens = chart.tokens
    for at, token in enumerate(tokens):
        first = at == 0 or tokens[at - 1].kind == "break"
        if token.word != "as" or not first:
            continue
        for end in range(at + 2, min(at + _MAX_ROLE, len(tokens))):
            if tokens[end].kind != "word" and tokens[end].word != ",":
                break
            if tokens[end].word in _WANTERS:
                yield Edge("WORDLESS", at, end, True)
                break
