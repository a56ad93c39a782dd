"""Accepted workflows of goals like this one: taken over where only addresses or numbers differ.

A copy is offered only if both goals say the same words in the same order: what differs in meaning
is never guessed. Others that are much alike vote for their actions and show a model how it is done.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot.engine import shortlist
from pilot.engine.planner.text import Token, normalise, set_of, tokenise
from pilot.engine.shortlist import Past
from pilot.engine.workflow.draft import Draft
from pilot.engine.workflow.outline import outline
from pilot.models.generation import Generation

GLUE = set_of("a an the please kindly")
LITERALS = frozenset({"address", "quote", "url", "date", "number"})
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "address": ("recipient", {"type": "string", "format": "email"}),
    "quote": ("words", {"type": "string"}),
    "url": ("address", {"type": "string", "format": "uri"}),
}
ALIKE = 0.6  # share of its own goal's score that makes an accepted workflow an example
PARTS = ("steps", "inputs", "output")  # of a document, where a literal does something
MARK, NUMBER_MARK = "\ue000{}\ue001", "\ue002{}\ue001"  # of no alphabet
MOST = 500  # accepted workflows, the newest
WORDS_SHARE, SCORE_SHARE, BOUND_SHARE = 0.4, 0.3, 0.3  # of the confidence


@dataclass(frozen=True)
class Accepted:
    """A workflow that its owner accepted."""

    goal: str
    document: dict[str, Any]

    @property
    def past(self) -> Past:
        """Its goal and its actions."""
        used = (node.step for node in outline(self.document) if node.type == "action")
        return Past(self.goal, frozenset(f"{s.get('plugin')}.{s.get('action')}" for s in used))


@dataclass(frozen=True)
class _Said:
    """A goal as words and places for literals, in its order."""

    pattern: tuple[str, ...]  # stems, and <address> where a literal stands
    literals: tuple[Token, ...]

    @property
    def places(self) -> list[int]:
        """Where in the pattern the literals stand."""
        return [place for place, one in enumerate(self.pattern) if one.startswith("<")]


def draft(past: Iterable[Accepted], goal: str) -> Draft | None:
    """Return the first accepted workflow whose goal differs in literals only, with the new ones.

    A literal that the new goal leaves out becomes an input of the workflow.
    """
    said = _said(goal)
    for row in past:
        made = _copy(said, _said(row.goal), row.document)
        if made is None:
            continue
        document, asked = made
        document["goal"] = goal
        ((_, score),) = shortlist.nearest(goal, [row.past], 1) or [(row.past, 1.0)]
        bound = 1 - asked / max(_parameters(document), 1)
        confidence = WORDS_SHARE + SCORE_SHARE * score + BOUND_SHARE * bound
        return Draft(document=document, confidence=confidence)
    return None


def past(session: Session, owner_id: UUID, but: UUID) -> list[Past]:
    """Return the owner's accepted workflows, the newest first; their actions are voted for."""
    return [one.past for one in accepted(session, owner_id, but)]


def example(session: Session, owner_id: UUID, goal: str, but: UUID) -> dict[str, Any] | None:
    """Return the accepted workflow of the goal that is most alike, if it is alike enough."""
    rows = accepted(session, owner_id, but)
    known = [one.past for one in rows]
    for found, score in shortlist.nearest(goal, known, 1):
        if score >= ALIKE:
            return rows[known.index(found)].document
    return None


def accepted(session: Session, owner_id: UUID, but: UUID) -> list[Accepted]:
    """Return the newest accepted workflows of an owner that nobody thought wrong."""
    query = (
        select(Generation.goal, Generation.document)
        .where(
            Generation.owner_id == owner_id,
            Generation.outcome == "accepted",
            Generation.thumb.is_distinct_from("down"),
            Generation.id != but,
        )
        .order_by(Generation.updated_at.desc())
        .limit(MOST)
    )
    rows = session.execute(query).all()
    return [Accepted(goal, found) for goal, found in rows if isinstance(found, dict)]


def _parameters(document: dict[str, Any]) -> int:
    steps = (node.step.get("params") for node in outline(document))
    return sum(len(one) for one in steps if isinstance(one, dict))


def _said(goal: str) -> _Said:
    tokens = [one for one in tokenise(normalise(goal)) if one.kind != "break"]
    words = [one for one in tokens if one.word not in GLUE]
    pattern = (f"<{one.kind}>" if one.kind in LITERALS else one.stem or one.word for one in words)
    return _Said(tuple(pattern), tuple(one for one in words if one.kind in LITERALS))


def _changes(new: _Said, old: _Said) -> list[tuple[Token, Token | None]] | None:
    """Return the literals that differ, with None for one left out; None: the words differ."""
    if new.pattern == old.pattern:
        pairs: list[tuple[Token, Token | None]] = [*zip(old.literals, new.literals, strict=True)]
        return [(was, now) for was, now in pairs if now is None or was.text != now.text]
    for number, place in enumerate(old.places):
        for begin in (place, place - 1):  # with the word before it: "to", "at"
            if begin >= 0 and old.pattern[:begin] + old.pattern[place + 1 :] == new.pattern:
                rest = old.literals[:number] + old.literals[number + 1 :]
                kept = zip(rest, new.literals, strict=True)
                changed = [(was, now) for was, now in kept if was.text != now.text]
                return [*changed, (old.literals[number], None)]
    return None


def _copy(new: _Said, old: _Said, document: dict[str, Any]) -> tuple[dict[str, Any], int] | None:
    """Return the document with the new literals and how many are asked for; None: no copy."""
    changes = _changes(new, old)
    if changes is None or len({was.text for was, _ in changes}) < len(changes):
        return None
    made = deepcopy(document)
    asked = 0
    for number, (was, now) in enumerate(changes):
        if now is None:
            found = _ask(made, was)
            asked += 1
        elif was.kind == "number":
            found = _mark(made, was, number) == 1  # a number may mean several things
        else:
            found = _mark(made, was, number) > 0
        if not found:
            return None
    return _unmarked(made, [now for _, now in changes]), asked


def _mark(document: dict[str, Any], was: Token, number: int) -> int:
    """Put a mark where a literal stands in the workflow, and return how often it does."""
    pattern = re.escape(was.text)
    if was.kind == "number":
        pattern = rf"(?<![\w.]){pattern}(?![\w.])"
    count = 0

    def marked(value: Any) -> Any:
        nonlocal count
        if isinstance(value, str):
            text, times = re.subn(pattern, MARK.format(number), value)
            count += times
            return text
        is_number = was.kind == "number" and type(value) in {int, float}
        if is_number and value == was.number:
            count += 1
            return NUMBER_MARK.format(number)
        return value

    for part in PARTS:
        if part in document:
            document[part] = _mapped(document[part], marked)
    counted = count
    for part in ("name", "description"):
        if was.kind != "number" and part in document:
            document[part] = _mapped(document[part], marked)
    return counted


def _unmarked(document: dict[str, Any], now: Sequence[Token | None]) -> dict[str, Any]:
    """Put the new literals where the marks are."""

    def unmarked(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for number, token in enumerate(now):
            if token is not None:
                if value == NUMBER_MARK.format(number):
                    return token.number
                value = value.replace(MARK.format(number), token.text)
        return value

    made: dict[str, Any] = _mapped(document, unmarked)
    return made


def _ask(document: dict[str, Any], was: Token) -> bool:
    """Make an input of what the new goal leaves out; False: it stands where none can."""
    if was.kind not in ASKED:
        return False
    name, schema = ASKED[was.kind]
    inputs = document.setdefault("inputs", {"type": "object", "properties": {}, "required": []})
    count = 0

    def asked(value: Any) -> Any:
        nonlocal count
        count += value == was.text
        return f"{{{{inputs.{name}}}}}" if value == was.text else value

    document["steps"] = _mapped(document["steps"], asked)
    if not count or not isinstance(inputs, dict) or name in inputs.get("properties", {}):
        return False
    inputs.setdefault("properties", {})[name] = schema
    inputs["required"] = [*inputs.get("required", []), name]
    return True


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a JSON value with each leaf changed."""
    if isinstance(value, dict):
        return {key: _mapped(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [_mapped(one, change) for one in value]
    return change(value)
