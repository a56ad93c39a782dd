"""Rules for the subject, approval first, and what is understood but cannot be drafted."""

from pilot.engine.planner.chart import Match, Rule, rule
from pilot.engine.planner.facts import Approval, Subject, Unable
from pilot.engine.planner.grammar_empties import SAYING
from pilot.engine.planner.grammar_recipients import ME

_BEFORE = """first|before|beforehand|ahead|prior|advance|in|to|it|is|goes|out|the|this|that|you|
    sending|SEND|being|MAILNOUN|anything|anyone|LISTNOUN|they|any|are|gets|get|sent|
    mailing|leaves|off|i|me|will|be|has|been*"""
_FIRST = "first|before|beforehand|ahead|prior|advance"
_OBJECT = "it|this|that|the|MAILNOUN|LISTNOUN|them|everything|result|draft|of|a|ROWNOUN|content*"


def _subject(match: Match) -> Subject | None:
    text = match.value("t") if "t" in match else match.typed("w")
    return Subject(text) if text.strip() else None


def _approval(match: Match) -> Approval:
    who = match.value("w", ME)
    if who == ME:
        return Approval()
    return Approval(address=who) if "@" in who else Approval(person=who)


_PLAIN_STOP = {"and", "if", "to", "from", "with", "by", "sort", "then", "or", "when"}


def _plain_subject(match: Match) -> Subject | None:
    tokens = match.chart.tokens[match.captures["w"][0].start : match.end]
    if any(token.word in _PLAIN_STOP for token in tokens):
        return None
    return Subject(match.typed("w"))


WORDS: list[Rule] = [
    rule(
        "SUBJECT",
        """with|using|and|use|has|have|under|the|a|an|exact|its|give|it|exactly|mail|MAILNOUN|
        should|be|in|put|set|of|,* subject line|field|header|title? :|is|=|should|be|reads|
        read|saying|exactly|of|to|must|as|are|says|named|called|the|shall|being|text|line|
        has|equal|will* t=QUOTE""",
        _subject,
    ),
    rule(
        "SUBJECT",
        "title|titled|called|entitled|headed|name|named it|the|MAILNOUN|is|:|=|as* t=QUOTE",
        _subject,
    ),
    rule(
        "SUBJECT",
        "with|using|and|the|exact|a* subject line? :|=|is+ w=PLAIN+",
        _plain_subject,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|please|then|only* ask|asking|consult|consulting|check|checking|confirm|
        confirming with|by? w=WHO for|about|to|whether|if* CONSENT|APPROVE|{_FIRST}|it|is|
        ok|permission+ {_BEFORE}""",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|only|this|it|MAILNOUN|sending|that* after|upon|with|pending|needs|need|
        requires|require|subject|under|following|wait|waits|waiting|get|getting|once|having|
        obtain|have|given|want|ask|asking|seek|request to|for|you|on|have|got|a|an|the|from* w=WHO?
        CONSENT|approved by|from|of? w=WHO? {_BEFORE}""",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|only|wait* after|once|when|until|till|as|soon|if|provided|unless+ w=WHO
        has|have|is|had|did|do|give|gives|given|say|says|said* APPROVE|CONSENT|yes|fine|
        happy {_OBJECT} {_BEFORE}""",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|please|only* let|have|allow|make|give|show w=WHO a|the|chance|to|have|
        look|at* APPROVE {_OBJECT} {_FIRST} {_BEFORE}""",
        _approval,
    ),
    rule("APPROVAL", f"but|and|,|please* let|have w=WHO approve|confirm {_OBJECT}", _approval),
    rule(
        "APPROVAL",
        f"""but|and|,|that|as|because* w=WHO must|should|has|have|need|needs|want|wants|would|
        like|will|shall|to* APPROVE+ {_OBJECT} {_FIRST} {_BEFORE}""",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|that* w=WHO must|should|has|have|needs|need|wants|want|would|shall+
        like|to* approve|confirm|authorise|authorize|sign|release|ok off|it|this|MAILNOUN|
        LISTNOUN|the* {_BEFORE}""",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"but|and|,|please* show {_OBJECT} to? w=WHO {_OBJECT} {_FIRST} {_BEFORE}",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|please* do not SEND {_OBJECT} {SAYING} until|before|unless|without w=WHO
        has|have|is|my|had* APPROVE|CONSENT {_OBJECT}""",
        _approval,
    ),
    rule(
        "APPROVAL",
        f"""but|and|,|please|not|never|nothing|SEND|do|it|is|be|goes|out|leaves* without w=WHO
        CONSENT {_OBJECT}""",
        _approval,
    ),
    rule("APPROVAL", f"but|and|,|please* {_FIRST} w=WHO APPROVE {_OBJECT}", _approval),
    rule(
        "APPROVAL",
        """but|and|,|please* before sending|SEND|it|the|goes|out|MAILNOUN|LISTNOUN|is|anything|
        sent|you|,* ask|let|check|get|wait with|for? w=WHO CONSENT|APPROVE|to|it|this*""",
        _approval,
    ),
    rule(
        "APPROVAL",
        """before it|this|that|the|MAILNOUN|LISTNOUN|anything|you* is|gets|goes|be|being|SEND|sent|
        out|send|leaves|off|it* ,? w=WHO want|wants|would|like|need|needs|have|has|must|should|to|
        will|shall* APPROVE|CONSENT it|this|that|the|MAILNOUN*""",
        _approval,
    ),
    rule("APPROVAL", f"approval|confirmation :|=|by|of|from+ w=WHO {_BEFORE}", _approval),
]


_WHEN = "The workflow itself has no time table: you start it, or give the agent a schedule later."
_MODEL = "That needs a model; the planner only reads, filters, sorts, counts and sends."

_ONE_TABLE = "The planner sends one mail to all recipients, not different ones."

_EXTRA = "A mail has a text and a table; nothing is drawn or attached."

_AS_IT_IS = "The planner reads the table as it is; it does not know what will change."
_SOME_ROWS = "A condition holds for all rows of the table, not for some of them."

UNABLES: list[Rule] = [
    rule(
        "UNABLE",
        """could|might|may|can|will|would|about|almost|nearly|likely|soon|expected|going|
        close+ to|be|
        soon|shortly* reach|become|reaching|enter|get|move|hit|arrive|make|pass to|at|in|into|it*
        COLREF EQUAL* LITLIST|VALLIST""",
        Unable("what may be true later", _AS_IT_IS),
    ),
    rule(
        "UNABLE",
        "the|and|,* VALLIST ROWNOUN|ENTITY? only|just if|when|where|unless",
        Unable("a condition for some of the rows", _SOME_ROWS),
    ),
    rule(
        "UNABLE",
        """with|add|including|include|plus|attach|attaching|append|insert a|an|some|the|bar|pie|our*
        chart|charts|graph|graphs|diagram|diagrams|plot|image|picture|logo|attachment|attachments|
        pdf|signature""",
        Unable("a chart or an attachment", _EXTRA),
    ),
    rule(
        "UNABLE",
        "to|mail|email|send|inform|notify each|every|its|their of|the? COLREF|ROLEWORD",
        Unable("a mail for each of them", _ONE_TABLE),
    ),
    rule(
        "UNABLE",
        """on|at|in? every|each other|second|working|single? day|morning|evening|week|monday|
        tuesday|wednesday|thursday|friday|saturday|sunday|hour|month|weekday|night|
        afternoon|workday|minute|quarter|year at|on|NUM|morning|am|pm|:|o'clock*""",
        Unable("the schedule", _WHEN),
    ),
    rule(
        "UNABLE",
        "daily|weekly|hourly|monthly|nightly at|on|NUM|am|pm|:*",
        Unable("the schedule", _WHEN),
    ),
    rule("UNABLE", "at NUM : NUM am|pm?", Unable("the schedule", _WHEN)),
    rule("UNABLE", "at NUM am|pm|o'clock", Unable("the schedule", _WHEN)),
    rule(
        "UNABLE",
        """on mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays|weekdays|monday|
        tuesday|wednesday|thursday|friday""",
        Unable("the schedule", _WHEN),
    ),
    rule(
        "UNABLE",
        """summarize|summarise|translate|classify|rewrite|summarising|summarizing|sentiment|
        categorise|categorize|prioritize|prioritise|paraphrase|rate|guess|predict|estimate|
        explain|draft|compose""",
        Unable("writing or judging", _MODEL),
    ),
    rule(
        "UNABLE",
        """SEND|to|for|and? to? each|every COLREF|ENTITY|ROLEWORD only|just|gets|get|receives|
        should|with|about* their|his|her|the|own|only+ own|ones?""",
        Unable(
            "a mail for each of them",
            _ONE_TABLE,
        ),
    ),
]
