"""Rules for conditions on columns: equal, one of, not, more than, between, empty, contains."""

from dataclasses import replace
from typing import Any

from pilot.engine.planner.chart import Match, Rule, rule
from pilot.engine.planner.facts import ColumnRef, Filter, FilterOp, Value
from pilot.engine.planner.text import OBJECTS, set_of


def _value_list(match: Match) -> tuple[tuple[str, ...], tuple[dict[str, str], ...]] | None:
    """Return the columns that have all the values, and the values as each column writes them."""
    found: list[dict[str, str]] = match.values("v")
    columns = [name for name in found[0] if all(name in one for one in found)]
    return (tuple(columns), tuple(found)) if columns else None


def _people_list(match: Match) -> tuple[tuple[str, ...], tuple[dict[str, str], ...]] | None:
    """Return the columns that hold all these people, and how each column writes them."""
    found: list[dict[str, str]] = match.values("p")
    columns = [name for name in found[0] if all(name in one for one in found)]
    return (tuple(columns), tuple(found)) if columns else None


def _equal(op: FilterOp) -> Any:
    """Build a filter of a column and sampled values; None if the column has no such values."""

    def build(match: Match) -> Filter | None:
        column: ColumnRef = match.value("c")
        columns, values = match.value("v")
        name = next((one for one in (column.name, *column.rivals) if one in columns), None)
        if name is None or _counts(match, "c"):
            return None
        chosen = tuple(dict.fromkeys(one[name] for one in values))
        return Filter(replace(column, name=name, rivals=()), op, chosen)

    return build


def _is_order(match: Match) -> bool:
    """Say whether a sentence begins with the word, as a verb: "Start the mail with ..."."""
    tokens = match.chart.tokens
    begins = match.start == 0 or tokens[match.start - 1].kind == "break"
    return begins and match.end < len(tokens) and tokens[match.end].word in OBJECTS


def _is_ending(match: Match) -> bool:
    """Say whether the value is "finishing", which is about to come and not "finished"."""
    last = match.chart.tokens[match.end - 1]
    return last.word.endswith("ing") and bool(match.chart.at(match.end - 1, "ENDING"))


def _counts(match: Match, name: str) -> bool:
    """Say whether "the number of" stands before the condition: it counts rows then."""
    before = range(match.start, match.captures[name][0].start)
    words = match.chart.tokens
    counts = [at for at in before if words[at].word in {"number", "count"}]
    return any(words[at + 1].number is None for at in counts)


def _bare(op: FilterOp) -> Any:
    """Build a filter of values alone, which tell the column."""

    def build(match: Match) -> Filter | None:
        columns, values = match.value("v")
        if _counts(match, "v") or _is_order(match) or _is_ending(match):
            return None
        chosen = tuple(dict.fromkeys(one[columns[0]] for one in values))
        doubt = match.text
        doubtful = match.end == match.start + 1 and (
            match.chart.at(match.start, "READ") or match.chart.at(match.start, "FILLER")
        )
        column = ColumnRef(columns[0], columns[1:], 0.95)
        return Filter(column, op, chosen, doubt=doubt if doubtful else "")

    return build


def _bare_only(op: FilterOp) -> Any:
    """Build a filter of values alone that a single column has."""
    build = _bare(op)

    def single(match: Match) -> Filter | None:
        columns, _ = match.value("v")
        found: Filter | None = build(match)
        return found if len(columns) == 1 else None

    return single


def _literal(op: FilterOp) -> Any:
    """Build a filter of a column and values that stand in quotes or are numbers."""

    def build(match: Match) -> Filter | None:
        values: tuple[Value, ...] = match.value("v")
        column: ColumnRef = match.value("c")
        if column.kind == "date" or _counts(match, "c"):
            return None  # "End date: 3 days ..." is no condition on the number 3
        return Filter(column, op, tuple(dict.fromkeys(values)), known=False)

    return build


def _named(match: Match) -> Filter | None:
    """Build a filter of a column and a name; a date such as November is none."""
    column: ColumnRef = match.value("c")
    if column.kind != "text":
        return None
    return Filter(column, "in", (match.typed("w"),), known=False)


def _placed(match: Match) -> Filter | None:
    """Build a filter of "the fourth stage", for a column of numbers."""
    column: ColumnRef = match.value("c")
    return (
        Filter(column, "in", (match.value("o"),), known=False) if column.kind == "number" else None
    )


def _ranges(match: Match) -> tuple[int, ...] | None:
    """Return the whole numbers of "1 to 3 or 5"."""
    found: list[int] = []
    for low, high in match.values("r"):
        found += range(low, high + 1)
    return tuple(dict.fromkeys(found)) if 0 < len(found) <= MAX_RANGE else None


def _range(match: Match) -> tuple[int, int] | None:
    low, high = match.value("n"), match.value("m", match.value("n"))
    return (low, high) if isinstance(low, int) and isinstance(high, int) and low <= high else None


def _compare(op: FilterOp) -> Any:
    """Build a comparison; days to a date are no number to compare a date with."""

    def build(match: Match) -> Filter | None:
        if match.value("c").kind == "date" and not all("-" in str(n) for n in match.values("n")):
            return None
        return Filter(match.value("c"), op, tuple(match.values("n")))

    return build


def _containing(match: Match) -> Filter | None:
    """Build "Notes contain ..."; a number is not contained in a number, but equal to it."""
    column: ColumnRef = match.value("c")
    op: FilterOp = "in" if column.kind == "number" else "contains"
    found: Filter | None = _literal(op)(match)
    return found


def _blank(op: FilterOp) -> Any:
    """Build "without an owner"; to miss a deadline is something else."""

    def build(match: Match) -> Filter | None:
        tokens = match.chart.tokens
        misses = next(
            (at for at in range(match.start, match.end) if tokens[at].stem == "miss"), None
        )
        if misses is not None:
            before = tokens[misses - 1].word if misses else ""
            if tokens[misses].word != "missing" or before in _MISSERS:
                return None
        return Filter(match.value("c"), op)

    return build


def _either(match: Match) -> Filter | None:
    """Join two conditions that name values of the same column."""
    left: Filter = match.value("f")
    right: Filter = match.value("g")
    if (left.op, left.column.name) != (right.op, right.column.name) or left.op != "in":
        return None
    return replace(left, values=tuple(dict.fromkeys((*left.values, *right.values))))


def _explained(match: Match) -> Filter | None:
    """Return the condition that says what "urgent" means, right behind it in brackets."""
    marks = {"(", "[", "namely", "meaning", "i"}
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    found: Filter = match.value("f")
    return found if words & marks else None


_MISSERS = set_of("keep keeps kept avoid of for by stop start are always often from we i they been")
MAX_RANGE = 50  # numbers listed one by one
_THOSE = "ROWNOUN|ENTITY|EACHROW|DET|READ|ROWREF*"
_UNLESS = "unless|except if|when|where|those|for*"
_WHICH = "that|which|who|whose|where|with|the|in|having|if|all|any*"

LISTS: list[Rule] = [
    rule("SEP", ",|or|and|/|pipe|&|+|and/or"),
    rule("SEP", ",|or|and or|and|either|also"),
    rule("SEP", ",? nor"),
    rule(
        "COLREF",
        "the|a|an|its|their|this|any? column|field? c=COL column|field|level|cell|columns?",
        lambda match: match.value("c"),
    ),
    rule(
        "NEXTVAL", "SEP+ the|a|an|either|as|with|for|marked? v=VAL", lambda match: match.value("v")
    ),
    rule("VALLIST", "either|both|the|a|an|one|as? of? (|[|{? v=VAL v=NEXTVAL* )|]|}?", _value_list),
    rule("NEXTPERSON", "SEP+ p=PERSONVAL", lambda match: match.value("p")),
    rule("PEOPLE", "p=PERSONVAL p=NEXTPERSON*", _people_list),
    rule("NEXTKNOWN", "SEP+ v=KNOWN", lambda match: match.value("v")),
    rule("KNOWNLIST", "either|both|(|[? v=KNOWN v=NEXTKNOWN* )|]?", _value_list),
    rule("LITERAL", "n=NUM", lambda match: match.value("n")),
    rule("LITERAL", "q=QUOTE", lambda match: match.value("q")),
    rule("NEXTLIT", "SEP+ v=LITERAL", lambda match: match.value("v")),
    rule(
        "LITLIST", "either|(|[? v=LITERAL v=NEXTLIT* )|]?", lambda match: tuple(match.values("v"))
    ),
    rule("RANGE", "n=NUM to|-|through|until|till m=NUM", _range),
    rule("RANGE", "n=NUM", _range),
    rule("NEXTRANGE", "SEP+ c=COLREF? r=RANGE", lambda match: match.value("r")),
    rule("RANGES", "r=RANGE r=NEXTRANGE*", _ranges),
    rule("MONEY", "$|usd|eur|euro|euros|dollars|dollar|\u20ac|\u00a3"),
    rule("AMOUNT", "MONEY? n=NUM MONEY|k? ", lambda match: match.value("n")),
]

FILTERS: list[Rule] = [
    # Priority is Critical or High; Critical or High priority; Critical or High
    rule("FILTER", "EQUAL* c=COLREF EQUAL* v=VALLIST", _equal("in")),
    rule("FILTER", "c=COLREF EQUAL* v=KNOWNLIST", _equal("in")),
    rule("FILTER", "v=VALLIST c=COLREF", _equal("in")),
    rule("FILTER", "v=VALLIST for|as|in|on|under|of|at the|their|its|a? c=COLREF", _equal("in")),
    rule("FILTER", "EQUAL* v=VALLIST", _bare("in")),
    # those that Kim Ortiz looks after
    rule(
        "FILTER",
        """that|which|whom|who|what* v=PEOPLE is|are|has|have|currently|will* look|looks|looking|
        handle|handles|handling|manage|manages|managing|own|owns|work|works|working|cares|care|
        responsible|charge|take|takes|in|deal|deals|dealing+ after|on|of|for|care|with*""",
        _bare("in"),
    ),
    # Stage = 4; a 4 in the Stage column; Salesperson is "Kim"
    rule("FILTER", "EQUAL* c=COLREF EQUAL* v=LITLIST", _literal("in")),
    rule(
        "FILTER",
        "a|the|value|number|of* v=LITLIST in|as|for|under|of|at|on the|their|its|a? c=COLREF",
        _literal("in"),
    ),
    rule(
        "FILTER",
        "c=COLREF EQUAL+ w=NAME+",
        _named,
    ),
    rule("FILTER", "EQUAL* the|their|its|a? o=ORDINAL c=COLREF", _placed),
    rule("FILTER", "c=COLREF EQUAL* the? o=ORDINAL one?", _placed),
    # not Done; Status is not Done; leave out those that are Done; drop what is not High
    rule("NEG", "NEGATION|!=|<>"),
    rule("FILTER", "c=COLREF EQUAL* NEG+ EQUAL* v=VALLIST", _equal("not_in")),
    rule("FILTER", "c=COLREF EQUAL* NEG+ EQUAL* v=KNOWNLIST", _equal("not_in")),
    rule("FILTER", "c=COLREF EQUAL* NEG+ EQUAL* v=LITLIST", _literal("not_in")),
    rule(
        "FILTER",
        "NEG+ already|yet|the|ones|those|that|are|is|any|a|of|with* v=VALLIST c=COLREF",
        _equal("not_in"),
    ),
    rule(
        "FILTER",
        """NEG+ already|yet|the|ones|those|that|are|is|any|a|of|with|from|in|by|under|marked|as*
        v=VALLIST ENTITY|ROWNOUN|yet|already?""",
        _bare("not_in"),
    ),
    rule("FILTER", "NEG+ those|from|of|by|for|the* v=KNOWNLIST", _bare_only("not_in")),
    rule("FILTER", "EQUAL* NEG+ EQUAL* c=COLREF EQUAL* v=LITLIST", _literal("not_in")),
    rule("FILTER", "EQUAL* NEG+ EQUAL* c=COLREF EQUAL* v=VALLIST", _equal("not_in")),
    rule(
        "FILTER",
        """unless|except if|when|where|those|for* they|it|its|the|their|already|ENTITY* EQUAL*
        v=VALLIST ENTITY|ROWNOUN?""",
        _bare("not_in"),
    ),
    # nothing from stages 1 to 3 or 5; leave out stage 5
    rule(
        "FILTER",
        """nothing|none|no|not|without|excluding|never+ ROWNOUN|ENTITY|from|in|at|of|with|any|the|
        on|those* c=COLREF EQUAL* v=RANGES ENTITY|ROWNOUN?""",
        _literal("not_in"),
    ),
    rule(
        "FILTER",
        f"DELETE {_THOSE} {_WHICH} from|at|of? c=COLREF EQUAL* v=RANGES ENTITY|ROWNOUN?",
        _literal("not_in"),
    ),
    rule(
        "FILTER",
        f"""DELETE the? all|everything|anything|any|every|others|ROWNOUN|ENTITY+ other|except|but|
        apart|besides+ than|for|from? {_WHICH} v=VALLIST c=COLREF?""",
        _bare("in"),
    ),
    # tasks whose priority is neither Critical nor High are dropped
    rule(
        "DELETED",
        """is|are|get|gets|be|being|should|shall|must|will|can|have|has|to+ dropped|removed|ignored|
        excluded|deleted|discarded|skipped|omitted|eliminated|filtered|left|thrown|sorted|taken
        out|away?""",
    ),
    rule(
        "FILTER",
        f"ROWNOUN|ENTITY|all|any|the+ {_WHICH} EQUAL* neither|not|NEG+ EQUAL* v=VALLIST DELETED",
        _bare("in"),
    ),
    rule(
        "FILTER",
        f"""ROWNOUN|ENTITY|all|any|the+ {_WHICH} c=COLREF EQUAL* neither|not|NEG+ EQUAL* v=VALLIST
        DELETED""",
        _equal("in"),
    ),
    rule(
        "FILTER",
        f"ROWNOUN|ENTITY|all|any|the+ {_WHICH} EQUAL* v=VALLIST c=COLREF? DELETED",
        _bare("not_in"),
    ),
    rule(
        "FILTER",
        f"ROWNOUN|ENTITY|all|any|the+ {_WHICH} c=COLREF EQUAL* v=VALLIST DELETED",
        _equal("not_in"),
    ),
    rule("FILTER", f"{_UNLESS} c=COLREF EQUAL* v=VALLIST", _equal("not_in")),
    rule("FILTER", f"{_UNLESS} c=COLREF EQUAL* v=LITLIST", _literal("not_in")),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} EQUAL* v=VALLIST ENTITY|ROWNOUN?", _bare("not_in")),
    rule(
        "FILTER",
        f"DELETE {_THOSE} {_WHICH} EQUAL* v=VALLIST c=COLREF ENTITY|ROWNOUN?",
        _equal("not_in"),
    ),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} c=COLREF EQUAL* v=VALLIST", _equal("not_in")),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} EQUAL* NEG+ EQUAL* v=VALLIST", _bare("in")),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} EQUAL* NEG+ EQUAL* v=VALLIST c=COLREF", _equal("in")),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} c=COLREF EQUAL* NEG+ EQUAL* v=VALLIST", _equal("in")),
    rule(
        "FILTER",
        f"nothing|none|no ROWNOUN|ENTITY? other|but|except than? {_WHICH} v=VALLIST",
        _bare("in"),
    ),
    # Value over 50; at least 3; between 2 and 5
    rule("FILTER", "c=COLREF EQUAL* MORE n=AMOUNT", _compare(">")),
    rule("FILTER", "c=COLREF EQUAL* LESS n=AMOUNT", _compare("<")),
    rule("FILTER", "c=COLREF EQUAL* ATLEAST n=AMOUNT", _compare(">=")),
    rule("FILTER", "c=COLREF EQUAL* ATMOST n=AMOUNT", _compare("<=")),
    rule(
        "FILTER", "c=COLREF EQUAL* n=AMOUNT or|and more|higher|above|over|later|up", _compare(">=")
    ),
    rule(
        "FILTER", "c=COLREF EQUAL* n=AMOUNT or|and less|lower|below|under|earlier", _compare("<=")
    ),
    rule("FILTER", "c=COLREF EQUAL* between n=AMOUNT and n=AMOUNT", _compare("between")),
    rule("FILTER", "c=COLREF EQUAL* from n=AMOUNT to n=AMOUNT", _compare("between")),
    rule("FILTER", "c=COLREF EQUAL* n=AMOUNT to|-|through|till n=AMOUNT", _compare("between")),
    rule("FILTER", "MORE c=COLREF n=AMOUNT", _compare(">")),
    rule("FILTER", "LESS c=COLREF n=AMOUNT", _compare("<")),
    rule("FILTER", "at least c=COLREF n=AMOUNT", _compare(">=")),
    rule("FILTER", "ATMOST c=COLREF n=AMOUNT", _compare("<=")),
    rule("FILTER", "MORE n=AMOUNT in|of|as|for the|a? c=COLREF", _compare(">")),
    rule("FILTER", "LESS n=AMOUNT in|of|as|for the|a? c=COLREF", _compare("<")),
    # End date before 2026-12-01
    rule("FILTER", "c=COLREF EQUAL* before|< n=DATE", _compare("before")),
    rule("FILTER", "c=COLREF EQUAL* after|> n=DATE", _compare("after")),
    rule("FILTER", "c=COLREF EQUAL* since|from|>= n=DATE", _compare("from")),
    rule("FILTER", "c=COLREF EQUAL* until|till|by|<= n=DATE", _compare("until")),
    # without an owner; owner is empty; skip rows without a name; that have an owner
    rule("FILTER", "without|missing|lacking|lack|lacks a|an|any|the? c=COLREF", _blank("empty")),
    rule("FILTER", "with|have|has|having no c=COLREF", _blank("empty")),
    rule("FILTER", "c=COLREF EQUAL* BLANK", _blank("empty")),
    rule("FILTER", "with|have|has|having|where|an|a|the* BLANK c=COLREF", _blank("empty")),
    rule("FILTER", "c=COLREF EQUAL* NEG+ BLANK", _blank("not_empty")),
    rule("FILTER", "have|has|having a|an c=COLREF", _blank("not_empty")),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} an|a? BLANK c=COLREF", _blank("not_empty")),
    rule("FILTER", f"DELETE {_THOSE} {_WHICH} c=COLREF EQUAL* BLANK", _blank("not_empty")),
    rule("FILTER", f"DELETE {_THOSE} without a|an|any? c=COLREF", _blank("not_empty")),
    # Priority is High or Priority is Critical; if the priority is High
    rule("FILTER", "f=FILTER or|,|/|and|or+ g=FILTER", _either),
    # the urgent tasks (priority High or Critical); important leads, i.e. stage 4
    rule("URGENT", "most? urgent|important|pressing|crucial|relevant|hot|key|top"),
    rule(
        "FILTER",
        "URGENT ENTITY|ROWNOUN (|[|namely|meaning|:|,* i? e? f=FILTER )|]?",
        _explained,
    ),
    rule(
        "FILTER",
        """but|and|only|so|as|long|,* if|provided|where|only|when+ they|it|the|that|
        their|ENTITY|ROWNOUN|have|has* f=FILTER""",
        lambda match: match.value("f"),
    ),
    rule(
        "FILTER",
        "whenever|wherever a|an|any|the|ENTITY|ROWNOUN|has|have|it|its* f=FILTER",
        lambda match: match.value("f"),
    ),
    rule(
        "FILTER",
        "c=COLREF CONTAIN the|word|words|text|either|one|of|any* v=LITLIST",
        _containing,
    ),
]
