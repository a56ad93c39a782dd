"""Asks models for a draft, on a worker: in turn, each attempt booked, told and fenced.

What a killed worker left behind is counted as lost; the next one goes on with the model that was
being asked, so no model that failed is paid again.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pilot import db, money
from pilot.audit import Event
from pilot.engine.clause_planner.described import needs
from pilot.engine.generation import candidates, nearest, prompt, stages, surroundings
from pilot.engine.generation.candidates import Candidate, Rules
from pilot.engine.generation.claiming import Claim
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.providers import ledger, model_catalogue
from pilot.engine.providers.breaker import Breaker, Guarded
from pilot.engine.providers.ledger import DirectBooking
from pilot.engine.providers.model_catalogue import Chain
from pilot.engine.shortlist import Shortlist
from pilot.engine.workflow import document
from pilot.errors import ErrorClass, FencedError, Issue, ModelError, StepError
from pilot.llm import calls
from pilot.llm.calls import Attempt
from pilot.llm.messages import Model, Reply
from pilot.llm.reasons import FailureReason
from pilot.models.call import Call
from pilot.models.generation import Generation
from pilot.models.user import User
from pilot.settings import flags

log = structlog.get_logger()

MAX_RUNS = 5
ACTOR = "worker"


def models(session: Session, values: Mapping[str, Any]) -> Chain:
    """Return the models that may be asked for a draft, the first one first."""
    chosen = model_catalogue.chosen(values)
    return model_catalogue.chain(session, chosen, values["llm_baseline_model"])


def run(claim: Claim, *, data: Path) -> None:
    """Ask models for one generation and keep what comes of it.

    Raises:
        FencedError: another worker has it by now; nothing more was written.
    """
    started = time.monotonic()
    work = _begin(claim, data)
    if work is None:
        return
    failure = ""
    try:
        guarded = Guarded(work.gate, Breaker.of(work.values))
        calls.complete(work.request, work.chain.models, guarded, work.read)
    except ModelError as error:
        failure = error.message
    except StepError as error:
        if error.error_class is ErrorClass.CANCELLED:
            raise FencedError(str(claim.id)) from error
        failure = error.message
    _end(work, failure, round((time.monotonic() - started) * 1000))


@dataclass
class _Work:
    """What one run has at hand; the candidates are in the order of the answers."""

    claim: Claim
    goal: str
    known: Catalogue
    values: Mapping[str, Any]
    chain: Chain
    request: Any
    gate: "_Gate"
    rules: Rules
    candidates: list[Candidate] = field(default_factory=list)

    def read(self, reply: Reply) -> calls.Reading:
        """Read an answer as a workflow; what is wrong with it goes back to the model."""
        found = candidates.read(
            reply.text,
            self.goal,
            self.known,
            self.rules,
        )
        self.candidates.append(found)
        if found.reason is None:
            return calls.Reading(found, [])
        issues = [f"{one.code} {one.path or '/'}: {one.message}" for one in found.issues]
        return calls.Reading(None, issues, found.reason)


def _begin(claim: Claim, data: Path) -> _Work | None:
    with db.transaction("generation.run", claim.owner_id) as session:
        row = _mine(session, claim)
        ledger.lose(session, claim.id)
        if claim.runs > MAX_RUNS:
            _give_up(session, row, f"{MAX_RUNS} workers ended while they asked models for it.")
            return None
        values, _, _ = flags.snapshot(session, None, claim.owner_id)
        owner = session.get_one(User, claim.owner_id)
        chain = _rest(models(session, values), stages.events(session, claim.id))
        facts = surroundings.facts(owner)
        goal, answers, hint = row.goal, row.answers, _hint(row)
        if hint is None:
            alike = nearest.example(session, row.owner_id, goal, row.id)
            hint = None if alike is None else (alike, [])
        past = nearest.past(session, row.owner_id, row.id)
    known = surroundings.known_actions(data, claim.owner_id)
    count = values["generation_shortlist"]
    short = Shortlist.of(known.actions.values())
    actions = [
        known.actions[one] for one in short.top(goal, past=past, needs=needs(known), count=count)
    ]
    samples = list(known.samples.values())
    wish = prompt.Wish(goal, actions, samples, facts, answers, hint)
    question = prompt.request(
        wish,
        max_output=values["generation_max_output_tokens"],
        timeout_s=values["generation_timeout_s"],
        key=f"generation:{claim.id}",
    )
    question = replace(
        question,
        repairs=values["generation_llm_repair"],
        retry_after_max_s=float(values["llm_retry_after_max_s"]),
    )
    booking = DirectBooking(claim.owner_id, chain, claim.id, {"prompt_version": prompt.VERSION})
    cap = Decimal(values["generation_cost_cap_usd"])
    gate = _Gate(claim, booking, cap, next((one.id for one in chain.models), ""))
    rules = Rules(
        int(values["pilot_max_steps"]), values["generation_semantic_gate"], (facts, answers)
    )
    return _Work(claim, goal, known, values, chain, question, gate, rules)


def _rest(chain: Chain, events: list[Any]) -> Chain:
    """Return the chain from the model on that was asked last: those before it have failed."""
    asked = [one.data["model"] for one in events if one.kind == stages.ATTEMPT]
    ids = [one.id for one in chain.models]
    start = ids.index(asked[-1]) if asked and asked[-1] in ids else 0
    return Chain(chain.models[start:], chain.skipped, chain.baseline)


def _hint(row: Generation) -> tuple[dict[str, Any], list[Issue]] | None:
    if not isinstance(row.document, dict):
        return None
    return row.document, [Issue(**one) for one in row.issues]


def _mine(session: Session, claim: Claim) -> Generation:
    """Return the locked row while this claim is the newest.

    Raises:
        FencedError: it is not.
    """
    query = select(Generation).where(Generation.id == claim.id).with_for_update()
    row = session.scalars(query).one()
    if row.runs != claim.runs or row.stage != "running":
        raise FencedError(str(claim.id))
    return row


class _Gate:
    """Lets an attempt go out only while the generation is ours and its money lasts."""

    def __init__(self, claim: Claim, booking: DirectBooking, cap: Decimal, first: str) -> None:
        self._claim = claim
        self._first = first
        self._booking = booking
        self._cap = cap
        self._last: Attempt | None = None

    def allows(self, _model: Model) -> bool:
        """Whether a model may be asked: the money is looked at for each attempt."""
        return True

    def open(self, attempt: Attempt) -> None:
        """Book an attempt and tell that it begins.

        Raises:
            StepError: another worker has the generation, or the cap is reached.
        """
        try:
            with db.transaction("generation.attempt", self._claim.owner_id) as session:
                row = _mine(session, self._claim)
                spent = _spent(session, row.id).total
                if attempt.reserved is not None and spent + attempt.reserved > self._cap:
                    message = (
                        f"Asking {attempt.model_asked} could cost up to "
                        f"{money.usd(spent + attempt.reserved)}, the limit of a generation is "
                        f"{money.usd(self._cap)}: nothing was sent. See System config, Generation."
                    )
                    raise StepError(ErrorClass.BUDGET, message, sent=False)
                self._tell_fallback(session, row, attempt)
                stages.tell(session, row, stages.ATTEMPT, _begun(attempt))
        except FencedError as error:
            message = "Another worker goes on with it."
            raise StepError(ErrorClass.CANCELLED, message, sent=False) from error
        self._booking.open(attempt)

    def _tell_fallback(self, session: Session, row: Generation, attempt: Attempt) -> None:
        last = self._last
        before, reason = self._first, FailureReason.API  # passed over: it failed too often
        if last is not None:
            before, reason = last.model_asked, last.reason or reason
        if before == attempt.model_asked:
            return
        row.fallback_reason = row.fallback_reason or str(reason)
        spent = _spent(session, row.id, before)
        facts = {
            "primary_model": before,
            "fallback_model": attempt.model_asked,
            "reason": str(reason),
            "tokens_wasted": spent.tokens,
            "cost_wasted_usd": str(spent.total) if spent.is_priced else None,
        }
        stages.tell(session, row, stages.FALLBACK, facts)
        stages.record(session, row, Event.WORKFLOW_GENERATION_FALLBACK, ACTOR, facts)

    @property
    def last_model(self) -> str:
        """The model that answered last."""
        return self._last.model_asked if self._last is not None else ""

    def close(self, attempt: Attempt) -> None:
        """Settle an attempt and tell how it ended."""
        self._booking.close(attempt)
        self._last = attempt
        with db.transaction("generation.attempted", self._claim.owner_id) as session:
            row = _mine(session, self._claim)
            stages.tell(session, row, stages.ATTEMPT, _ended(attempt))


def _begun(attempt: Attempt) -> dict[str, Any]:
    return {"number": attempt.number, "model": attempt.model_asked, "role": attempt.role}


def _ended(attempt: Attempt) -> dict[str, Any]:
    return _begun(attempt) | {
        "id": str(attempt.id),
        "ended": True,
        "reason": attempt.reason,
        "message": attempt.message[:500],
        "issues": [issue[:300] for issue in attempt.issues[:10]],
        "tokens": attempt.usage.total,
        "cost": None if attempt.cost is None else str(attempt.cost),
        "latency_ms": attempt.latency_ms,
        "billed": attempt.model_billed,
    }


@dataclass(frozen=True)
class _Spent:
    """Sums over the calls of a generation."""

    total: Decimal
    wasted: Decimal
    tokens: int
    is_priced: bool


def _spent(session: Session, generation_id: UUID, model: str | None = None) -> _Spent:
    cost = func.coalesce(Call.cost, Call.reserved)
    tokens = (
        Call.input_tokens
        + Call.cache_read_tokens
        + Call.cache_write_tokens
        + Call.cache_write_long_tokens
        + Call.output_tokens
        + Call.reasoning_tokens
    )
    query = select(
        func.coalesce(func.sum(cost), 0),
        func.coalesce(func.sum(cost).filter(Call.wasted), 0),
        func.coalesce(func.sum(tokens), 0),
        func.count().filter(cost.is_(None)),
    ).where(Call.generation_id == generation_id)
    if model is not None:
        query = query.where(Call.model_asked == model)
    total, wasted, count, unpriced = session.execute(query).one()
    return _Spent(Decimal(total), Decimal(wasted), int(count), unpriced == 0)


def _end(work: _Work, failure: str, duration_ms: int) -> None:
    """Keep the draft that was taken, else the best one; the free draft stays where none is better.

    Raises:
        FencedError: another worker has it by now.
    """
    with db.transaction("generation.end", work.claim.owner_id) as session:
        row = _mine(session, work.claim)
        drafted = [one for one in work.candidates if one.document is not None]
        best = min(reversed(drafted), key=lambda one: one.errors, default=None)
        if not failure:
            best = work.candidates[-1]
        if best is not None and (not failure or row.document is None):
            _keep(row, best, work.gate)
        row.failure = failure or None
        row.stage, row.worker_id = "done", None
        row.duration_ms += duration_ms
        _settle(session, row)
        stages.record_end(session, row, ACTOR)
        stages.tell(session, row, stages.END, {"failure": row.failure})


def _keep(row: Generation, found: Candidate, gate: _Gate) -> None:
    row.document = found.document
    row.text = document.text(found.document) if found.document is not None else ""
    row.issues = [asdict(issue) for issue in found.issues]
    row.questions, row.clauses, row.refusal = [], [], None
    row.generator, row.confidence = gate.last_model, found.confidence
    row.repairs += sum(found.repairs.values())
    row.outcome = "offered"


def _settle(session: Session, row: Generation) -> None:
    """Copy the sums of the ledger; NULL says that a call has no price."""
    spent = _spent(session, row.id)
    row.tokens, row.wasted_usd = spent.tokens, spent.wasted
    row.cost_usd = spent.total if spent.is_priced else None


def abandon(claim: Claim) -> None:
    """Say of a generation that a fault of Pilot ended it; its goal and free draft stay."""
    with db.transaction("generation.abandon", claim.owner_id) as session:
        row = _mine(session, claim)
        ledger.lose(session, claim.id)
        _give_up(session, row, "A fault of Pilot ended it: see the log.")


def _give_up(session: Session, row: Generation, failure: str) -> None:
    row.failure = failure
    row.stage, row.worker_id = "done", None
    _settle(session, row)
    stages.tell(session, row, stages.END, {"failure": failure})
