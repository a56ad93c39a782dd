"""Rules for what the result looks like: order, columns, no duplicates, at most, counts."""

from dataclasses import replace

from pilot.engine.planner.chart import Build, Match, Rule, rule
from pilot.engine.planner.facts import (
    ColumnCount,
    Columns,
    LeftOut,
    Limit,
    Measure,
    Order,
    Unique,
)


def _by_column(match: Match) -> Order:
    return Order(match.value("c"))


def _by_alone(match: Match) -> Order | None:
    """Return the order of "..., by end date, ...", where nothing else follows."""
    tokens = match.chart.tokens
    after = tokens[match.end] if match.end < len(tokens) else None
    ends = after is None or after.kind == "break" or after.word in {",", ";", ")", "-", "please"}
    before = tokens[match.start - 1] if match.start else None
    if before is not None and before.kind == "word" and before.word.endswith("ed"):
        return None  # surprised by deadlines
    return Order(match.value("c")) if ends else None


def _best(*, descending: bool) -> Build:
    """Build the order of "the leads with the highest value", for a column of numbers."""

    def build(match: Match) -> Order | None:
        column = match.value("c")
        fits = column.kind in {"number", "date"}
        return Order(column, None, descending, best=match.text) if fits else None

    return build


def _of_rows(match: Match) -> Limit | None:
    """Return the number of "the five critical tasks": conditions, then a word for rows."""
    chart = match.chart
    ends = {edge.end for tag in ("FILTER", "VAL") for edge in chart.at(match.end, tag)}
    rows = any(chart.at(end, "ENTITY") or chart.at(end, "ROWNOUN") for end in ends)
    return Limit(int(match.value("n"))) if rows else None


def _some(*, descending: bool) -> Build:
    """Build the order of "the two largest" with their number."""

    def build(match: Match) -> Order:
        return Order(None, None, descending, sized="d" not in match, limit=int(match.value("n")))

    return build


def _next_order(match: Match) -> Order | None:
    """Return a second column to sort by, right behind the first one."""
    at = match.start
    first = [edge for edge in match.chart.tagged("ORDER") if edge.end == at]
    named = any(edge.value.column is not None or edge.value.sense for edge in first)
    if not named:
        return None
    descending = True if "d" in match else False if "a" in match else None
    return Order(match.value("c"), None, descending, later=True)


def _columns(match: Match) -> Columns:
    return Columns(tuple(match.values("c")))


def _unique_column(match: Match) -> Unique | None:
    """Return a column whose values shall differ; "addresses" are those of the mail."""
    named = match.captures["c"][0]
    people = any(match.chart.at(at, "PERSON") for at in range(named.start, named.end))
    return None if people else Unique("column", match.value("c"))


def _measure(match: Match) -> Measure | None:
    """Return a measure; only numbers have a sum, so "I mean the tasks" is none."""
    column = match.value("c")
    if column is not None and column.kind not in {"number", "empty"}:
        return None
    return Measure(match.value("m", "count"), match.value("c"), match.value("b"))


def _left_out(match: Match) -> LeftOut:
    found: Columns = match.value("l")
    return LeftOut(found.names)


def _unparted(match: Match) -> Columns:
    return replace(_columns(match), certain=True)


def _certain(match: Match) -> Columns:
    found: Columns = match.value("l")
    return replace(found, certain=True)


def _alone(match: Match) -> Columns | None:
    """Return "client only", but not the column of "High priority only"."""
    behind_value = any(edge.end == match.start for edge in match.chart.tagged("VAL"))
    return None if behind_value else _certain(match)


def _counted(match: Match) -> Columns | None:
    """Return the columns, if there are as many as the goal says."""
    found: Columns = match.value("l")
    return replace(found, certain=True) if match.value("n") in {None, len(found.names)} else None


def _several(match: Match, least: int = 2) -> Columns | None:
    """Return the columns, if they are enough to be a list and not a condition."""
    found: Columns = match.value("l")
    return found if len(found.names) >= least else None


COLUMNS: list[Rule] = [
    # clients who are in stage 4: rows of a table with a column for clients
    rule(
        "ROWNOUN",
        """clients|customers|people|persons|contacts|companies|prospects who|which|that|in|at|on|
        with|whose|having|are""",
    ),
    rule(
        "COLITEM",
        "the|a|an|its|their|his|her|as|well|also|who|what* c=COLREF is?",
        lambda match: match.value("c"),
    ),
    rule("NEXTCOL", "SEP|NEWLINE|SEMI|an+ c=COLITEM", lambda match: match.value("c")),
    rule("COLLIST", "c=COLITEM c=NEXTCOL*", _columns),
    rule("LOOSELIST", "c=COLITEM c=COLITEM c=COLITEM c=COLITEM*", _columns),  # no commas
    rule(
        "COLWORD",
        "columns|column|fields|field|headers|header|headings|heading|attributes|properties",
    ),
    rule("COLINTRO", "LISTNOUN"),
    rule(
        "COLINTRO",
        """with|showing|show|shows|containing|contains|contain|including|include|consisting|
        comprising|comprises|comprise|featuring|
        holding|listing|list|select|selecting|of|display|displaying|has|have|having|using|
        use|only|just|keep|keeping|the|a|an|exactly|following|these|those|its|as|should|
        must|shall|needs|need|to|want|in|this|order|i|we|it|for|where|and|are|is|all|,*""",
    ),
    # with the columns A, B and C; these eight columns: A, B; columns (A, B); eight columns - A, B
    rule(
        "COLUMNS",
        """COLINTRO n=NUM? COLINTRO? COLWORD :|(|[|-|=|BREAK|are|is|should|be|must|shall|,|of|
        here|named|called|namely|in|this|order|following|the|shown|to|show|include|only|
        needed|wanted* n=NUM? l=COLLIST )|]?""",
        _counted,
    ),
    rule(
        "COLUMNS",
        """n=NUM? COLWORD :|(|[|-|=|BREAK|are|is|should|be|must|shall|,|of|in|this|order|
        namely|the|following|needed|wanted|to|show|LISTNOUN|for* l=COLLIST )|]?""",
        _counted,
    ),
    # a table with task, owner and end date; (client, phone); the client and phone of each
    rule(
        "COLUMNS",
        """with|showing|show|containing|contain|including|include|displaying|of|listing|select|
        comprising|comprises|comprise|comprised|composed|made|up|featuring|selecting|as|
        giving|naming|stating|has|have|having|only|just|their|:|-|holding|in|contains|shows|
        lists|includes|namely|-+ the|a|an|its|only|just|their|exactly|:|all* l=COLLIST""",
        _several,
    ),
    rule("COLUMNS", "(|[ the? l=COLLIST )|]", _several),
    rule(
        "COLUMNS",
        """with|giving|showing|listing|naming|stating|comprised|composed|consisting|made|up|of+
        the|their|its* l=COLLIST for|of each|every|all|any one|of|them|ROWNOUN|ENTITY*""",
        _several,
    ),
    # cols client company phone
    rule("COLUMNS", "COLWORD :|=|-* c=COLREF c=COLREF+", _unparted),
    rule(
        "COLUMNS",
        """the|its|their? l=COLLIST of|for|from each|every|all|those|these|them|the|its|any*
        ROWNOUN|ENTITY?""",
        _several,
    ),
    rule("COLUMNS", "LISTNOUN with|of|: l=LOOSELIST", _several),
    rule("COLUMNS", "COLWORD are|:? l=LOOSELIST", _several),
    rule("COLUMNS", "l=COLLIST only|alone", _alone),
    rule("COLUMNS", "only|just the? l=COLLIST", _certain),
    rule("DESCRIPTION", "there is|are|exists|exist the|a|an? COLWORD? COLLIST"),
    rule(
        "DESCRIPTION",
        """in|the|our|this|my|tab|it* SHEET|sheet|tab|file|spreadsheet|TABLEWORD|it+
        has|contains|holds|with the|a|following|these|among|other|others* COLWORD|: :?
        COLLIST""",
    ),
    rule(
        "DESCRIPTION",
        """in|the|our|this|my|tab|it* SHEET|sheet|tab|file|spreadsheet|TABLEWORD|it+
        has|contains|holds the|a|following|these|among|other|others* COLLIST""",
    ),
    rule("COLUMNS", "l=COLLIST", lambda match: _several(match, least=3)),
    rule("ALLCOLUMNS", "with? all|every the|its|their|of|available|existing* COLWORD"),
    # all columns except Notes and Created; without the columns Notes and Created
    rule("EXCEPT", "except|but|without|minus|excluding|save|bar|barring|excepting|besides"),
    rule("EXCEPT", "except|apart|aside for|from"),
    rule("EXCEPT", "other than"),
    rule("COLSLEFT", "ALLCOLUMNS ,|(? EXCEPT for? COLWORD? :? l=COLLIST )|]?", _left_out),
    rule("COLSLEFT", "every|each COLWORD EXCEPT for? l=COLLIST", _left_out),
    rule("COLSLEFT", "all|everything EXCEPT the? COLWORD :? l=COLLIST", _left_out),
    rule("COLSLEFT", "EXCEPT|DELETE|no|not the? COLWORD :? l=COLLIST", _left_out),
    rule("COLSLEFT", "EXCEPT|DELETE|no|not the? l=COLLIST COLWORD", _left_out),
    rule(
        "COLCOUNT",
        "of|with|in|exactly|having|the|has|have|all|its|,* n=NUM COLWORD wide?",
        lambda match: ColumnCount(int(match.value("n"))),
    ),
]


BY_DATE = "by date"  # clear where the goal counts days of one

ORDERS: list[Rule] = [
    rule("ORDER", "by c=COLREF", _by_alone),
    rule(
        "ORDER",
        "the? most overdue|late ENTITY|ROWNOUN? FIRSTPLACE",
        Order(None, "end", descending=False),
    ),
    rule("ORDER", "SORT+", Order()),
    rule(
        "ORDER",
        """SORT it|them|these|those|the|ROWNOUN|ENTITY|LISTNOUN|all|result* by|on|after|according|
        to+ that|this|same|latter|it+ date|day|dates|column|field|one?""",
        Order(),
    ),
    rule(
        "ORDER",
        "SORT the|all|of|these|those|remaining|resulting|LISTNOUN|ROWNOUN|ENTITY+ by the? c=COLREF",
        _by_column,
    ),
    rule(
        "ORDER",
        "table|list|overview|it|them|ordered by the? order? of? the? c=COLREF",
        _by_column,
    ),
    rule("ORDER", "table|list|overview|it|them in the? order of? the? c=COLREF", _by_column),
    # the three leads with the highest value
    rule("ORDER", "with|by|having|in|of the|their? LARGEST c=COLREF", _best(descending=True)),
    rule("ORDER", "with|by|having of? the|their? SOONEST|OLDEST c=COLREF", _best(descending=False)),
    rule("ORDER", "with|by|having of? the|their? NEWEST c=COLREF", _best(descending=True)),
    rule("ORDER", "with|by|having|in|of the|their? SMALLEST c=COLREF", _best(descending=False)),
    rule(
        "ORDER",
        """with|the|put|list|,* most urgent|important|critical ENTITY|ROWNOUN? is|are|should|
        be|come|comes|go|goes* FIRSTPLACE""",
        Order(unclear="most urgent first"),
    ),
    rule(
        "ORDER",
        """the? sooner|earlier|nearer|closer ROWNOUN|ENTITY|date|dates? before|ahead|over|above of?
        the? later|further|farther ROWNOUN|ENTITY|date|dates?""",
        Order(None, "end", descending=False),
    ),
    rule(
        "ORDER",
        """the? earlier|sooner|nearer|closer the? ENDING|COLREF is? ,? the? higher|further up|it|
        in|on|
        at|to|is|the|LISTNOUN|top|stands|goes|comes*""",
        Order(None, "end", descending=False),
    ),
    rule("ORDER", "by|according to? urgency|importance|time", Order(unclear="by what")),
    rule("ORDER", "by|according to? the|their? date|dates", Order(unclear=BY_DATE)),
]


# They need the orders that come in any order of words: sorted by owner, then end date descending.
NEXT_ORDERS: list[Rule] = [
    rule(
        "ORDER",
        """,|and|then|by|second|secondly|thereafter|afterwards|finally|within|that|followed|next|
        on|for|the+ c=COLREF (|,|in? a=ASCENDING? d=DESCENDING? )?""",
        _next_order,
    ),
    rule("ORDER", ",|and|/|+ c=COLREF (|,|in? a=ASCENDING? d=DESCENDING? )?", _next_order),
]

_WITHOUT = "without|no|not|NEGATION|DELETE|minus|free|avoid|sans|zero+"
UNIQUES: list[Rule] = [
    rule("UNIQUE", ",|( just|only? once ,|)|BREAK", Unique(None)),
    rule(
        "UNIQUE",
        f"{_WITHOUT} any|the|all* DUPLICATE+ of|by|in|for|on|the|per* c=COLREF",
        _unique_column,
    ),
    rule(
        "UNIQUE",
        """deduplicate|deduplicated|dedupe|deduped|unique|distinct it|them|the|LISTNOUN|
        ROWNOUN|ENTITY* by|on|per|in|for* the? c=COLREF""",
        _unique_column,
    ),
    rule(
        "UNIQUE",
        """each|every c=COLREF should|must|may|to|appear|appears|be|listed|is|shown|come|comes|
        only|just|exactly* once""",
        _unique_column,
    ),
    rule(
        "UNIQUE",
        "only|just|one one|row|ROWNOUN|ENTITY+ per|for each|every|same? c=COLREF",
        _unique_column,
    ),
    rule(
        "SEPARATE",
        """separately|individually|separate|individual|own|personal|one|by|in|a|their|an|
        MAILNOUN|for|to|EVERYONE|each|PERSON|every|of|them|with|SEND|the|it+
        separately|individually|separate|individual MAILNOUN|copy? for|to|each|EVERYONE|
        PERSON|of|them|per*""",
    ),
    rule(
        "SEPARATE",
        """separately|individually|separate|individual MAILNOUN|copy|s? for|to|each|EVERYONE|
        PERSON|of|them|per*""",
    ),
]

AMOUNTS: list[Rule] = [
    rule("LIMIT", "the|only|just|first|top+ n=NUM", _of_rows),
    # the two most valuable leads; the three newest ones
    rule("ORDER", "the|only|just* n=NUM LARGEST", _some(descending=True)),
    rule("ORDER", "the|only|just* n=NUM SMALLEST", _some(descending=False)),
    rule("ORDER", "the|only|just* n=NUM d=NEWEST", _some(descending=True)),
    rule("ORDER", "the|only|just* n=NUM d=OLDEST|SOONEST", _some(descending=False)),
    rule("MEASURE", "only|just|the|a* number|count of the|all|such|these*", Measure("count")),
    rule("MEASURE", "the number|count and|plus|,|with", Measure("count")),
    rule("MEASURE", "how many of? the|these|those?", Measure("count")),
    rule(
        "LIMIT",
        "the|only|just|show|list|first* top|first n=NUM ROWNOUN|ENTITY|ones?",
        lambda match: Limit(int(match.value("n"))),
    ),
    rule(
        "LIMIT",
        """limit|limited|restrict LISTNOUN|DET|it|them|to|the|first|at|most|ROWNOUN* n=NUM
        ROWNOUN|ENTITY?""",
        lambda match: Limit(int(match.value("n"))),
    ),
    rule(
        "LIMIT",
        "at|not|no|maximum|max|up|a|of most|more|to|maximum|max|of than? n=NUM ROWNOUN|ENTITY",
        lambda match: Limit(int(match.value("n"))),
    ),
    rule(
        "MEASURE",
        """count|counting|number|how|many|amount|the|a|tell|me|say|with|of|also|state|quantity|
        and|total|include+ how|of|number|count many? the|such|all|these|of|matching|there|
        are* ROWNOUN|ENTITY there|are|is|exist|we|have|found*""",
        Measure("count"),
    ),
    rule("MEASURE", "count the|all|these|those|how|many* ROWNOUN|ENTITY", Measure("count")),
    rule("OP", "total|sum|sum of|the sum of|overall|added", "sum"),
    rule("OP", "average|mean|avg", "avg"),
    rule("OP", "minimum|min", "min"),
    rule("OP", "maximum|max", "max"),
    rule(
        "MEASURE",
        "the|a* m=OP of|the|up* c=COLREF per|by|for|of|grouped+ each|every|by|the* b=COLREF",
        _measure,
    ),
    rule("MEASURE", "the|a* m=OP of|the* c=COLREF", _measure),
    rule(
        "MEASURE",
        """count|number|how the|of|many|all* ROWNOUN|ENTITY there|are|we|have|is|in*
        per|by|for|of each|every|the* b=COLREF""",
        _measure,
    ),
]
