"""The free ways to a draft: an accepted workflow of the same words, else the planner; no model."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine import planner, validation
from pilot.engine.generation import nearest, prompt, semantic_gate
from pilot.engine.generation.stages import CACHE, NEAREST, PLANNER
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.planner import Draft
from pilot.engine.validation import required_approvals
from pilot.errors import Issue
from pilot.models.generation import Generation
from pilot.models.user import User

log = structlog.get_logger()

SETTINGS = ("generation_semantic_gate", "generation_free_threshold", "pilot_max_steps")
FAILED = (
    "The planner could not read this goal. It is kept: say it in other words, or write the "
    "workflow by hand below."
)


@dataclass(frozen=True)
class Offer:
    """A draft that cost nothing, how it was made and how sure it is."""

    generator: str
    draft: Draft
    issues: list[Issue] = field(default_factory=list)
    forgotten: list[Issue] = field(default_factory=list)  # of the goal, by the semantic gate
    duration_ms: int = 0

    def is_sure(self, threshold: float) -> bool:
        """Whether it can be offered without asking a model."""
        wrong = any(one.severity == "error" for one in self.issues) or self.forgotten
        return self.draft.document is not None and not wrong and self.draft.confidence >= threshold


@dataclass(frozen=True)
class Past:
    """What the owner accepted before."""

    same: dict[str, Any] | None  # the newest workflow of the same question
    accepted: Sequence[nearest.Accepted]


def past(session: Session, row: Generation, key: str) -> Past:
    """Read what the owner accepted; after questions, only of the same question."""
    others = () if row.answers else nearest.accepted(session, row.owner_id, row.id)
    return Past(_cached(session, row, key), others)


def offer(
    row: Generation, past: Past, known: Catalogue, owner: User, values: Mapping[str, Any]
) -> Offer:
    """Return the best draft that no model made."""
    started = time.monotonic()
    ways: tuple[tuple[str, Callable[[], Draft | None]], ...] = (
        (CACHE, lambda: Draft(document=past.same, confidence=1.0) if past.same else None),
        (NEAREST, lambda: nearest.draft(past.accepted, row.goal)),
    )
    for generator, make in ways:
        draft = make()
        if draft is not None:
            made = _judged(generator, draft, row, known, owner, values)
            if made.is_sure(float(values["generation_free_threshold"])):
                return replace(made, duration_ms=_since_ms(started))
    made = _judged(PLANNER, _plan(row, known, owner), row, known, owner, values)
    return replace(made, duration_ms=_since_ms(started))


def _judged(
    generator: str,
    draft: Draft,
    row: Generation,
    known: Catalogue,
    owner: User,
    values: Mapping[str, Any],
) -> Offer:
    issues: list[Issue] = []
    forgotten: list[Issue] = []
    document = draft.document
    if document is not None:
        document, issues = _checked(document, known, int(values["pilot_max_steps"]))
        wrong = any(one.severity == "error" for one in issues)
        if not wrong and values["generation_semantic_gate"] != "off":
            forgotten = semantic_gate.check(
                row.goal, document, known, told=(owner.email, row.answers)
            )
    return Offer(generator, replace(draft, document=document), issues, forgotten)


def _checked(
    document: dict[str, Any], known: Catalogue, most: int
) -> tuple[dict[str, Any], list[Issue]]:
    """Return a draft with the approvals that its effects need, and what is wrong with it."""
    issues = validation.validate(document, known, max_steps=most)
    if any(one.code == required_approvals.CODE for one in issues):
        document = validation.with_approvals(document, known, max_steps=most)
        issues = validation.validate(document, known, max_steps=most)
    return document, issues


def _since_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def cache_key(
    goal: str, answers: Mapping[str, Any], known: Catalogue, values: Mapping[str, Any]
) -> str:
    """Return what equal questions have in common: goal, answers, catalogue, prompt, settings."""
    tables = {
        f"{one.table}/{one.tab}": [column.name for column in one.columns]
        for one in known.samples.values()
    }
    parts = {
        "goal": " ".join(goal.split()),
        "answers": dict(answers),
        "actions": {name: one.params_schema for name, one in known.actions.items()},
        "tables": tables,
        "prompt": prompt.VERSION,
        "settings": {name: str(values[name]) for name in SETTINGS},
    }
    return hashlib.sha256(strictjson.canonical(parts).encode()).hexdigest()


def _cached(session: Session, row: Generation, key: str) -> dict[str, Any] | None:
    """Return the newest accepted workflow of the same question; the owner's own ones only."""
    query = (
        select(Generation.document)
        .where(
            Generation.cache_key == key,
            Generation.owner_id == row.owner_id,
            Generation.outcome == "accepted",
            Generation.thumb.is_distinct_from("down"),
            Generation.id != row.id,
        )
        .order_by(Generation.updated_at.desc())
        .limit(1)
    )
    found = session.scalar(query)
    return found if isinstance(found, dict) else None


def _plan(row: Generation, known: Catalogue, owner: User) -> Draft:
    try:
        return planner.plan(
            row.goal, known, answers=row.answers, zone=owner.zone or "UTC", owner_email=owner.email
        )
    except Exception:  # a fault of the planner must not lose what was typed
        log.exception("planner_failed", generation=str(row.id))
        return Draft(refusal=FAILED)
