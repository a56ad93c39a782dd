"""Rules for what goes out: recipients, subject, approval, and what happens without rows."""

from typing import Any

from pilot.engine.planner.chart import Match, Rule, rule
from pilot.engine.planner.facts import Approval, Empty, Recipients, Role, Subject, Unable

ME = "me"


def _people(role: Role) -> Any:
    def build(match: Match) -> Recipients | None:
        items = match.value("r", ())
        count = match.value("n")
        addresses = tuple(item for item in items if "@" in item)
        people = tuple(item for item in items if "@" not in item and item != ME)
        number = int(count) if count is not None else None
        return Recipients(addresses, ME in items, people, number, role)

    return build


def _flat(match: Match) -> tuple[str, ...]:
    return tuple(match.values("i"))


def _text(name: str) -> Any:
    """Build from the words captured, as they were typed."""
    return lambda match: match.typed(name)


def _empty(match: Match) -> Empty:
    return Empty(str(match.value("t")), _people("to")(match) if "r" in match else None)


def _subject(match: Match) -> Subject | None:
    text = match.value("t") if "t" in match else _text("w")(match)
    return Subject(text) if text.strip() else None


def _approval(match: Match) -> Approval:
    who = match.value("w", ME)
    if who == ME:
        return Approval()
    return Approval(address=who) if "@" in who else Approval(person=who)


RECIPIENTS: list[Rule] = [
    rule("WHO", "me|i|myself|my", ME),
    rule("WHO", "my own? email|mail|inbox|mailbox|address|account|MAILNOUN address|inbox|account?", ME),
    rule("WHO", "a=ADDR", lambda match: match.value("a")),
    rule("WHO", "my|the|our|your? NAME|ROLEWORD* (|<|[ a=ADDR )|>|]", lambda match: match.value("a")),
    rule("WHO", "my|the|our|your? NAME|ROLEWORD+ ,|at|:? a=ADDR", lambda match: match.value("a")),
    rule("WHO", "a=ADDR ( NAME+ )", lambda match: match.value("a")),
    rule("WHO", "n=NAME+", _text("n")),
    rule("WHO", "my|the|our|your r=ROLEWORD+", _text("r")),
    rule("WHO", "r=ROLEWORD+", _text("r")),
    rule("NEXTWHO", "SEP|SEMI|BREAK|to|well|as+ i=WHO", lambda match: match.value("i")),
    rule("NEXTWHO", "a=ADDR", lambda match: match.value("a")),
    rule("WHOLIST", "both? i=WHO i=NEXTWHO*", _flat),
    rule("NEXTNAME", "SEP+ NAME+"),
    rule("WHOLIST", "NAME+ NEXTNAME* (|: r=WHOLIST )?", lambda match: _addresses(match)),
    rule("SENT", "SEND|send|off|out|over|it|LISTNOUN|MAILNOUN|DET|ENTITY|ROWNOUN|please|back|again"),
    rule("RECIPIENTS", "to|for|among|amongst|between|at|recipients|recipient|receivers|receiver|addressees|"
         "addressee|send|readers :|=|are|is|the|these|those|my|our|following|all|both|each|exactly|of|goes|go* n=NUM? PERSON|of|us|"
         "following|namely|given|different|BREAK|,|:|(|-|=|->* r=WHOLIST )|]?", _people("to")),
    rule("RECIPIENTS", "SEND it|out|this|also|a|LISTNOUN|MAILNOUN|the|these|those|following|all|to|exactly|our|my* "
         "n=NUM? PERSON|following|namely|,|:|(|-|of|us* r=WHOLIST )?", _people("to")),
    rule("RECIPIENTS", "r=WHOLIST should|must|shall|will|would|wants|want|needs|need|are|is|to|all|each|both|of|them|these|those|three|people|PERSON|NUM* get|gets|receive|"
         "receives|have", _people("to")),
    rule("RECIPIENTS", "r=WHOLIST wants|want|need|needs|expect|expects", lambda match: _addressed(match)),
    rule("RECIPIENTS", "the|these|those|our|my|following? n=NUM? PERSON :|(|-|,|namely|are* r=WHOLIST )|]?", _people("to")),
    rule("RECIPIENTS", "i|we would|want|need|like|to|be|wish|please|also|only* receive|get|told|informed|notified|mailed|"
         "emailed|sent|reminded|alerted|briefed|updated", lambda _: Recipients((), me=True, together=False)),
    rule("BARE", "r=WHOLIST", lambda match: _unspoken(match)),
    rule("RECIPIENTS", "to|for|SEND the|these|those|our|my|exactly|all|following|a|group|of* n=NUM PERSON|of|us|recipients+",
         _people("to")),
    rule("RECIPIENTS", "to|SEND the|these|those following PERSON+", _people("to")),
    rule("RECIPIENTS", "cc|cc:|copy|in|with|a|and|also|cc'd|put|a copy to|in|on|for|:|copy|cc|goes|is* r=WHOLIST in|on|as? cc|copy?",
         lambda match: _copied(match)),
    rule("RECIPIENTS", "with|in|and* bcc to|:|in|for* r=WHOLIST", _people("bcc")),
]  # fmt: skip


def _addressed(match: Match) -> Recipients | None:
    found: tuple[str, ...] = match.value("r")
    return _people("to")(match) if all("@" in one for one in found) else None


def _addresses(match: Match) -> tuple[str, ...] | None:
    """Return the addresses in brackets behind names: Ann and Bob (ann@.., bob@..)."""
    found: tuple[str, ...] = match.value("r")
    return found if all("@" in one for one in found) else None


_BEFORE_LIST = frozenset(
    ": ( ; , - -> => and people recipients persons addresses colleagues".split()
)


def _unspoken(match: Match) -> Recipients | None:
    """Return addresses that nothing introduces, where a list of recipients may stand."""
    found: tuple[str, ...] = match.value("r")
    before = match.chart.tokens[match.start - 1] if match.start else None
    free = before is None or before.kind == "break" or before.word in _BEFORE_LIST
    return _people("to")(match) if free and all("@" in one for one in found) else None


def _copied(match: Match) -> Recipients | None:
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    found: Recipients = _people("cc")(match)
    return found if words & {"cc", "copy", "cc'd"} else None


_SAYING = "SAYWORD|SEND|MAILNOUN|FILLER|:|,|->|=>|-|=|LISTNOUN|READ|NOTWO*"
_TAIL = "is|are|be|was|were|been|found|match|matches|matched|matching|left|remain|remains|remaining|there|due|exist|"\
    "exists|qualify|qualifies|fit|fits|apply|applies|at|all|to|report|show|returned|return|meet|meets|criteria|"\
    "condition|conditions|come|comes|came|back|up|fall|falls|within|this|that|range|time|in|these|the|such|"\
    "do|does|so|happen|happens|period|days|day|window|with|of|for|turns|turn|out|i|we|you|find|see|have|has|can|"\
    "could|be|those|ENDING|SPAN|FILTER|COLREF|VAL|ENTITY|ROWNOUN|SHEETNOUN|WINDOW|here|now|currently|mail|tell|"\
    "say|list|send|filter|it|filters|search|SHEET|any|meeting|satisfy|satisfies|at|stage|SEND|hits|appear|appears*"  # fmt: skip
_IF = "if|when|whenever|should|in|case|where|event|the|that|for|with|on|upon|but|and|only|,|of|provided|as|long|unless+"

EMPTIES: list[Rule] = [
    rule("NOTHING", f"NONE|no such|more|one|single|of|them|these|those|the|at|all|ROWNOUN|ENTITY|SHEETNOUN|"
         "COLREF|VAL|matching|suitable|relevant|FILTER|LISTNOUN|PERSON|critical|high|single|new|open|qualifying|a*"),
    rule("NOTHING", "not|no any|a|one|single|anything|ENTITY|ROWNOUN|such|LISTNOUN|matching|of|them|these|FILTER*"),
    rule("IFNONE", f"{_IF} there|it|we|you|i|they|the|that|search|result|filter|query|do|does|be|is|are|were|would|can|"
         f"LISTNOUN|should|ENTITY|ROWNOUN|SHEETNOUN|find|finds|have|returns|yields|gives|shows|has* NOTHING {_TAIL}"),
    rule("IFNONE", f"{_IF} the|a|it|that|this|your|resulting|final|filtered|LISTNOUN|ROWNOUN|SHEETNOUN|search|filter|selection|query|"
         "result|of|comes|is|are|be|turns|out|to|remains|ends|up|stays|back|were|should|gives|ENTITY|an|back* "
         "empty|blank|nothing|none|emptiness result|list|table|LISTNOUN|results?"),
    rule("IFNONE", "in|with|given|and* the? absence|lack of any|such|the|all|matching|suitable* ROWNOUN|ENTITY|LISTNOUN+"),
    rule("IFNONE", "or|and|but|so|,? otherwise|else|alternatively"),
    rule("IFNONE", "or else|if? not"),
    rule("IFNONE", "if|or not"),
    rule("IFNONE", "or|,? failing that"),
    rule("IFNONE", f"NOTHING {_TAIL} ?|:|->|=>|=|,|-|then|BREAK+"),
    rule("IFNONE", "empty|blank|fallback|empty-case LISTNOUN|ROWNOUN|case|text|message|line|answer|state|of? :|->|=>|=|,|-|then|BREAK|is+"),
    rule("NONETEXT", "t=NONE ROWNOUN|ENTITY|found|due|here|to|report|matching|this|time|at|all|expires|expire|ends|in|"
         "stage|FILTER|today|is|are|was|were|COLREF|ENDING|SPAN|now|such|critical|high|of|the|do|show|there|available|yet*",
         lambda match: match.text),
    rule("NOTWO", "one|line|one-line|single"),
    rule("SILENT", "do|does|then|please|you|just|simply|,|it|should|need|must|shall|MAILNOUN* not|never|NEGATION have|need|has|to|be|"
         "bother|please* SEND|sent|mailed|send|do|write anything|a|any|out|me|us|the|it|MAILNOUN|LISTNOUN|anyone|anybody|at|all|to|be|"
         "message|then|in|that|case*"),
    rule("SILENT", "then|please|just|simply|,|you|can|there|is|will|be|:|->* nothing needs|need|to|be|is|sent|mailed|shall|should|must|happens|happen|"
         "do|has|required|needed|goes|out+"),
    rule("SILENT", "then|please|just|simply|,|you|can|will|:|->* SEND|do|send nothing at|all*"),
    rule("SILENT", "then|please|just|simply|,|you|can|SEND|there|is|should|be|needs|:|->* no MAILNOUN|notification is|needed|necessary|required|at|all|"
         "sent|should|shall|be|must|has|to*"),
    rule("SILENT", "then|please|just|simply|,|you|can|may* skip|omit|suppress|stay|be|remain|keep the|it|this|MAILNOUN|LISTNOUN|quiet|silent|"
         "SEND|sending|altogether|run+"),
    rule("EMPTY", f"IFNONE {_SAYING} t=QUOTE instead|then|only|to|as|in|SAYWORD|MAILNOUN|PERSON|FILLER*", _empty),
    rule("EMPTY", f"IFNONE {_SAYING} t=NONETEXT instead|only?", _empty),
    rule("EMPTY", f"IFNONE {_SAYING} r=WHOLIST {_SAYING} t=QUOTE", _empty),
    rule("EMPTY", f"IFNONE {_SAYING} SILENT", lambda _: Empty(None)),
    rule("EMPTY", f"SILENT ,? {_SAYING} IFNONE", lambda _: Empty(None)),
    rule("EMPTY", f"IFNONE {_SAYING} s=SAYWORD|SEND me|us|it|them* so|that|this|about|know|it+", lambda _: Empty("")),
    rule("EMPTY", f"IFNONE {_SAYING} let me|us|them know", lambda _: Empty("")),
    rule("EMPTY", f"or|and|else|,|with* {_SAYING} t=QUOTE {_SAYING} IFNONE", _empty),
    rule("EMPTY", f"or|and|else|,|with* {_SAYING} t=NONETEXT {_SAYING} IFNONE", _empty),
    rule("EMPTY", f"or|else+ {_SAYING} t=NONETEXT", _empty),
    rule("EMPTY", f"or|else+ {_SAYING} t=QUOTE", lambda match: _none_like(match)),
    rule("GUARD", "if|when|whenever the|our|my* SHEET|SHEETNOUN|TABLEWORD+ has|have|contains|contain|shows|lists|holds any|some|the|at|least|one* ENTITY|ROWNOUN?"),
    rule("GUARD", "if|when|whenever any|some|the|there|are|is* ENTITY"),
    rule("GUARD", f"{_IF} there|it|we|you|i|do|does|is|are|be|find|have* any|some|something|anything|least|at|one ROWNOUN|ENTITY|such|"
         f"matching|LISTNOUN|match|exist|found|of|them|left|hits*"),
]  # fmt: skip


def _none_like(match: Match) -> Empty | None:
    text = str(match.value("t"))
    first = text.lower().split()[:1]
    nothing = first and first[0] in {"none", "nothing", "no", "zero", "empty", "not", "-"}
    return Empty(text) if nothing else None


_BEFORE = "first|before|beforehand|ahead|prior|advance|in|to|it|is|goes|out|the|this|that|you|sending|SEND|being|MAILNOUN|"\
    "anything|anyone|LISTNOUN|they|any|are|gets|get|sent|mailing|leaves|off|i|me|will|be|has|been*"  # fmt: skip
_FIRST = "first|before|beforehand|ahead|prior|advance"
_OBJECT = "it|this|that|the|MAILNOUN|LISTNOUN|them|everything|result|draft|of|a|ROWNOUN|content*"

WORDS: list[Rule] = [
    rule("SUBJECT", "with|using|and|use|has|have|under|the|a|an|exact|its|give|it|exactly|mail|MAILNOUN|should|be|in|put|set|of|,* "
         "subject line|field|header|title? :|is|=|should|be|reads|read|saying|exactly|of|to|must|as|are|says|named|called|the|shall|being|text|"
         "line|has|equal|will* t=QUOTE", _subject),
    rule("SUBJECT", "title|titled|called|entitled|headed|name|named it|the|MAILNOUN|is|:|=|as* t=QUOTE", _subject),
    rule("SUBJECT", "with|using|and|the|exact|a* subject line? :|=|is+ w=PLAIN+", lambda match: _plain_subject(match)),
    rule("APPROVAL", f"but|and|,|please|then|only* ask|asking|consult|consulting|check|checking|confirm|confirming with|by? w=WHO for|about|to|whether|if* "
         f"APPROVAL|APPROVE|{_FIRST}|it|is|ok|permission+ {_BEFORE}", _approval),
    rule("APPROVAL", "but|and|,|only|this|it|MAILNOUN|sending|that* after|upon|with|pending|needs|need|requires|require|subject|under|following|wait|waits|waiting|"
         "get|getting|once|having|obtain|have|given|want|request to|for|you|on|have|got|a|an|the|from* w=WHO? APPROVAL|approved by|from|of? w=WHO? "
         f"{_BEFORE}", _approval),
    rule("APPROVAL", "but|and|,|only|wait* after|once|when|until|till|as|soon|if|provided|unless+ w=WHO has|have|is|had|did|do|give|gives|given|say|says|said* APPROVE|APPROVAL|yes|fine|happy "
         f"{_OBJECT} {_BEFORE}", _approval),
    rule("APPROVAL", f"but|and|,|please|only* let|have|allow|make|give|show w=WHO a|the|chance|to|have|look|at* APPROVE {_OBJECT} {_FIRST} {_BEFORE}", _approval),
    rule("APPROVAL", f"but|and|,|please* let|have w=WHO approve|confirm {_OBJECT}", _approval),
    rule("APPROVAL", f"but|and|,|that|as|because* w=WHO must|should|has|have|need|needs|want|wants|would|like|will|shall|to* APPROVE+ {_OBJECT} {_FIRST} {_BEFORE}", _approval),
    rule("APPROVAL", f"but|and|,|that* w=WHO must|should|has|have|needs|need|wants|want|would|shall+ like|to* approve|confirm|authorise|authorize|sign|release|ok off|it|this|MAILNOUN|LISTNOUN|the* {_BEFORE}", _approval),
    rule("APPROVAL", f"but|and|,|please* show {_OBJECT} to? w=WHO {_OBJECT} {_FIRST} {_BEFORE}", _approval),
    rule("APPROVAL", f"but|and|,|please* do not SEND {_OBJECT} {_SAYING} until|before|unless|without w=WHO has|have|is|my|had* APPROVE|APPROVAL {_OBJECT}", _approval),
    rule("APPROVAL", f"but|and|,|please|not|never|nothing|SEND|do|it|is|be|goes|out|leaves* without w=WHO APPROVAL {_OBJECT}", _approval),
    rule("APPROVAL", f"but|and|,|please* {_FIRST} w=WHO APPROVE {_OBJECT}", _approval),
    rule("APPROVAL", f"but|and|,|please* before sending|SEND|it|the|goes|out|MAILNOUN|LISTNOUN|is|anything|sent|you|,* ask|let|check|get|wait with|for? w=WHO APPROVAL|APPROVE|to|it|this* ", _approval),
    rule("APPROVAL", f"approval|confirmation :|=|by|of|from+ w=WHO {_BEFORE}", _approval),
]  # fmt: skip

_PLAIN_STOP = {"and", "if", "to", "from", "with", "by", "sort", "then", "or", "when"}


def _plain_subject(match: Match) -> Subject | None:
    tokens = match.chart.tokens[match.captures["w"][0].start : match.end]
    if any(token.word in _PLAIN_STOP for token in tokens):
        return None
    return Subject(match.typed("w"))


_WHEN = "The workflow itself has no time table: you start it, or give the agent a schedule later."
_MODEL = "That needs a model; the planner only reads, filters, sorts, counts and sends."

UNABLES: list[Rule] = [
    rule("UNABLE", "on|at|in? every|each other|second|working|single? day|morning|evening|week|monday|tuesday|wednesday|thursday|"
         "friday|saturday|sunday|hour|month|weekday|night|afternoon|workday|minute|quarter|year at|on|NUM|morning|am|pm|:|o'clock*",
         Unable("the schedule", _WHEN)),
    rule("UNABLE", "daily|weekly|hourly|monthly|nightly at|on|NUM|am|pm|:*", Unable("the schedule", _WHEN)),
    rule("UNABLE", "at NUM : NUM am|pm?", Unable("the schedule", _WHEN)),
    rule("UNABLE", "at NUM am|pm|o'clock", Unable("the schedule", _WHEN)),
    rule("UNABLE", "on mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays|weekdays|monday|tuesday|wednesday|thursday|friday",
         Unable("the schedule", _WHEN)),
    rule("UNABLE", "summarize|summarise|translate|classify|rewrite|summarising|summarizing|sentiment|categorise|categorize|prioritize|"
         "prioritise|paraphrase|rate|guess|predict|estimate|explain|draft|compose", Unable("writing or judging", _MODEL)),
    rule("UNABLE", "SEND|to|for|and? to? each|every COLREF|ENTITY|ROLEWORD only|just|gets|get|receives|should|with|about* their|his|her|the|own|only+ own|ones?",
         Unable("a mail for each of them", "The planner sends one mail to all recipients, not different ones.")),
]  # fmt: skip
