"""Rules for what frames a request: labels, salutations, who would like to see it, sign-offs."""

from pilot.engine.planner.chart import Match, Rule, rule

_NAMED_PARTS = """who|what|how|where|which|when|why|whom|context|background|reason|purpose|
    objective|aim|style|layout|look|channel|delivery|via|medium|steps|step|procedure|process|
    workflow|details|
    data|datasource|table|sheet|tab|spreadsheet|file|origin|scope|selection|rules|rule|logic|tasks|
    task|leads|summary|description|role|report|report:|type|presentation|
    appearance|show|include|includes|keep|take|get|read|pull|fetch|do|action|actions|todo|notes|
    note|
    remark|request|requirement|requirements|spec|specs|specification|frequency|schedule|trigger|
    format|form|output|input|period|timeframe|window|days|dates|date|range|horizon|time|timing|
    important|recipients|distribution|mailing|mail|email|message|body|content|contents|sorting|
    ordering|fields|columns"""
_NUMBERED = """condition|filter|step|rule|criterion|part|point|item|requirement|task|action|stage|
    clause|section|phase|number|no"""


_GREETINGS = {"dear", "hello", "hi", "hey", "morning", "afternoon", "evening", "day"}
_PARTINGS = {
    "thanks", "thank", "regards", "cheers", "best", "sincerely", "yours", "greetings", "wishes",
    "thx", "bye", "ciao", "br", "kr", "faithfully",
}  # fmt: skip


def _line_start(match: Match) -> str | None:
    """Return a label, where a line, a sentence or a part of one begins."""
    tokens = match.chart.tokens
    before = tokens[match.start - 1] if match.start else None
    starts = before is None or before.kind == "break" or before.word in {",", ";", "(", "-", "|"}
    follows = starts or (before is not None and before.word in {"pipe", "->", "=>"})
    return match.text if follows else None


def _sentence_start(match: Match) -> str | None:
    tokens = match.chart.tokens
    return match.text if not match.start or tokens[match.start - 1].kind == "break" else None


def _opening(match: Match) -> str | None:
    """Return a salutation, where the goal begins; "Apollo: ..." is none."""
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    named = any(match.chart.at(at, "NAME") for at in range(match.start, match.end))
    greets = bool(words & _GREETINGS) or not named
    return match.text if match.start == 0 and greets else None


def _closing(match: Match) -> str | None:
    """Return a sign-off, where the goal ends."""
    tokens = match.chart.tokens
    rest = tokens[match.end :]
    begins = not match.start or tokens[match.start - 1].kind == "break"
    words = {token.word for token in tokens[match.start : match.end]}
    ends = all(token.kind == "break" for token in rest)
    return match.text if begins and ends and words & _PARTINGS else None


def _says_too(match: Match) -> bool:
    """Say whether the sentence says "too" or "as well": somebody else gets the mail."""
    for token in match.chart.tokens[match.start :]:
        if token.kind == "break":
            return False
        if token.word in {"too", "also", "well", "additionally"}:
            return True
    return False


_ENDS = {",", "with", "as", "in", "by", "via", ")", ";"}


def _with_receivers(match: Match) -> str | None:
    """Return "they should get it", where the goal has said who."""
    before = any(edge.end <= match.start for edge in match.chart.tagged("ADDR"))
    after = match.chart.tokens[match.end : match.end + 1]
    ends = all(token.kind == "break" or token.word in _ENDS for token in after)
    return match.text if before and ends and not _says_too(match) else None


def _before_address(match: Match) -> str | None:
    """Return "my boss wants", where those who get the mail come behind."""
    after = match.chart.tokens[match.end : match.end + 1]
    return match.text if after and after[0].kind == "address" else None


def _of_rest(match: Match) -> str | None:
    """Return "ignore the rest", which the other conditions say already."""
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    says = words & {"rest", "others", "other", "else", "remaining"}
    kept = {"not", "no"} & words and {"ignored", "skipped", "out", "dropped", "omitted"} & words
    return match.text if says and not kept else None


def _with_addresses(match: Match) -> str | None:
    """Return "our sales team would like to see", where the goal says who gets the mail."""
    tokens = match.chart.tokens[: match.start]
    first = all(token.kind != "break" or at < 3 for at, token in enumerate(tokens))
    addressed = any(True for _ in match.chart.tagged("ADDR"))
    return match.text if first and addressed and not _says_too(match) else None


FRAMES: list[Rule] = [
    rule("COLNEXT", ",|and|as|well|also|plus+ a|an|the|one? COLREF column|field?"),
    rule(
        "LABEL", f"the? {_NAMED_PARTS} needed|wanted|source|list|rows|text|format? :|=", _line_start
    ),
    rule("LABEL", f"{_NUMBERED} n=NUM :|=|-|,", _line_start),
    rule("LABEL", "which|what rows|tasks|leads|columns|fields|order|table|sheet :|=", _line_start),
    rule(
        "LABEL",
        "what|who|how else|about|is|it|in|for|gets|goes|the|mail|to|needed|wanted* :",
        _line_start,
    ),
    rule(
        "FILLER",
        """dear|hello|hi|hey|good? morning|afternoon|evening|day? my|the? sir|madam|assistant|
        system|bot|agent|robot|computer|ai|colleague|colleagues|support|friend|friends|team|all|
        everyone|there|NAME|or|and|planner|pilot|helper|service|desk|,|mr|mrs|ms|PERSONVAL+
        ,|!|BREAK|-|:""",
        _opening,
    ),
    rule(
        "FILLER",
        """thanks|thank|regards|cheers|best|sincerely|yours|greetings|wishes|thx|bye|ciao|br|kr|
        you|kind|warm|with|many|in|advance|again|and|so|much|a|lot|very|FILLER+ ,|BREAK|!|-* NAME
        NAME|(|FILLER|ROLEWORD|of|the|)|,|BREAK*""",
        _closing,
    ),
    # as soon as I start the workflow; every time I press start
    rule(
        "FILLER",
        """as|soon|when|whenever|once|after|each|every|time|if|the|moment+ i|we|you|it|this|the|
        that|
        workflow|agent|automation|flow|system+ start|starts|started|run|runs|press|hit|tap|push|
        activate|click|launch|
        trigger|execute|executes|is|kick+ start|run|go|it|this|the|workflow|button|agent|started|
        triggered|executed|automation|flow|off*""",
    ),
    rule(
        "FILLER",
        """the|our|my sales|project? ROLEWORD would|wants|want|needs|need|likes|wishes|wish|has|
        asked
        like|to|have|for|that*""",
        _before_address,
    ),
    # they should get the table; let them have it
    rule(
        "FILLER",
        """they|everyone|everybody|all|each|these|those of|them|three|people|persons|PERSON|
        recipients*
        should|must|will|shall|all|each|are|to|have* get|gets|receive|receives|see|sees|getting|
        receiving it|one|a|an|the|this|same|single|MAILNOUN|LISTNOUN*""",
        _with_receivers,
    ),
    # ignore the rest; other priorities do not matter
    rule(
        "FILLER",
        """,|and|but|please|then|just|you|can|may|should* DELETE the|all|any|every|of* rest|others|
        other|everything|anything|remaining else|ones|ENTITY|ROWNOUN|stages|priorities|tasks|leads|
        out|away|aside*""",
        _of_rest,
    ),
    rule(
        "FILLER",
        """,|and|but|the|all|any|every* rest|others|other|everything|anything|remaining else|ones|
        ENTITY|ROWNOUN|stages|priorities|tasks|leads|stage|priority* can|may|should|must|is|are|
        does|
        do|be|to|not|no|of* ignored|skipped|irrelevant|interest|matter|matters|out|dropped|needed|
        wanted|relevant|interesting|excluded|count|counts|omitted""",
        _of_rest,
    ),
    # as a project manager i want
    rule(
        "FILLER",
        "as a|an|the PLAIN PLAIN? PLAIN? ,? i|we want|need|would|wish|am|like|to+",
        _sentence_start,
    ),
    # our sales team would like to see which ...
    rule(
        "FILLER",
        """the|our|my|their|some? sales|project|whole|entire? ROLEWORD|NAME|people|colleagues|guys
        of|in|from|our|the|sales|project|ROLEWORD* would|wants|want|needs|need|likes|wishes|wish|
        has|have|asked|asks|keeps|expects|expect+ like|love|to|me|us|for|wants|asking|always|
        regularly|often* see|know|an|a|the|get|have|look|at|which|what|overview|be|aware|follow|
        track|of|LISTNOUN|about|informed|for+""",
        _with_addresses,
    ),
    # where the Stage column holds the number; there's a priority column and an end date column
    rule(
        "DESCRIPTION",
        """where|in|with|which|whose|and|,* the|a|an|its|their? c=COLREF column|field? holds|has|
        contains|shows|gives|says|indicates|tells|tracks|is|stores|carries|marks|lists|being|
        holding|keeps|records+ the|a|its|as|this|that|their? number|value|date|state|status|info|
        information|stage|level|priority|one|ones|that""",
    ),
    rule(
        "DESCRIPTION",
        """in|on|of|the|our|SHEET|SHEETNOUN|project|plan|,* there is|are|exists|exist
        a|an|the|also|two|some* COLREF COLNEXT*""",
    ),
    rule(
        "DESCRIPTION",
        """in|on|of|the|our|SHEET|SHEETNOUN|project|plan|,* there is|are|exists|exist
        a|an|the* column|field called|named|titled|:|labelled|labeled* COLREF""",
    ),
    # look at the priority column
    rule(
        "DESCRIPTION",
        """then|and|first|,|please|you|should* look|check|go|inspect|consult|see|consider|use|read
        at|by|to|in|into|on|through* the COLREF column|field|value|values|of|each|every|ROWNOUN|
        ENTITY*""",
    ),
]
