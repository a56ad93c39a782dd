"""Splits a goal into clauses: what to do, under which condition, for each of what, who approves."""

import re
from dataclasses import dataclass
from typing import Literal

from pilot.engine.clause_planner.words import NOUN_VERBS, VERBS, normal
from pilot.engine.shortlist import tokens

HIDDEN = "\u00a4"  # stands for each sign of a quoted or bracketed text
QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|(?<!\w)'(?:[^']|(?<=\w)'(?=\w))*'(?!\w)|\[[^\]]*\]|\([^)]*\)"
)
_BREAK = re.compile(
    r"(?:[.!?;]\s+|,\s*)?\b(?:and\s+)?(?:then|after that|afterwards|next|finally|lastly|"
    r"additionally|also)\b(?!\s+(?:days?|weeks?|months?|years?|\d))(?:,?\s*)|"
    r"[.!?;]\s+|\n+|,\s*(?:and\s+)?|\s+and\s+",
    re.IGNORECASE,
)
_THEN = re.compile(r"then|after|next|final|last|addit|also", re.IGNORECASE)
_ABBREVIATED = re.compile(r"\b(?:inc|mr|mrs|ms|dr|st|vs|no|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?:her|his|its|their|it|he|she|they|this|these|those|"
    r"the \w+(?: \w+)? (?:is|are|must|should|has))\b",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"(?:please|kindly|also|and|then|to|i(?:'d| would)? (?:want|need|like|wish|have)(?: to)?|"
    r"i(?:'m| am) looking|can you|could you|would you|help me(?: to)?|let me|you to|i)\s+",
    re.IGNORECASE,
)
_TAKES = re.compile(
    r"[A-Za-z]+\s+(?:a|an|the|me|it|them|my|him|her|us|that|this|these|all|out|for|up|\d+|one|two|three|four|five|[A-Z]\w*)\b"
)
_APPROVAL = re.compile(
    r"\b(?:approv(?:al|als|es?|ed|ing)|sign[- ]?offs?|signs? off|permission|go[- ]ahead|"
    r"confirm(?:s|ation)?)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:ask|wait|get|after|once|with|need|needs|require|requires|pending|subject|until|before|"
    r"let|have|without)\b",
    re.IGNORECASE,
)
_IF = re.compile(r"(?:only\s+)?(?:if|when|in case|provided(?: that)?|unless)\s+", re.IGNORECASE)
_IF_LATER = re.compile(
    r",?\s+(?:but\s+)?(?:only\s+)?(?:if|unless|provided(?: that)?)\s+", re.IGNORECASE
)
_FOR_EACH = re.compile(r"for (?:each|every)\b", re.IGNORECASE)
_LATER = re.compile(
    r",?\s+\b(?:after|once|with|pending|subject to|before|but|only)\b", re.IGNORECASE
)
_EACH = re.compile(r"\bfor (?:each|every)(?: one)?(?: of)?\s+([^,;.]+),?\s*", re.IGNORECASE)

Kind = Literal["action", "approval"]


@dataclass(frozen=True)
class Part:
    """One clause; `condition` and `each` are what it says about when and how often."""

    text: str
    kind: Kind = "action"
    condition: str = ""
    each: str = ""


def masked(text: str) -> str:
    """Return a text of the same length whose quoted and bracketed parts say nothing."""
    return QUOTED.sub(lambda found: found[0][0] + HIDDEN * (len(found[0]) - 2) + found[0][-1], text)


def bare(clause: str) -> str:
    """Return a clause without the polite words that it begins with."""
    text = clause.strip(" ,")
    while True:
        shorter = _POLITE.sub("", text, count=1) if _POLITE.match(text) else text
        if shorter == text:
            return text
        text = shorter.strip(" ,")


def split(goal: str) -> list[Part]:
    """Return the clauses of a goal in their order."""
    found: list[Part] = []
    for text in _cut(goal):
        found += _parts(text)
    return found


def _cut(goal: str) -> list[str]:
    shown, found, start = masked(goal), [], 0
    for sign in _BREAK.finditer(shown):
        if not _divides(shown, goal, start, sign):
            continue
        if tokens(goal[start : sign.start()]):
            found.append(goal[start : sign.start()].strip(" ,"))
        start = sign.end()
    rest = goal[start:].strip(" ,")
    return [*found, rest] if tokens(rest) else found


def _divides(shown: str, goal: str, start: int, sign: re.Match[str]) -> bool:
    """Say whether a sign or a joining word ends a clause."""
    before, rest = goal[start : sign.end()], shown[sign.end() :]
    ends = sign[0][0] in ".!?;\n"
    if ends:
        ends = not _GOES_ON.match(rest) and not _ABBREVIATED.search(before.rstrip())
        ends = ends and (sign[0][0] in ";\n" or not rest[:1].islower())
    start_of_clause = bare(before)
    opens = bool(_IF.match(start_of_clause) or _FOR_EACH.match(start_of_clause))
    if opens and "," in sign[0] and not ends:
        return False
    return ends or bool(_THEN.search(sign[0])) or _begins_with_verb(rest)


def _begins_with_verb(text: str) -> bool:
    text = bare(text)
    word = re.match(r"[A-Za-z]+", text)
    if word is None:
        return bool(_IF.match(text))
    if word[0].lower() in NOUN_VERBS:
        return bool(_TAKES.match(text))
    return normal(word[0].lower()) in VERBS or bool(_IF.match(text) or _EACH.match(text))


def _parts(text: str) -> list[Part]:
    each = _EACH.search(masked(text))
    about = text[each.start(1) : each.end(1)].strip() if each else ""
    if each:
        text = f"{text[: each.start()]} {text[each.end() :]}".strip()
    shown = masked(text)
    if _APPROVAL.search(shown) and _ASKS.search(shown):
        return _with_approval(text, shown, about)
    condition = ""
    opening, later = _IF.match(bare(shown)), _IF_LATER.search(shown)
    if opening:
        clause = bare(text)
        condition, text = _at_comma(clause)
    elif later:
        condition, text = text[later.start() :].strip(" ,"), text[: later.start()]
    return [Part(text.strip(), condition=condition, each=about)]


def _with_approval(text: str, shown: str, about: str) -> list[Part]:
    """Tell the approval from what is done in the same clause: "send it after my approval"."""
    found = _APPROVAL.search(shown)
    cuts = [one for one in _LATER.finditer(shown) if found and one.start() < found.start()]
    cut = cuts[-1] if cuts else None
    if cut is None or not tokens(text[: cut.start()]):
        return [Part(text, "approval", each=about)]
    head, tail = text[: cut.start()].strip(" ,"), text[cut.start() :].strip(" ,")
    if _APPROVAL.search(head):
        return [Part(text, "approval", each=about)]
    return [Part(tail, "approval"), Part(head, each=about)]


def _at_comma(text: str) -> tuple[str, str]:
    """Divide a condition from what is done then: at a comma, else before a verb."""
    shown = masked(text)
    if "," in shown:
        at = shown.index(",")
        return text[:at], text[at + 1 :].strip()
    for word in list(re.finditer(r"\s(?=[A-Za-z])", shown))[3:]:
        if _begins_with_verb(shown[word.end() :]):
            return text[: word.start()], text[word.end() :].strip()
    return text, ""
