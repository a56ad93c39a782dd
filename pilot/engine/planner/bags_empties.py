"""Clauses that say "without rows", and unquoted texts for that case; in any order of words."""

from collections.abc import Iterator

from pilot.engine.planner.bags import Run, add_runs, tags_of
from pilot.engine.planner.chart import Chart, Edge
from pilot.engine.planner.text import set_of

MAX_TEXT = 12  # words
_TAGS = ("NONE", "ENTITY", "ROWNOUN", "LISTNOUN", "SHEETNOUN", "SHEET", "VAL", "FILTER", "SPAN",
         "ENDING", "TABLEWORD", "PERSON")  # fmt: skip
_OPENERS = set_of("if when whenever should in where for once given upon on without")
_NOTHING = set_of("no none nothing nobody noone zero 0 empty blank emptiness absence lack without")
_ANY = set_of(
    """
    any anything anybody anyone one single find found exist exists have has there match matches
    matching return returns returned yield yields contain contains result results a come comes
    """
)
_WORDS = (
    _OPENERS
    | _NOTHING
    | _ANY
    | set_of(
        """
        there is are was were be been being it we you i they he she the a an that this these those
        at of to from with by up out back not none meet meets meeting met appear appears appearing
        show shows shown showing turn turns came give gives get gets got collect collected collects
        end ends ended left over remain remains remaining available apply applies applying fit fits
        fitting qualify qualifies qualifying satisfy satisfies satisfying fulfil fulfils fulfill
        all such at only currently now today here then criteria criterion condition conditions
        filter filters filtering search searching query selection case event do does did had having
        could can will would happen happens ever somehow like so within next due pending report
        say display list send mail tell me us my our finished done finishing urgent critical
        important upcoming coming open actually really ones whose who which their its happening
        reading look looking stage step them anymore yet still moment time run period days day
        range requirements requirement this that fall falls falling fulfilled selected

leave leaves leaving produce produces produced deliver delivers bring brings retrieve retrieves
        selecting remain anywhere whatsoever concerned ready deadline deadlines
        """
    )
)
_NO_END = set_of("the a an of to with by and or if when such")

_TEXT_STARTS = set_of("no none nothing nobody zero")
_ALL_WELL = set_of("clear good quiet fine done well")
_TEXT_STOPS = set_of(
    """
    and but then if unless otherwise please or when instead thanks thx also sort cc bcc only
    except
    """
)
_TO_WHOM = set_of("me them all the everyone everybody us both him her each those these same")
_NO_TEXT = set_of(
    """
    mail mails email emails message messages notification notifications action actions need
    is should needs happens happen shall must will has be one else idea
    """
)


def add_conditions(chart: Chart) -> None:
    """Add the clauses such as "if you end up with nothing" and the texts such as No leads."""
    tags = tags_of(chart)
    allowed = (_TAGS, _WORDS)
    add_runs(chart, tags, "IFNONE", allowed, allowed, _nothing)
    for edge in _texts(chart):
        chart.add(edge)


def _nothing(run: Run) -> bool | None:
    """Return True for a clause that begins with a condition and denies that there are rows."""
    words = set(run.words)
    first, last = run.words[0], run.words[-1]
    if first not in _OPENERS or last in _NO_END or len(run.words) < 2:
        return None
    if first in {"in", "for", "on", "without", "where", "upon", "given"} and len(run.words) > 9:
        return None
    if first == "on" and not words & {"days", "day", "run"}:
        return None
    if _denies_column(run):
        return None
    none = bool(words & _NOTHING) or (first != "for" and run.has("NONE"))
    return True if none or ("not" in words and (words & _ANY or last == "not")) else None


def _denies_column(run: Run) -> bool:
    """Say whether a column follows "no": rows without a date are no missing rows."""
    for at in range(run.start, run.end - 1):
        if run.chart.tokens[at].word in {"no", "not", "any", "a", "an", "without", "empty", "the"}:
            ends = {edge.end for edge in run.chart.at(at + 1, "COL")}
            rows = {
                edge.end
                for tag in ("ENTITY", "FILTER", "VAL", "ROWNOUN", "LISTNOUN")
                for edge in run.chart.at(at + 1, tag)
            }
            if ends and not rows:
                return True
    return False


def _texts(chart: Chart) -> Iterator[Edge]:
    """Yield unquoted texts: from a word such as "no" to the end of the clause."""
    tokens = chart.tokens
    for start, token in enumerate(tokens):
        after = tokens[start + 1].word if start + 1 < len(tokens) else ""
        is_well = token.word in {"all", "everything"} and after in _ALL_WELL
        if not (token.word in _TEXT_STARTS or is_well) or after in _NO_TEXT:
            continue
        end = start
        while end < min(len(tokens), start + MAX_TEXT) and not _stops(chart, start, end):
            end += 1
        if end > start and not _goes_on(chart, end):
            yield Edge("FREETEXT", start, end, chart.between(start, end))


def _goes_on(chart: Chart, end: int) -> bool:
    """Say whether the sentence goes on with somebody else to tell: no tasks, and tell Bob."""
    joined = chart.tokens[end : end + 1] and chart.tokens[end].word in {",", "and", "but", ";"}
    for at in range(end, len(chart.tokens) if joined else 0):
        if chart.tokens[at].kind == "break":
            return False
        if chart.at(at, "SEND") or chart.at(at, "ADDR"):
            return True
    return False


def _stops(chart: Chart, start: int, at: int) -> bool:
    token = chart.tokens[at]
    if token.kind not in {"word", "number"} or (at > start and token.word in _TEXT_STOPS):
        return True
    after = chart.tokens[at + 1] if at + 1 < len(chart.tokens) else None
    to_whom = after is not None and (after.word in _TO_WHOM or after.kind == "address")
    return at > start and token.word in {"to", "by", "via"} and (to_whom or token.word != "to")
