"""Rules for where data comes from and goes to: tables, the mailbox, a log that rows go to."""

from typing import Any

from pilot.engine.planner.chart import Match, Rule, rule
from pilot.engine.planner.facts import Append, MailSearch, SkipKnown, Source
from pilot.engine.planner.text import set_of

_AT = """from|in|of|within|inside|out|using|use|read|reading|open|source|table|check|into|at|
    on|over|via|:|=|with|take|taken|the|a|an|my|our|this|that|data|stored|kept|called|
    named|to|through|look|looking|are|is|these|based|and|according|as|per|saved|recorded|entered|
    logged|listed|found|see|go|have|belonging|contained*"""
_KIND = "SHEETNOUN|called|named|in|of|from|the|xlsx|file|google|excel|csv|:|(|)|,|at|our|my*"

_STORED = set_of("stored saved recorded logged entered written kept added copied moved put")
_PASSIVE = set_of("be been get gets getting are is must should and then to")


def _named(match: Match) -> frozenset[tuple[str, str]]:
    """Return the tables that all the names together can mean."""
    return frozenset.intersection(*[frozenset(one) for one in match.values("t")])


def _source(match: Match) -> Source | None:
    """Return the table; two names of different tables are no single one."""
    tables = _named(match)
    if not tables or _is_role(match):
        return None
    return Source(tables, match.typed("t"))


def _is_role(match: Match) -> bool:
    """Say whether a word like "team" means people: nothing says that it is a table."""
    name = match.captures["t"][0]
    people = name.end - name.start == 1 and match.chart.at(name.start, "ROLEWORD")
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    marks = {
        "from",
        "in",
        "of",
        "on",
        "using",
        "sheet",
        "tab",
        "table",
        "file",
        "spreadsheet",
        "and",
    }
    return bool(people) and not words & marks


def _append(match: Match) -> Append | None:
    """Return the target; "tasks stored in Gantt" are only there."""
    tokens = match.chart.tokens
    before = tokens[match.start - 1].word if match.start else ""
    is_state = tokens[match.start].word in _STORED and before not in _PASSIVE
    return None if is_state else Append(_named(match), match.typed("t"))


def _appended(match: Match) -> Append | None:
    """Return the target of a verb that stands before in the same sentence."""
    at = match.start - 1
    while at >= 0 and match.chart.tokens[at].kind != "break":
        if match.chart.at(at, "ADDING"):
            return _append(match)
        at -= 1
    return None


def _terms(match: Match) -> tuple[str, ...]:
    return tuple(match.values("t"))


def _days(match: Match) -> MailSearch | None:
    length = match.value("d")
    return MailSearch(days=length.days, inbox="b" in match) if not length.ask else None


_LABEL = """content|contents|body|source|data|filter|filters|condition|conditions|criteria|output|
    text|format|what|who|where|when|goal|task|job|result|input|need|request|action|delivery|rows"""
_INTO = "to|into|onto|in|on|at|below"
_OBJECT = """it|them|these|those|this|the|each|all|a|an|as|new|rows|row|ROWNOUN|ENTITY|LISTNOUN|
    MAILNOUN|of|end|bottom|with|COLREF|,|and|one|for|every|that|result*"""

TABLES: list[Rule] = [
    rule("LABEL", f"{_LABEL} :|=|-|->"),
    rule(
        "SOURCE",
        f"{_AT} SHEETNOUN|called|named|:* t=SHEET {_KIND} t=SHEET? SHEETNOUN*",
        _source,
    ),
    # the leads sheet has many rows
    rule(
        "SOURCE",
        """the|my|our* t=SHEET SHEETNOUN* has|have|contains|holds|is|includes
        many|lots|hundreds|thousands|a|lot|of|long|big|huge|large|NUM|over|about|so|too|quite+
        ROWNOUN?""",
        _source,
    ),
    rule(
        "SOURCE",
        "from|in|of|the|our|my* w=NAME SHEETNOUN",
        lambda match: Source(frozenset(), match.typed("w")),
    ),
    rule(
        "SOURCE",
        "tab|sheet|table|file|worksheet|spreadsheet w=NAME",
        lambda match: Source(frozenset(), match.typed("w")),
    ),
    rule(
        "APPEND",
        f"""ADDING {_OBJECT} {_INTO} the|my|our|end|of|a* SHEETNOUN|called|named* t=SHEET
        SHEETNOUN*""",
        _append,
    ),
    rule(
        "APPEND",
        "to|into|onto the|my|our|end|of|a* SHEETNOUN|called|named* t=SHEET SHEETNOUN*",
        _appended,
    ),
]


_THERE = """already|there|present|in|it|the|that|this|tab|sheet|known|exists|exist|listed|
    logged|recorded|been|added|stored|contained|is|are|was|were|have|has|SHEET|
    SHEETNOUN|table|before|appear|appears|by|its|their|them|COLREF|yet"""
_ALREADY = "already|there|present|known|exists|exist|listed|logged|recorded|yet"
_ROWS = """ROWNOUN|ENTITY|MAILNOUN|the|ones|those|any|whose|which|that|is|are|was|were|have|
    been|has|it|their|its|of|with|an|a|from|k=COLREF|where|all|can|be|mails|messages|
    rows|,|duplicates|for*"""


def _skip(match: Match) -> SkipKnown:
    return SkipKnown(tuple(ref.name for ref in match.values("k")))


def _surely(match: Match) -> SkipKnown | None:
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    return _skip(match) if words & {"already", "there", "known", "present"} else None


SKIPS: list[Rule] = [
    rule(
        "SKIP",
        f"""but|and|,|please|then|so|only* DELETE|unless|except|not|if|only|avoid|without+
        {_ROWS} {_ALREADY}+ {_THERE}* k=COLREF?""",
        _skip,
    ),
    rule(
        "SKIP",
        f"but|and|,|please|then|so* DELETE|unless|except|avoid+ {_ROWS} {_THERE}+ k=COLREF?",
        _surely,
    ),
    rule(
        "SKIP",
        "only|just|add|but|and|,|ADDING* new ones|ROWNOUN|ENTITY|MAILNOUN|k=COLREF+ only?",
        _skip,
    ),
    rule(
        "SKIP",
        """no|without|avoid|avoiding|do|not|add|never|twice|duplicates|DUPLICATE|the|same|
        MAILNOUN|ENTITY|ROWNOUN|any+ duplicates|twice|DUPLICATE by|of|per|on|the* k=COLREF?""",
        _skip,
    ),
]

NO_MAIL: list[Rule] = [
    rule(
        "NOMAIL",
        """please|,|and|but|there|is|do|does* no|without|not|NEGATION a|any|send|SEND|give|out*
        notification|notifications|notify|inform|mail|email|MAILNOUN|anyone|anybody|
        anything|me|us about|it|is|are|needed|necessary|required|wanted|please|anyone|
        anybody|anything|of|to|a|this|me*""",
    ),
]


_MAILS: Any = """mails|emails|messages|mail|email|message|MAILNOUN|ENTITY|ROWNOUN|those|them|ones|
    all|any|every|new|the|received|complaint"""

MAILS: list[Rule] = [
    rule("TERM", "q=QUOTE", lambda match: match.value("q")),
    rule("TERM", "not|no? w=TERMWORD", lambda match: match.text),
    rule("NEXTTERM", "SEP+ t=TERM", lambda match: match.value("t")),
    rule("TERMS", "(|[? t=TERM t=NEXTTERM* )|]?", _terms),
    rule(
        "MAILSEARCH",
        """that|which|who|who's|ones|and|text|whose|subject|body|or|MAILNOUN|they|must|should|
        where|any|of|it* CONTAIN the|word|words|term|terms|any|one|of|either|following|
        keyword|keywords|:|like|phrase|phrases|these|least|at* t=TERMS in|anywhere|the|
        subject|or|text|body|their*""",
        lambda match: MailSearch(words=match.value("t")),
    ),
    rule(
        "MAILSEARCH",
        """any|one|of|the|these|following|search|for|with|at|least* words|word|keywords|
        keyword|terms|of :|are|the* t=TERMS""",
        lambda match: MailSearch(words=match.value("t")),
    ),
    rule(
        "MAILSEARCH",
        "in|from|of|my|the|our|your|search|through|read|check|look* inbox|mailbox :?",
        lambda _: MailSearch(inbox=True),
    ),
    rule(
        "MAILSEARCH",
        """received|arrived|sent|dated|from|of|in|within|during|over|for|the|that|which|are|
        came|were|have|been|arrive|and|,|come|i|got|written* PAST d=LENGTH of|in|from|my|
        the* b=inbox|mailbox?""",
        _days,
    ),
    rule(
        "MAILSEARCH",
        "the|my|read|of|only* PAST n=NUM mails|emails|messages",
        lambda match: MailSearch(count=int(match.value("n"))),
    ),
    rule(
        "MAILSEARCH",
        "that|which|are|only|the* unread|new mails|emails|messages|ones?",
        lambda _: MailSearch(unread=True),
    ),
    rule(
        "MAILSEARCH",
        "sent|from|by|coming+ a=ADDR",
        lambda match: MailSearch(sender=match.value("a")),
    ),
]
