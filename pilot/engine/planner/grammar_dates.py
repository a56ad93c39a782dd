"""Rules for days counted from today: the next three full days, overdue, from tomorrow on."""

from dataclasses import dataclass

from pilot.engine.planner.chart import Build, Match, Rule, rule
from pilot.engine.planner.facts import DateWord, Horizon, Sense, Span, Window
from pilot.engine.planner.text import OBJECTS

_DAYS = {"day": 1, "week": 7, "fortnight": 14}
WORKING_DAYS = "working days"
EXACTLY = "exactly"
WEEK_FROM_NOW = "week"
BEFORE_TOO = "before"
FAR = 36_500  # days; whatever ends later than any plan


@dataclass(frozen=True)
class _Length:
    """A number of days; `full` ones are after today."""

    days: int
    full: bool = False
    ask: str = ""


def _length(match: Match) -> _Length:
    count = match.value("n", 1)
    days = int(count) * int(match.value("u"))
    return _Length(days, "f" in match, WORKING_DAYS if "w" in match else "")


def _next(match: Match) -> Span:
    """The next N days: only "full" says that today does not count."""
    length: _Length = match.value("d")
    if length.full:
        return Span(1, length.days, length.days, today=True, ask=length.ask)
    return Span(0, length.days, length.days, today=None, ask=length.ask)


def _within(match: Match) -> Span:
    """Within N days: today counts, unless they are full ones."""
    length: _Length = match.value("d")
    return Span(int(length.full), length.days, length.days, today=True, ask=length.ask)


def _after_today(match: Match) -> Span:
    length: _Length = match.value("d")
    return Span(1, length.days, length.days, ask=length.ask)


def _after_tomorrow(match: Match) -> Span:
    length: _Length = match.value("d")
    return Span(1, 1 + length.days, ask=length.ask)


def _points(match: Match) -> Span | None:
    """Build a span of single days; None if they leave one out."""
    days = match.values("p")
    for later in match.values("q"):
        days.append(days[-1] + 1 if later == "following" else later)
    wanted = list(range(min(days), max(days) + 1))
    return Span(wanted[0], wanted[-1]) if sorted(set(days)) == wanted else None


def _listed(match: Match) -> Span | None:
    """Build a span of listed numbers of days: 1, 2 or 3 days from today."""
    days = sorted(map(int, match.values("n")))
    return Span(days[0], days[-1]) if days == list(range(days[0], days[-1] + 1)) else None


def _between(match: Match) -> Span | None:
    low, high = match.value("p"), match.value("q")
    return Span(low, high) if low <= high else None


def _half_open(match: Match) -> Span | None:
    """Return the days of "(today, today + 3]", which leaves out the first."""
    low, high = match.value("p") + 1, match.value("q")
    return Span(low, high) if low <= high else None


def _numbers(match: Match) -> Span | None:
    low, high = int(match.value("n")), int(match.value("m"))
    return Span(low, high) if 0 <= low <= high else None


def _past(match: Match) -> Span:
    length: _Length = match.value("d")
    return Span(-length.days, 0, ask=length.ask)


def _beyond(match: Match) -> Span | None:
    """In more than N days; "not more than" is another rule's."""
    before = match.chart.tokens[match.start - 1].word if match.start else ""
    length: _Length = match.value("d")
    return None if before in {"not", "no"} else Span(length.days + 1, FAR, ask=length.ask)


def _long_past(match: Match) -> Span | None:
    """More than N days ago; "not more than" is another rule's."""
    before = match.chart.tokens[match.start - 1].word if match.start else ""
    length: _Length = match.value("d")
    return None if before in {"not", "no"} else Span(-FAR, -length.days - 1, ask=length.ask)


def _at_least_past(match: Match) -> Span:
    length: _Length = match.value("d")
    return Span(-FAR, -length.days, ask=length.ask)


def _fewer(match: Match) -> Span:
    length: _Length = match.value("d")
    return Span(0, length.days - 1, ask=length.ask)


def _dated(match: Match) -> Window | None:
    """Return a window; a column that holds no dates ("tasks are due ...") has none."""
    column = match.value("c")
    if column is not None and column.kind not in {"date", "empty"}:
        return None
    if match.chart.tokens[match.start].word in {"starting", "beginning"} and _follows_span(match):
        return None  # "in the next three days, starting tomorrow" is one span
    return Window(match.value("s"), column, match.value("w"))


def _follows_span(match: Match) -> bool:
    at = match.start
    while at and match.chart.tokens[at - 1].word in {",", "(", "-"}:
        at -= 1
    return any(edge.end == at for edge in match.chart.tagged("SPAN"))


def _later(match: Match) -> Window:
    return Window(Span(1, FAR), None, match.value("w"))


def _overdue(match: Match) -> Window | None:
    column = match.value("c")
    return Window(Span(-FAR, -1), column) if column.kind in {"date", "empty"} else None


def _late(match: Match) -> Window | None:
    """Return what ended before today; "it is too late" is about something else."""
    before = match.chart.tokens[match.start - 1].word if match.start else ""
    return None if before == "too" else Window(Span(-FAR, -1), None, "end")


def _word(sense: Sense) -> Build:
    """Build a date word; "start the mail with ..." is none."""

    def build(match: Match) -> DateWord | None:
        tokens = match.chart.tokens
        begins = match.start == 0 or tokens[match.start - 1].kind == "break"
        is_verb = begins and match.end < len(tokens) and tokens[match.end].word in OBJECTS
        return None if is_verb else DateWord(sense)

    return build


_IN = """in|within|during|over|for|throughout|inside|at|on|falls|among|of|the|course|space|
    span|window|any*"""
_THE = "the|these|those|one|of|our|any|all*"
_AWAY = "from|away|ahead|left|to|out|of|hence|remaining|now|today|go|until*"
_BE = """is|are|be|being|been|was|will|would|falls|fall|fell|lies|lie|has|have|to|must|
    should|shall|may|can|comes|come|set|due|scheduled|planned|expected|supposed|going|
    dated|that|which|who|at|on|some|time|sometime|already|either|actually|somewhere|:|=|
    they|it|by|latest|the|their|its|there|itself|occurs|happens|reached|not|later|than"""
_GLUE = _BE.replace("|not|later|than", "") + "*"

SPANS: list[Rule] = [
    rule("UNIT", "day|days|d", 1),
    rule("UNIT", "week|weeks", 7),
    rule("UNIT", "fortnight|fortnights", 14),
    rule("LENGTH", "n=NUM f=FULL? w=WORKING? u=UNIT 's|time?", _length),
    rule(
        "LENGTH", "couple of f=FULL? w=WORKING? u=UNIT", lambda match: _Length(2 * match.value("u"))
    ),
    rule("LENGTH", "a|one u=UNIT", lambda match: _Length(int(match.value("u")))),
    rule("LENGTH", "n=NUM f=FULL u=UNIT", _length),
    # single days
    rule("POINT", "today|now|tonight", 0),
    rule("POINT", "tomorrow", 1),
    rule("POINT", "the? day after tomorrow", 2),
    rule("POINT", "d=LENGTH from|after|of now|today", lambda match: match.value("d").days),
    rule("POINT", "d=LENGTH away|ahead|out|hence|later", lambda match: match.value("d").days),
    rule("POINT", "in d=LENGTH", lambda match: match.value("d").days),
    rule("POINT", "the? n=NUM day|days after|from today|now", lambda match: int(match.value("n"))),
    rule("POINT", "+ d=LENGTH", lambda match: match.value("d").days),
    rule("POINT", "d|t|day|today|now|+ + n=NUM", lambda match: int(match.value("n"))),
    rule("POINT", "+ n=NUM", lambda match: int(match.value("n"))),
    rule("POINT", "the? o=ORDINAL day from|after|of|counting? today|now?", lambda m: m.value("o")),
    rule("POINT", "today|now + d=LENGTH", lambda match: match.value("d").days),
    rule("LATER", ",|and|or|,* the? day|one after that|it|this|tomorrow?", "following"),
    rule("LATER", ",|and|or|,* the? following|next day", "following"),
    rule("LATER", ",|and|or|/+ q=POINT", lambda match: match.value("q")),
    # spans
    rule("SPAN", "today", Span(0, 0)),
    rule("SPAN", "tomorrow", Span(1, 1)),
    rule("SPAN", "p=POINT q=LATER+", _points),
    rule("NEXTNUM", ",|or|and+ n=NUM", lambda match: match.value("n")),
    rule(
        "SPAN",
        "in|on|either? n=NUM n=NEXTNUM+ FULL? UNIT from|after|away|ahead|today|now|of+",
        _listed,
    ),
    rule(
        "SPAN",
        """from|between|starting|beginning? p=POINT to|until|till|through|and|-|up|thru|up*
        q=POINT ,|(? inclusive|included? )?""",
        _between,
    ),
    rule("SPAN", "in? ( p=POINT , q=POINT ]", _half_open),
    rule("SPAN", ">= p=POINT", lambda match: Span(match.value("p"), FAR)),
    rule("SPAN", "> p=POINT", lambda match: Span(match.value("p") + 1, FAR)),
    rule("SPAN", "<= p=POINT", lambda match: Span(-FAR, match.value("p"))),
    rule("SPAN", "< p=POINT", lambda match: Span(-FAR, match.value("p") - 1)),
    rule("SPAN", f"{_IN} n=NUM to|-|and|or|until|through+ m=NUM FULL? UNIT {_AWAY}", _numbers),
    rule("SPAN", f"between n=NUM and m=NUM UNIT {_AWAY}", _numbers),
    rule("SPAN", f"{_IN} {_THE} NEXT d=LENGTH", _next),
    rule("SPAN", "UPCOMING d=LENGTH", _next),
    rule("SPAN", f"{_IN} {_THE} UPCOMING d=LENGTH ahead?", _next),
    rule(
        "SPAN",
        "tomorrow or|and|,|plus|to* in|within|on|during? the? UPCOMING d=LENGTH",
        _after_tomorrow,
    ),
    rule("SPAN", f"{_IN} {_THE} d=LENGTH UPCOMING|ahead", _next),
    rule(
        "SPAN",
        f"{_IN} {_THE} n=NUM UPCOMING f=FULL? w=WORKING? u=UNIT",
        lambda match: _next(_with_length(match)),
    ),
    rule(
        "SPAN",
        f"""{_IN} {_THE} d=LENGTH that|which|immediately|directly|right* after|following|from|
        succeeding|past|follow|follows|come+ after? the? today|present|current|now day|one|date?""",
        _after_today,
    ),
    rule(
        "SPAN",
        f"""{_IN} {_THE} UPCOMING? d=LENGTH counting|starting|beginning|counted|reckoned|as|of|
        from|on|with|at+ tomorrow on|onwards|onward?""",
        _after_today,
    ),
    rule(
        "SPAN",
        """tomorrow or|and|,|plus|to|up|at|most|until|one|any|of* in|within|on|
        during? the? d=LENGTH after|
        following|thereafter|that|follow|it|afterwards|tomorrow|this|later+""",
        _after_tomorrow,
    ),
    rule(
        "SPAN",
        f"{_IN} {_THE} d=LENGTH to|that|which|are|is|still|yet+ come|coming|follow|following|ahead",
        _next,
    ),
    rule("SPAN", "within|inside|under d=LENGTH of|from|after? today|now?", _within),
    rule("SPAN", "within d=LENGTH", _within),
    rule("SPAN", f"not|no later|more|longer|further than d=LENGTH after? {_AWAY}", _within),
    rule("SPAN", f"in|after? more|later|further than d=LENGTH {_AWAY}", _beyond),
    rule("SPAN", f"at most|max|maximum? d=LENGTH {_AWAY}", _within),
    rule("SPAN", f"in? d=LENGTH or less|fewer|sooner|earlier {_AWAY}", _within),
    rule("SPAN", f"in? less|fewer|under than? d=LENGTH {_AWAY}", _fewer),
    rule(
        "SPAN",
        f"in d=LENGTH {_AWAY}",
        lambda match: Span(match.value("d").days, match.value("d").days, ask=EXACTLY),
    ),
    rule(
        "SPAN",
        "d=LENGTH from|after now|today",
        lambda match: Span(match.value("d").days, match.value("d").days, ask=EXACTLY),
    ),
    rule("SPAN", "by|before|until|till tomorrow", Span(0, 1, ask=BEFORE_TOO)),
    rule("SPAN", f"{_IN} {_THE} PAST d=LENGTH", _past),
    rule("SPAN", "more|longer|over|older|earlier than? d=LENGTH ago|old|back|before", _long_past),
    rule("SPAN", "older|earlier than d=LENGTH", _long_past),
    rule("SPAN", "at least d=LENGTH ago|old|back", _at_least_past),
    rule("SPAN", "less|fewer|not|no more? than d=LENGTH ago|old|back", _past),
    rule("SPAN", f"{_IN} {_THE} d=LENGTH past|back|before today?", _past),
    rule(
        "SPAN",
        "this|next|the|coming* week|month|weekend|quarter|year",
        Span(0, 7, ask=WEEK_FROM_NOW),
    ),
    rule(
        "SPAN",
        """by|before|until|on|this|next* monday|tuesday|wednesday|thursday|friday|saturday|
        sunday""",
        Span(0, 7, ask=WEEK_FROM_NOW),
    ),
    rule(
        "SPAN",
        "by|before|until|till|at? the? end of the|this|next? week|month|quarter|year",
        Span(0, 7, ask=WEEK_FROM_NOW),
    ),
]


def _with_length(match: Match) -> Match:
    """Return the match as if number and unit stood together ("three coming full days")."""
    edge = match.captures["u"][0]
    joined = type(edge)("LENGTH", match.start, match.end, _length(match))
    return Match(match.chart, match.start, match.end, {**match.captures, "d": [joined]})


WINDOWS: list[Rule] = [
    rule("DATEWORD", f"{_GLUE} ENDING", _word("end")),
    rule("DATEWORD", f"{_GLUE} STARTING", _word("start")),
    rule("DATEWORD", f"{_GLUE} CREATING", _word("created")),
    rule("ENDSENSE", "ENDING", "end"),
    rule("STARTSENSE", "STARTING", "start"),
    rule("CREATESENSE", "CREATING", "created"),
    rule("WINDOW", "s=SPAN", _dated),
    rule("WINDOW", f"{_GLUE} w=ENDSENSE {_GLUE} s=SPAN", _dated),
    rule("WINDOW", f"{_GLUE} w=STARTSENSE {_GLUE} s=SPAN", _dated),
    rule("WINDOW", f"{_GLUE} w=CREATESENSE {_GLUE} s=SPAN", _dated),
    rule(
        "WINDOW",
        f"with|have|has|having|where|whose? an|a|the|their|its? c=COLREF {_GLUE} s=SPAN",
        _dated,
    ),
    # drop everything that does not end in the next three days
    rule(
        "WINDOW",
        """DELETE ROWNOUN|ENTITY|EACHROW|the|all|of|those|any* that|which|whose|what?
        do|does|is|are|will|would* not|never w=WINDOW""",
        lambda match: match.value("w"),
    ),
    rule(
        "WINDOW",
        """ROWNOUN|ENTITY|all|any|the+ that|which|whose|with|the|an|a* do|does|is|are|will* not|
        never
        w=WINDOW DELETED""",
        lambda match: match.value("w"),
    ),
    rule(
        "WINDOW",
        """ROWNOUN|ENTITY|all|any|the+ that|which|whose|with|the|an|a* COLREF is|are|does|do|lies|
        falls* not|never lie|fall|be|falling|lying? w=WINDOW DELETED""",
        lambda match: match.value("w"),
    ),
    rule("WINDOW", "s=SPAN as|for|is|are|in the|a|an|their|its? c=COLREF", _dated),
    rule(
        "WINDOW",
        """but|and|only|so|as|long|,* if|provided|where|when|whenever|once+ they|it|the|that|
        these|those|a|an|ENTITY|ROWNOUN|any* w=WINDOW""",
        lambda match: match.value("w"),
    ),
    rule("WINDOW", f"{_GLUE} w=ENDSENSE {_GLUE} after today|now", _later),
    rule("WINDOW", f"{_GLUE} w=STARTSENSE {_GLUE} after today|now", _later),
    rule(
        "WINDOW",
        f"overdue|late|past|delayed {_GLUE} ENDING?",
        _late,
    ),
    rule(
        "WINDOW",
        f"c=COLREF {_GLUE} overdue|past",
        _overdue,
    ),
    # a three-day lookahead: the window again, in a title
    rule(
        "HORIZON",
        """a|an|the|our|my|this|UPCOMING* n=NUM FULL? UNIT advance|deadline|ENTITY|task|early|of|
        rolling* lookahead|look|preview|outlook|horizon|view|warning|notice|radar|overview|digest|
        report|list|table|heads|window|reminder|alert|plan|forecast|notification|watch|
        bulletin|briefing|snapshot ahead|up|mail|email|table|list|report?""",
        lambda match: Horizon(int(match.value("n"))),
    ),
]
