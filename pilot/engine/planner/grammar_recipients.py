"""Rules for who gets the mail: me, addresses, names, copies."""

from dataclasses import replace

from pilot.engine.planner.chart import Build, Match, Rule, rule
from pilot.engine.planner.facts import Recipients, Role
from pilot.engine.planner.text import set_of

ME = "me"


def people(role: Role) -> Build:
    """Return what makes recipients of the people captured as `r`, and of a number `n`."""

    def build(match: Match) -> Recipients | None:
        items = match.value("r", ())
        count = match.value("n")
        addresses = tuple(item for item in items if "@" in item)
        names = tuple(item for item in items if "@" not in item and item != ME)
        words = [token.word for token in match.chart.tokens[match.start : match.end]]
        if names and {"each", "every"} & set(words):
            return None  # each salesperson is not one person called so
        number = int(count) if count is not None else None
        before = items[: items.index(ME)] if ME in items else ()
        after = sum("@" in item for item in before)
        return Recipients(addresses, ME in items, names, number, role, after=after)

    return build


def _flat(match: Match) -> tuple[str, ...]:
    return tuple(match.values("i"))


def _text(name: str) -> Build:
    """Build from the words captured, as they were typed."""
    return lambda match: match.typed(name)


def _role(match: Match) -> str | None:
    """Return who a word like "client" is; the name of a column is one only after "to"."""
    before = match.chart.tokens[match.start - 1].word if match.start else ""
    is_column = bool(match.chart.at(match.start, "COL")) and before != "to"
    return None if is_column else match.typed("r")


def _addressed(match: Match) -> Recipients | None:
    found: tuple[str, ...] = match.value("r")
    return people("to")(match) if all("@" in one for one in found) else None


def _addresses(match: Match) -> tuple[str, ...] | None:
    """Return the addresses in brackets behind names: Ann and Bob (ann@.., bob@..)."""
    found: tuple[str, ...] = match.value("r")
    return found if all("@" in one for one in found) else None


def _next_who(match: Match) -> str | None:
    """Return one more; "ann@example.com or bob@example.com" leaves open who."""
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    who: str = match.value("i")
    return None if "or" in words and "@" in who else who


def _receiving(match: Match) -> Recipients | None:
    """Return who is to get it; "I want it mailed" alone says less than an address does."""
    found = people("to")(match)
    alone = match.value("r") == (ME,) and match.chart.tokens[match.start].word == "i"
    return replace(found, together=False) if alone and isinstance(found, Recipients) else found


_BEFORE_LIST = set_of(": ( ; , - -> => and people recipients persons addresses colleagues")


def _unspoken(match: Match) -> Recipients | None:
    """Return addresses that nothing introduces, where a list of recipients may stand."""
    found: tuple[str, ...] = match.value("r")
    before = match.chart.tokens[match.start - 1] if match.start else None
    free = before is None or before.kind == "break" or before.word in _BEFORE_LIST
    return people("to")(match) if free and all("@" in one for one in found) else None


def _copied(match: Match) -> Recipients | None:
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    found: Recipients = people("cc")(match)
    return found if words & {"cc", "copy", "cc'd"} else None


def _of_list(match: Match) -> str | None:
    """Return "the following persons should get", where addresses stand in the goal."""
    return match.text if any(True for _ in match.chart.tagged("ADDR")) else None


def _of_others(match: Match) -> str | None:
    """Return "nobody else should get it", which says nothing new."""
    words = {token.word for token in match.chart.tokens[match.start : match.end]}
    return match.text if words & {"get", "gets", "receive", "receives", "see", "sees"} else None


INBOX: list[Rule] = [
    rule(
        "RECIPIENTS",
        """land|lands|arrive|arrives|appear|appears|come|comes|drop|dropped|delivered|sent|have|
        want|
        LISTNOUN|MAILNOUN|it|them|this|end|ends|up|straight|directly|right* in|into|to my
        inbox|mailbox|instead+""",
        lambda _: Recipients((), me=True),
    ),
]

RECIPIENTS: list[Rule] = [
    rule("WHO", "me|i|myself|my", ME),
    rule(
        "WHO",
        "my own? email|mail|inbox|mailbox|address|account|MAILNOUN address|inbox|account?",
        ME,
    ),
    rule("WHO", "a=ADDR", lambda match: match.value("a")),
    rule(
        "WHO", "my|the|our|your? NAME|ROLEWORD* (|<|[ a=ADDR )|>|]", lambda match: match.value("a")
    ),
    rule("WHO", "my|the|our|your? NAME|ROLEWORD+ ,|at|:? a=ADDR", lambda match: match.value("a")),
    rule("WHO", "a=ADDR ( NAME+ )", lambda match: match.value("a")),
    rule("WHO", "n=NAME+", _text("n")),
    rule("WHO", "my|the|our|your r=ROLEWORD+", _text("r")),
    rule("WHO", "r=ROLEWORD+", _role),
    rule("NEXTWHO", "SEP|SEMI|to|well|as+ i=WHO", _next_who),
    rule("NEXTWHO", ",|and|/|&|+|pipe|SEMI|BREAK+ a=ADDR", lambda match: match.value("a")),
    rule("NEXTWHO", "an|plus|to+ a=ADDR", lambda match: match.value("a")),
    rule("NEXTWHO", "a=ADDR", lambda match: match.value("a")),
    rule("WHOLIST", "both? i=WHO i=NEXTWHO*", _flat),
    rule("NEXTNAME", "SEP+ NAME+"),
    rule(
        "WHOLIST",
        """the|my|our? NUM? NAME|ROLEWORD|PERSON|reps|rep|sellers|agents+ NEXTNAME*
        (|: r=WHOLIST )?""",
        _addresses,
    ),
    rule(
        "SENT", "SEND|send|off|out|over|it|LISTNOUN|MAILNOUN|DET|ENTITY|ROWNOUN|please|back|again"
    ),
    rule(
        "RECIPIENTS",
        """to|for|>|among|amongst|between|at|recipients|recipient|receivers|receiver|addressees|
        addressee|send|readers :|=|are|is|the|these|those|my|our|following|all|both|each|
        exactly|of|goes|go* n=NUM? PERSON|of|us|following|namely|given|different|BREAK|,|:|
        (|-|=|->|>* r=WHOLIST )|]?""",
        people("to"),
    ),
    rule(
        "RECIPIENTS",
        """SEND it|out|this|over|across|along|straight|directly|also|a|LISTNOUN|MAILNOUN|the|these|
        those|following|all|to|exactly|our|my* n=NUM? PERSON|following|namely|,|:|(|-|of|us*
        r=WHOLIST )?""",
        people("to"),
    ),
    rule(
        "RECIPIENTS",
        """r=WHOLIST should|must|shall|will|would|could|can|may|might|wants|want|needs|need|are|is|
        to|all|each|both|of|them|these|those|three|people|PERSON|NUM|be* get|gets|got|receive|
        receives|received|have|mailed|emailed|sent|told|informed|notified|given|shown""",
        _receiving,
    ),
    rule(
        "RECIPIENTS",
        """r=WHOLIST would|should|all|both|each|will* wants|want|need|needs|expect|expects|
        like|likes|love""",
        _addressed,
    ),
    rule(
        "RECIPIENTS",
        """the|these|those|our|my|following? n=NUM? PERSON :|(|-|,|namely|are* r=WHOLIST )|]?
        should|must|shall|will|would|all|each|to|like|have* get|gets|receive|receives?""",
        people("to"),
    ),
    rule(
        "RECIPIENTS",
        """i|we would|want|need|like|to|be|wish|please|also|only* receive|get|told|informed|
        notified|mailed|emailed|sent|reminded|alerted|briefed|updated""",
        lambda _: Recipients((), me=True, together=False),
    ),
    rule("BARE", "r=WHOLIST", _unspoken),
    rule(
        "RECIPIENTS",
        """to|for|SEND the|these|those|our|my|exactly|all|following|a|group|of* n=NUM
        PERSON|of|us|recipients+""",
        people("to"),
    ),
    rule("RECIPIENTS", "to|SEND the|these|those following PERSON+", people("to")),
    rule(
        "RECIPIENTS",
        """to|SEND|for everyone|everybody|all|people|those|persons|anyone+ on|in|from|of this|the|
        following|our* list|below|distribution|following* :|,|-|(+ r=WHOLIST )?""",
        people("to"),
    ),
    rule("RECIPIENTS", "let r=WHOLIST all|both|each? know|have|see", people("to")),
    # shoot me an email with; keep Ann posted by mail about; the mail is for Ann
    rule(
        "RECIPIENTS",
        "shoot|drop|fire|ping|throw|toss r=WHOLIST a|an|one|quick|short* MAILNOUN|line|note|memo",
        people("to"),
    ),
    rule(
        "RECIPIENTS",
        "keep|bring r=WHOLIST posted|informed|updated|in|up|to|date|the|loop+",
        people("to"),
    ),
    # to Sam Poole and Kim Ortiz, who are also values of a column
    rule("NEXTKNOWNWHO", "SEP+ p=PERSONVAL", lambda match: match.typed("p")),
    rule("KNOWNWHO", "p=PERSONVAL", lambda match: match.typed("p")),
    rule("KNOWNWHOS", "both? i=KNOWNWHO i=NEXTKNOWNWHO*", _flat),
    rule("RECIPIENTS", "to|SEND r=KNOWNWHOS", people("to")),
    rule(
        "RECIPIENTS",
        """with|a|and|also|put|in|,* cc|copy|cc'd|carbon+ copy|to|in|on|for|:|goes|is* r=WHOLIST""",
        _copied,
    ),
    rule("RECIPIENTS", "and|also|put|,* r=WHOLIST in|on|as cc|copy", _copied),
    rule("RECIPIENTS", "with|in|and|a|as* blind copy to|:|in|for* r=WHOLIST", people("bcc")),
    # the following persons should get it: ann@..., bob@...
    rule(
        "FILLER",
        "the|these following|NUM PERSON to|should|must|shall|will|be|get|receive|sent*",
        _of_list,
    ),
    rule("FILLER", ",|and|with|but* cc|bcc|copy|copies :|to|for|=* nobody|none|no one?"),
    rule("FILLER", ",|and|with|but* nobody|noone|none|no one? in|on|as cc|bcc|copy"),
    rule("FILLER", ",|and|with|but* no|without cc|bcc|copies"),
    rule(
        "RECIPIENTS",
        """keep|inform|notify|update the|our|these* n=NUM PERSON
        informed|posted|updated|in|the|loop*""",
        people("to"),
    ),
    # the mail goes to nobody else anyway
    rule(
        "FILLER",
        """nobody|no one? else|other should|must|may|shall|can|is|to|has|needs|will* get|gets|
        receive|receives|see|sees|be|have|sent* it|this|the|MAILNOUN|LISTNOUN*""",
        _of_others,
    ),
    rule("RECIPIENTS", "with|in|and* bcc to|:|in|for* r=WHOLIST", people("bcc")),
]
