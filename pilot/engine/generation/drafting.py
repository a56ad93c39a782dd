"""Drafts a goal: for nothing at once, or by models, on a worker."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from pilot import jobs
from pilot.audit import Actor
from pilot.engine.generation import asking, free, stages
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.workflow import document
from pilot.models.generation import Generation
from pilot.models.user import User
from pilot.settings import flags


@dataclass(frozen=True)
class Asked:
    """What a draft is made of: read at once, so that no transaction waits for the planner."""

    row: Generation  # as it was
    known: Catalogue
    owner: User
    values: Mapping[str, Any]  # of the settings
    cache_key: str
    past: free.Past

    def is_still(self, row: Generation) -> bool:
        """Whether the same is asked now."""
        return (row.goal, row.answers) == (self.row.goal, self.row.answers)


def asked(session: Session, row: Generation, known: Catalogue) -> Asked:
    """Read what the draft of a goal is made of."""
    owner = session.get_one(User, row.owner_id)
    values, _, _ = flags.snapshot(session, None, row.owner_id)
    key = free.cache_key(row.goal, row.answers, known, values)
    return Asked(row, known, owner, values, key, free.past(session, row, key))


def offer(asked: Asked) -> free.Offer:
    """Return the best draft that costs nothing."""
    return free.offer(asked.row, asked.past, asked.known, asked.owner, asked.values)


def keep(session: Session, row: Generation, asked: Asked, offer: free.Offer, *, by: Actor) -> None:
    """Keep a draft, unless other words were put meanwhile; is it not sure, let models be asked."""
    if not asked.is_still(row):
        return
    row.cache_key = asked.cache_key
    _keep(row, offer)
    stages.tell(session, row, stages.FREE, _told(offer))
    sure = offer.is_sure(float(asked.values["generation_free_threshold"]))
    if not sure and asking.models(session, asked.values).models:
        row.stage, row.runs, row.outcome = "queued", 0, "offered"
        jobs.ring(session, row.id)
    else:
        stages.record_end(session, row, by)


def _keep(row: Generation, offer: free.Offer) -> None:
    draft = offer.draft
    row.document = draft.document
    row.text = document.text(draft.document) if draft.document is not None else ""
    row.issues = [asdict(issue) for issue in offer.issues + offer.forgotten]
    row.questions = [asdict(question) for question in draft.questions]
    row.clauses = [asdict(clause) for clause in draft.clauses]
    row.refusal, row.failure, row.fallback_reason = draft.refusal, None, None
    row.generator, row.confidence = offer.generator, round(draft.confidence * 100)
    row.duration_ms = offer.duration_ms
    row.outcome = "failed" if draft.refusal else "offered"
    if not row.tokens:
        row.cost_usd = Decimal(0)


def _told(offer: free.Offer) -> dict[str, Any]:
    return {
        "generator": offer.generator,
        "confidence": round(offer.draft.confidence * 100),
        "questions": len(offer.draft.questions),
        "refusal": offer.draft.refusal,
        "errors": sum(one.severity == "error" for one in offer.issues),
        "forgotten": len(offer.forgotten),
        "duration_ms": offer.duration_ms,
    }
