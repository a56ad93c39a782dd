"""Rules for words that ask for nothing: greetings, courtesies, what a table is for."""

from pilot.engine.planner.chart import Match, Rule, rule

_TIMES = "morning|afternoon|evening|day"
_MEETINGS = """meeting|meetings|review|call|standup|discussion|sync|newsletter|report|reporting|
    planning|jour|round|conference|workshop|presentation"""


def _at_start(match: Match) -> str | None:
    """Return a greeting, where a sentence begins."""
    tokens = match.chart.tokens
    begins = match.start == 0 or tokens[match.start - 1].kind == "break"
    return match.text if begins else None


POLITE: list[Rule] = [
    # "no tasks but those with ..." are those; anyone in the sheet is a row of it
    rule(
        "FILLER",
        """no|nothing ENTITY|ROWNOUN? but|except|besides those|the|ones|what|rows|with|that|
        which|are*""",
    ),
    rule("ROWNOUN", "anyone|anybody|everyone|everybody|whoever in|on|from|of|who|that|is|with|at"),
    rule(
        "FILLER",
        f"""good? {_TIMES}|greetings|salutations|hiya|howdy team|all|everyone|folks|pilot|there?
        ,|!|BREAK""",
        _at_start,
    ),
    rule(
        "FILLER",
        """hi|hello|hey|dear|good? morning? team|all|everyone|everybody|folks|guys|colleagues
        ,|!|BREAK""",
        _at_start,
    ),
    rule(
        "FILLER",
        """sorry|apologies for|to|about? bother|bothering|trouble|disturb|disturbing? you? ,?
        but?""",
    ),
    rule("FILLER", "sorry|apologies|excuse me? ,"),
    rule(
        "FILLER",
        """if|when|whenever|once|as|soon+ you can|could|may|have|get|do|find|would* a|the|some|any*
        chance|time|minute|moment|second|mind|like|possible|spare+ ,?""",
    ),
    rule("FILLER", "at your earliest? convenience ,?"),
    rule("FILLER", "as discussed|agreed|mentioned|promised|requested|said|before|earlier+ ,?"),
    rule(
        "FILLER",
        """it is|would requested|asked|desired|hereby|be|nice|great|good|helpful|kind+ that|if?
        you?""",
    ),
    rule("FILLER", "i|we hereby|would|do* request|ask|beg|kindly+ that|you|for?"),
    rule("FILLER", "you|i|we are|am hereby? requested|asked|instructed to"),
    rule(
        "FILLER",
        f"""for the|our|my|tomorrow's|a|this|next|an* weekly|daily|monthly|next|team|status|
        monday|tuesday|
        wednesday|thursday|friday|morning|sales|project*
        {_MEETINGS} ,|:?""",
    ),
    rule("FILLER", "be|being careful|aware|certain that|to?"),
    rule("FILLER", "to|till|until the furthest|farthest|latest|last|remotest|newest one|ones?"),
    rule("FILLER", "making|make|ensuring|taking sure|care that|of?"),
    rule(
        "FILLER", "quick|small|one|my|a|another|the* request|question|favour|favor|one|ask|wish :|,"
    ),
]
