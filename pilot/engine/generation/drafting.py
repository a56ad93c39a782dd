"""Drafts a goal: for nothing at once, or by models, on a worker."""

from dataclasses import asdict
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


def draft(session: Session, row: Generation, known: Catalogue, *, by: Actor) -> None:
    """Keep the best draft that costs nothing; is it not sure, let models be asked."""
    owner = session.get_one(User, row.owner_id)
    values, _, _ = flags.snapshot(session, None, row.owner_id)
    row.cache_key = free.cache_key(row.goal, row.answers, known, values)
    offer = free.offer(session, row, known, owner, values)
    _keep(row, offer)
    stages.tell(session, row, stages.FREE, _told(offer))
    sure = offer.is_sure(float(values["generation_free_threshold"]))
    if not sure and asking.models(session, values).models:
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
