"""Rules for what happens without rows: a text, silence, another recipient."""

from pilot.engine.planner.chart import Match, Rule, rule
from pilot.engine.planner.facts import Empty
from pilot.engine.planner.grammar_recipients import people
from pilot.engine.planner.text import set_of

SAYING = "SAYWORD|SEND|MAILNOUN|FILLER|:|,|->|=>|-|=|LISTNOUN|READ|NOTWO*"
_TAIL = """is|are|be|was|were|been|found|match|matches|matched|matching|left|remain|remains|
    remaining|there|due|exist|exists|qualify|qualifies|fit|fits|apply|applies|at|all|to|
    report|show|returned|return|meet|meets|criteria|condition|conditions|come|comes|
    came|back|up|fall|falls|within|this|that|range|time|in|these|the|such|do|does|so|
    happen|happens|period|days|day|window|with|of|for|turns|turn|out|i|we|you|find|see|
    have|has|can|could|be|those|ENDING|SPAN|FILTER|COLREF|VAL|ENTITY|ROWNOUN|SHEETNOUN|
    WINDOW|here|now|currently|mail|tell|say|list|send|filter|it|filters|search|SHEET|
    any|meeting|satisfy|satisfies|at|stage|SEND|hits|appear|appears*"""
_IF = """if|when|whenever|should|in|case|where|event|the|that|for|with|on|upon|but|and|only|
    ,|of|provided|as|long|unless+"""


def _empty(match: Match) -> Empty | None:
    if match.value("t").lower() in {"nobody", "no one"} and "else" in match.text.lower():
        return None  # nobody else is no text
    return Empty(str(match.value("t")), people("to")(match) if "r" in match else None)


_CONDITIONS = set_of("if when whenever should case event where in with without upon on for")


def _conditional(match: Match) -> bool | None:
    """Return True where a word such as "if" says that it is a condition."""
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    return True if words & _CONDITIONS else None


def _present(match: Match) -> bool | None:
    """Return True for "if there are", unless "no" comes behind."""
    tokens = match.chart.tokens[match.end : match.end + 1]
    negated = any(token.word in _NEGATED or token.kind == "break" for token in tokens)
    return None if negated or not tokens or _names_others(match) else True


def _names_others(match: Match) -> bool:
    """Say whether values stand behind the comma: "if there are critical ones, mail the high"."""
    behind = False
    for at in range(match.end, len(match.chart.tokens)):
        token = match.chart.tokens[at]
        if token.kind == "break":
            return False
        behind = behind or token.word == ","
        if behind and match.chart.at(at, "VAL"):
            return True
    return False


_NEGATED = set_of("no not none nothing nobody zero 0 never less")


def _none_like(match: Match) -> Empty | None:
    text = str(match.value("t"))
    first = text.lower().split()[:1]
    nothing = first and first[0] in {"none", "nothing", "no", "zero", "empty", "not", "-"}
    return Empty(text) if nothing else None


CONDITIONS: list[Rule] = [
    rule(
        "NOTHING",
        """NONE|no such|more|one|single|of|them|these|those|the|at|all|ROWNOUN|ENTITY|
        SHEETNOUN|COLREF|VAL|matching|suitable|relevant|FILTER|LISTNOUN|PERSON|critical|
        high|single|new|open|qualifying|a*""",
    ),
    rule(
        "NOTHING",
        """not|no any|a|one|single|anything|ENTITY|ROWNOUN|such|LISTNOUN|matching|of|them|
        these|FILTER*""",
    ),
    rule(
        "IFNONE",
        f"""{_IF} there|it|we|you|i|he|she|they|the|that|search|result|filter|query|do|does|be|
        is|are|were|would|can|turns|turn|out|happens|happen|proves|LISTNOUN|should|ENTITY|
        ROWNOUN|SHEETNOUN|find|finds|have|returns|yields|gives|shows|has* NOTHING {_TAIL}""",
        _conditional,
    ),
    rule(
        "IFNONE",
        f"""{_IF} the|a|it|that|this|your|resulting|final|filtered|LISTNOUN|ROWNOUN|SHEETNOUN|
        search|filter|selection|query|result|of|comes|is|are|be|turns|out|to|remains|ends|
        up|stays|back|were|should|gives|ENTITY|an|back* empty|blank|nothing|none|emptiness
        result|list|table|LISTNOUN|results?""",
        _conditional,
    ),
    rule(
        "IFNONE",
        """in|with|given|and* the? absence|lack of any|such|the|all|matching|suitable*
        ROWNOUN|ENTITY|LISTNOUN+""",
    ),
    rule("IFNONE", "without|no any|a|such* ROWNOUN|ENTITY|hits|results|matches+ at|all|there*"),
    rule("IFNONE", "an? empty result|list|table|LISTNOUN|selection means|mean|is|:|=|->+ that?"),
    rule("IFNONE", f"NOTHING {_TAIL} means|mean that?"),
    rule("IFNONE", "or|and|but|so|,? otherwise|else|alternatively"),
    rule("IFNONE", "on|for|during quiet|empty|slow|calm|such days|day|runs|weeks|week"),
    rule("IFNONE", "nothing|none|nobody to PLAIN :|->|=>|=|,|-|BREAK+"),
    rule("IFNONE", "in|on any|all? other cases|case"),
    rule("IFNONE", "failing|lacking|absent any|such|that|this|those|these|all+ ENTITY|ROWNOUN* ,?"),
    rule(
        "IFNONE",
        """if|when|whenever|should we|you|i|it|everything|all|things|there is|are|looks|seems|be*
        all|clear|quiet|calm|good|fine|well+""",
    ),
    rule(
        "IFNONE",
        """for|on|with|,? 0|zero ROWNOUN|ENTITY|LISTNOUN|results|hits|matches found|left?
        :|->|=>|=|,?""",
    ),
    rule("IFNONE", "or else|if? not"),
    rule("IFNONE", "if|or not"),
    rule("IFNONE", "or|,? failing that"),
    rule("IFNONE", f"NOTHING {_TAIL} ?|:|->|=>|=|,|-|then|BREAK+"),
    rule(
        "IFNONE",
        """empty|blank|fallback|empty-case LISTNOUN|ROWNOUN|case|text|message|line|answer|
        state|of? :|->|=>|=|,|-|then|BREAK|is+""",
    ),
    rule(
        "NONETEXT",
        """t=NONE ROWNOUN|ENTITY|found|due|here|to|report|matching|this|time|at|all|expires|
        expire|ends|in|stage|FILTER|today|is|are|was|were|COLREF|ENDING|SPAN|now|such|
        critical|high|of|the|do|show|there|available|yet*""",
        lambda match: match.text,
    ),
    rule("NOTWO", "one|line|one-line|single"),
    rule(
        "SILENT",
        """do|does|then|please|you|just|simply|,|it|should|need|must|shall|MAILNOUN*
        not|never|NEGATION have|need|has|to|be|bother|please* SEND|sent|mailed|send|do|write
        anything|a|any|out|me|us|the|it|MAILNOUN|LISTNOUN|anyone|anybody|at|all|to|be|
        message|then|in|that|case*""",
    ),
    rule(
        "SILENT",
        """then|please|just|simply|,|you|can|there|is|will|be|:|->* nothing needs|need|to|be|
        is|sent|mailed|shall|should|must|happens|happen|do|has|required|needed|goes|out+""",
    ),
    rule("SILENT", "then|please|just|simply|,|you|can|will|:|->* SEND|do|send nothing at|all*"),
    rule(
        "SILENT",
        """then|please|just|simply|,|you|can|SEND|there|is|should|be|needs|:|->* no
        MAILNOUN|notification is|needed|necessary|required|at|all|sent|should|shall|be|must|
        has|to*""",
    ),
    rule(
        "SILENT",
        """then|please|just|simply|,|you|can|may* skip|omit|suppress|stay|be|remain|keep
        the|it|this|MAILNOUN|LISTNOUN|quiet|silent|SEND|sending|altogether|run+""",
    ),
]

_AFTER = """instead|then|only|to|as|in|SAYWORD|MAILNOUN|PERSON|FILLER|same|three|NUM|enough|do|the|
    trick|fine|will|would|suffice|perfect|ok|okay|address|addresses|works|stated|please|thing*"""

EMPTIES: list[Rule] = [
    rule(
        "EMPTY",
        f"""text|message|wording|answer|note|reply|content|fallback|the? IFNONE {SAYING} t=QUOTE
        {_AFTER}""",
        _empty,
    ),
    rule("EMPTY", f"IFNONE {SAYING} t=NONETEXT|FREETEXT {_AFTER}", _empty),
    rule("EMPTY", f"IFNONE {SAYING} r=WHOLIST {SAYING} t=QUOTE", _empty),
    rule("EMPTY", f"IFNONE {SAYING} SILENT", lambda _: Empty(None)),
    rule("EMPTY", f"SILENT ,? {SAYING} IFNONE", lambda _: Empty(None)),
    rule(
        "EMPTY",
        f"IFNONE {SAYING} s=SAYWORD|SEND me|us|it|them* so|that|this|about|know|it+",
        lambda _: Empty(""),
    ),
    rule("EMPTY", f"IFNONE {SAYING} let me|us|them know", lambda _: Empty("")),
    rule("EMPTY", f"or|and|else|,|with* {SAYING} t=QUOTE {SAYING} IFNONE", _empty),
    rule("EMPTY", f"or|and|else|,|with* {SAYING} t=NONETEXT {SAYING} IFNONE", _empty),
    rule("EMPTY", f"or|else+ {SAYING} t=NONETEXT", _empty),
    rule("EMPTY", f"or|else+ {SAYING} t=QUOTE", _none_like),
    rule(
        "GUARD",
        """if|when|whenever the|our|my* SHEET|SHEETNOUN|TABLEWORD+ has|have|contains|contain|
        shows|lists|holds any|some|the|at|least|one* ENTITY|ROWNOUN?""",
    ),
    rule("GUARD", "if|when|whenever there is|are|exist|exists", _present),
    rule("GUARD", "if|when|whenever any|some|the|there|are|is* ENTITY"),
    rule(
        "GUARD",
        f"""{_IF} there|it|we|you|i|do|does|is|are|be|find|have* any|some|something|anything|
        least|at|one ROWNOUN|ENTITY|such|matching|LISTNOUN|match|exist|found|of|them|left|
        hits*""",
    ),
]
