"""Whether a draft does what the goal says: every literal, constraint and wish is met somewhere.

It knows no meaning; it finds what a draft forgot, so that a valid workflow is not taken for a right
one. What it finds is a warning on the draft, and a reason to ask a stronger model.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pilot import strictjson
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.planner.text import Token, normalise, set_of, tokenise
from pilot.engine.workflow.document import parse, walk
from pilot.errors import Issue
from pilot.plugins import Effect

LITERALS = {"address": "The address", "quote": "The text", "url": "The link"}
_APPROVAL = set_of("approve approves approved approval sign-off signoff permission consent")
_ASK_FIRST = re.compile(
    r"\b(ask|check with|wait for|confirm with)\s+(me|us|my|our|the \w+)\b"
    r".{0,40}\b(before|first|ok|okay)\b|\bbefore\b.{0,40}\b(my|our) (ok|okay|approval)\b",
    re.IGNORECASE,
)
_IF_NONE = re.compile(
    r"\b(if|when|in case)\b.{0,25}\b(none|nothing|no|empty|not any|aren't any|isn't any)\b"
    r"|\botherwise\b|\bor else\b",
    re.IGNORECASE,
)
_SENDS = set_of(
    "send mail email e-mail notify post create append save upload write update delete forward reply"
)
_DOINGS = set_of(  # what a sentence may ask for besides sending
    """
    translate summarize summarise classify categorize categorise extract research compare convert
    remind call invite assign schedule label tag archive delete attach export import print rank
    score rewrite shorten enrich check validate verify calculate merge join group
    """
)
_NEGATED = set_of("not no never without except excluding nor")
_LOOK_BACK = 3
_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_HOST = re.compile(r"https?://([\w.:-]+)")
_SMALL = 2  # such numbers count sentences and steps more often than things
_PLAIN = set_of(
    """
    a an the and or of in on at to for from with by as is are be was were it its this that these
    those my me i we our us you your them they their he she his her please then than after before
    each every all any one ones also just only so if when while which who whose what how there here
    do does did done have has had will would shall should can could may might must not no want need
    like make get give let put use using via per about into out up down over under between within
    first next last new some more most other same such very too now today tomorrow day days week
    workflow agent step thing things way
    """
)


def check(
    goal: str, document: dict[str, Any], catalogue: Catalogue, *, told: Iterable[Any] = ()
) -> list[Issue]:
    """Return a warning for each part of the goal that no step of a valid document meets.

    And one for each address and link that nobody named: neither the goal nor `told` (answers to
    questions, the owner's own address).
    """
    tokens = tokenise(normalise(goal))
    said = _Said(document, catalogue)
    named = f"{goal} {strictjson.dumps(list(told))}".lower()
    found = [("W_CLAUSE_UNCOVERED", text) for text in _missing(goal, tokens, said)]
    found += [("W_NOT_IN_GOAL", text) for text in _unasked(document, named)]
    return [
        Issue(code, "/steps", message, severity="warning") for code, message in dict.fromkeys(found)
    ]


def _unasked(document: dict[str, Any], named: str) -> Iterator[str]:
    """Find receivers that a draft invents, or that something it read put into it."""
    spoken = strictjson.dumps([document.get(key) for key in ("steps", "inputs")])
    for address in _ADDRESS.findall(spoken):
        if address.lower() not in named:
            yield f"The address {address!r} is in the draft, but nobody named it."
    for host in _HOST.findall(spoken):
        if host.lower() not in named:
            yield f"The draft speaks to {host!r}, but nobody named it."


class _Said:
    """What a document says, as text, and which kinds of steps it has."""

    def __init__(self, document: dict[str, Any], catalogue: Catalogue) -> None:
        self.steps = list(walk(parse(document).steps))
        self.types = {step.type for step in self.steps}
        names = [str(getattr(step, "action_name", "")) for step in self.steps]
        names += [name for step in self.steps for name in getattr(step, "actions", None) or []]
        self.actions = [catalogue.actions[name] for name in names if name in catalogue.actions]
        spoken = [document.get(key) for key in ("steps", "inputs", "output")]
        about = [f"{one.name} {one.title} {one.summary}" for one in self.actions]
        self.text = " ".join([strictjson.dumps(spoken), *about]).lower()
        words = re.sub(r"[^\w@.%+#-]+", " ", self.text)
        self.stems = {token.stem for token in tokenise(words) if token.stem}

    def acts(self) -> bool:
        """Whether anything happens outside."""
        return any(action.effect is not Effect.PURE for action in self.actions)

    def has_number(self, number: str) -> bool:
        """Whether a number stands there as itself."""
        return re.search(rf"(?<![\w.]){re.escape(number)}(?!\w|\.\d)", self.text) is not None

    def minds_nothing(self) -> bool:
        """Whether it says what happens without rows or results."""
        branches = self.types & {"conditional", "switch"}
        if branches or any(step.execute_if is not None for step in self.steps):
            return True
        return any(f'"{key}"' in self.text for key in ("empty", "on_empty"))


def _missing(goal: str, tokens: list[Token], said: _Said) -> Iterator[str]:
    for at, token in enumerate(tokens):
        before = {one.word for one in tokens[max(at - _LOOK_BACK, 0) : at]}
        if not before & _NEGATED:
            yield from _literal(token, said)
        if token.word == "only" and at + 1 < len(tokens):
            yield from _constraint(tokens[at + 1], said)
    words = {token.word for token in tokens}
    if (words & _APPROVAL or _ASK_FIRST.search(goal)) and "human_approval" not in said.types:
        yield "The goal asks for an approval, but no step asks a person."
    if _IF_NONE.search(goal) and not said.minds_nothing():
        yield "The goal says what to do if there is nothing, but no step or condition minds that."
    if words & _SENDS and not said.acts():
        yield "The goal asks for something to be sent or changed, but every step only reads."
    yield from _clauses(tokens, said)


def _literal(token: Token, said: _Said) -> Iterator[str]:
    text = " ".join(token.text.lower().split())
    kind = LITERALS.get(token.kind)
    if kind and text not in " ".join(said.text.replace('\\"', '"').split()):
        yield f"{kind} {token.text!r} is in the goal, but in no step."
    counts = token.kind == "number" and (token.number or 0) > _SMALL
    if counts and not said.has_number(f"{token.number}"):
        yield f"The number {token.text} is in the goal, but in no step."


def _constraint(token: Token, said: _Said) -> Iterator[str]:
    names = token.kind == "word" and token.capital and token.word not in _PLAIN
    if names and token.stem not in said.stems:
        yield f'"Only {token.text}" is in the goal, but nothing selects it.'


def _clauses(tokens: list[Token], said: _Said) -> Iterator[str]:
    """Find sentences that begin with something to do, of which no word came into the draft."""
    clause: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and token.kind != "break":
            clause.append(token)
            continue
        content = [one for one in clause if one.kind == "word" and one.word not in _PLAIN]
        begins = content[0].word in _DOINGS if content else False
        if begins and not any(one.stem in said.stems for one in content):
            yield f"Nothing in the draft speaks of: {' '.join(one.text for one in clause)[:120]}"
        clause = []
